"""DeMem without a critic: the same rewards through trl's `GRPOTrainer`."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from unlearning.demem import PAPER_EPOCHS
from unlearning.demem_grpo.settings import AUTO, PAPER, GrpoSettings
from unlearning.method import Method, Task, Training

if TYPE_CHECKING:
    from unlearning.policy import Policy


def _train(policy: Policy, task: Task, settings: GrpoSettings, training: Training) -> None:
    from unlearning.demem_grpo.grpo import train

    train(policy, task, settings, training)


def _prepare(policy: Policy, task: Task, settings: GrpoSettings) -> GrpoSettings:
    from unlearning.demem_grpo.prepare import prepare

    return prepare(policy, task, settings)


def iterations(settings: GrpoSettings, task: Task) -> int:
    """The most that will be done; where none are given, as many as 8 epochs over the forget set take."""
    return settings.iterations or ceil(PAPER_EPOCHS * len(task.forget) / settings.prompts)


DEMEM_GRPO = Method(
    name="demem-grpo",
    title="DeMem, GRPO",
    source="Shao et al. 2024, DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models, "
    "arXiv:2402.03300, with the rewards of Kassem et al. 2023",
    presets={"auto": AUTO, "paper": PAPER},
    train=_train,
    iterations=iterations,
    prepare=_prepare,
)
