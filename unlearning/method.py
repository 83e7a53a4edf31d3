"""What an unlearning method is, what it is given, and what it reports.

A method is one file (or folder) that defines a frozen dataclass of its hyper-parameters and a function `train`, and
one line in `unlearning/__init__.py`. It changes the weights of a `Policy` in place and tells a `Training` about
every iteration; the loop around it (progress, log, stop rules, saving, resuming) is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from unlearning.policy import Policy


class UnlearningError(Exception):
    """The input can't be unlearned from as asked; the message says what was found and what to type."""


class NonFiniteError(Exception):
    """A loss, a gradient or a logit is not a finite number; the last good checkpoint stays."""


@dataclass(frozen=True)
class Task:
    """The rows a method works with, all of one length T = P + S.

    Attributes:
        forget: int64 [F, T], the rows to be unlearned. Nothing else may enter a forgetting term.
        retain_benign: int64 [B, T], benign rows that the model recites and should go on reciting.
        retain_ordinary: int64 [O, T], rows that it does not recite, for its behaviour on ordinary text.
        unseen: int64 [U, T], rows it was not trained on (or, where that is not known, does not recite), which say
            what "not memorized" looks like. Never trained on.
        prefix_tokens: P, the length of the prompt.
        tokenizer: Decodes rollouts for rewards that compare texts.
        eos_token_ids: The end-of-text tokens.
        seed: Seed of every draw.
    """

    forget: Tensor
    retain_benign: Tensor
    retain_ordinary: Tensor
    unseen: Tensor
    prefix_tokens: int
    tokenizer: PreTrainedTokenizerBase
    eos_token_ids: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class State:
    """Everything beside the policy's weights that an exact continuation needs.

    Attributes:
        tensors: Optimizer moments, value head, random state, by name.
        values: Counters and coefficients, as JSON holds them.
    """

    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


class Training(Protocol):
    """Follows a method. `unlearning/training.py` has the one for the command, tests may bring their own."""

    resumed: State | None
    """What the method handed over at the last save of an interrupted run; the policy's weights are already loaded.

    Reading it puts torch's random state back, too: read it last, after everything else that draws numbers.
    """
    start: int
    """Iterations that were done before: 0, or as many as the resumed run had finished."""

    def iteration(self, number: int, figures: Mapping[str, float], state: Callable[[], State]) -> bool:
        """Takes note of a finished iteration: log, evaluation of the forget set, stop rule, saving.

        Args:
            number: Iterations finished, counted from 1.
            figures: The method's own numbers; see `FIGURES`. Not-finite ones end the training with NonFiniteError.
            state: Called when the state is to be saved.

        Returns:
            Whether to go on.
        """


def setting(default: Any, text: str, choices: tuple[str, ...] = (), *, hidden: bool = False) -> Any:
    """A hyper-parameter: a field of a method's dataclass, and an option of the command.

    Args:
        default: What the preset `auto` has; None where `prepare` works it out.
        text: Its help, a few words that begin in lower case.
        choices: The words it takes, where it takes one of a few.
        hidden: Not an option.
    """
    return field(default=default, metadata={"help": text, "choices": choices, "hidden": hidden})


@dataclass(frozen=True)
class Method:
    """An unlearning method.

    Attributes:
        name: What `--method` takes.
        title: Its name in the report.
        source: Where it is published.
        presets: `auto` and `paper` to the hyper-parameters, a frozen dataclass of `setting`s; the command makes its
            options from them. A field that is None is worked out by `prepare`, and its help says from what.
        train: (policy, task, settings, training): changes the policy's weights.
        iterations: settings, task -> the most iterations that `train` will do.
        prepare: policy, task, settings -> the settings as they will be used (presets and everything measured at the
            start are resolved here); what it returns is written into unlearning.json.
    """

    name: str
    title: str
    source: str
    presets: Mapping[str, Any]
    train: Callable[[Policy, Task, Any, Training], None]
    iterations: Callable[[Any, Task], int]
    prepare: Callable[[Policy, Task, Any], Any]


FIGURES: dict[str, str] = {
    "reward_mean": "mean reward of a rollout (or of a generated token, for the token reward)",
    "reward_std": "spread of the rewards within the batch",
    "kl": "nats a token, policy against the original, on rollouts",
    "kl_coefficient": "weight of the KL penalty",
    "clip_fraction": "share of the tokens whose ratio was clipped",
    "ratio_max": "largest ratio of the first minibatch (1 up to rounding)",
    "entropy": "nats a token of the policy on rollouts",
    "policy_loss": "clipped surrogate",
    "value_loss": "clipped squared error of the value head; absent without one",
    "explained_variance": "of the returns by the values; absent without a value head",
    "retain_loss": "KL of the original to the policy on retain rows, nats a token",
    "forget_loss": "negative log-likelihood of the forget rows, nats a token (gradient ascent)",
    "gradient_norm": "before clipping",
    "learning_rate": "of the last update",
    "skipped": "updates skipped so far because the rewards had no spread",
    "updates": "optimizer steps so far",
    "forget_extractable": "share of the forget rows that are extractable (added by the loop)",
    "forget_accuracy": "memorization accuracy MA of the forget rows (added by the loop)",
    "retain_extractable": "share of the retained benign rows that are extractable (added by the loop)",
    "seconds": "wall time of the iteration (added by the loop)",
}
"""What a record of training.jsonl may hold, beside `iteration`; the report's curves are drawn from them."""
