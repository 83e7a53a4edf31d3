"""DeMem: reinforcement learning towards continuations that are unlike the memorized ones."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from unlearning.demem.settings import AUTO, PAPER, DememSettings
from unlearning.method import Method, Task, Training

if TYPE_CHECKING:
    from unlearning.policy import Policy

PAPER_EPOCHS = 8


def _train(policy: Policy, task: Task, settings: DememSettings, training: Training) -> None:
    from unlearning.demem.ppo import train

    train(policy, task, settings, training)


def _prepare(policy: Policy, task: Task, settings: DememSettings) -> DememSettings:
    from unlearning.demem.prepare import prepare

    return prepare(policy, task, settings)


def iterations(settings: DememSettings, task: Task) -> int:
    """The most that will be done; where none are given, as many as 8 epochs over the forget set take."""
    return settings.iterations or ceil(PAPER_EPOCHS * len(task.forget) / settings.rollouts)


DEMEM = Method(
    name="demem",
    title="DeMem, PPO",
    source="Kassem et al. 2023, Preserving Privacy Through DeMemorization: An Unlearning Technique For Mitigating "
    "Memorization Risks In Language Models, EMNLP",
    presets={"auto": AUTO, "paper": PAPER},
    train=_train,
    iterations=iterations,
    prepare=_prepare,
)
