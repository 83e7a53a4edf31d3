"""What the tests of DeMem share: settings for tiny models, a task that can be decoded, a silent training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from unlearning.demem.settings import AUTO, DememSettings
from unlearning.method import State, Task


@pytest.fixture(scope="session")
def word_task(task) -> Task:
    """`task` with a tokenizer of one word a token."""
    words = {f"w{number}": number for number in range(48)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="w0")))
    return replace(task, tokenizer=tokenizer)


@pytest.fixture(scope="session")
def settings() -> DememSettings:
    """The default recipe, everything worked out, in the size of the tests."""
    return replace(
        AUTO,
        rollouts=24,
        minibatch=12,
        iterations=4,
        learning_rate=3e-3,
        adam_eps=7e-3,
        gamma=0.5,
        baseline="closed-form",
        reward_scale=0.3,
        kl_horizon=96,
        temperatures=(1.0, 1.5),
        retain_coefficient=2.0,
        retain_rows=6,
    )


class SilentTraining:
    """Keeps the figures and states, never stops.

    Attributes:
        figures: One mapping an iteration.
    """

    def __init__(self, resumed: State | None = None, start: int = 0) -> None:
        self.resumed, self.start = resumed, start
        self.figures: list[Mapping[str, float]] = []
        self.state: Callable[[], State] | None = None

    def iteration(self, number: int, figures: Mapping[str, float], state: Callable[[], State]) -> bool:
        """Goes on."""
        assert number == self.start + len(self.figures) + 1
        self.figures.append(figures)
        self.state = state
        return True


@pytest.fixture
def silent() -> Callable[..., Any]:
    """Makes trainings that only take notes."""
    return SilentTraining
