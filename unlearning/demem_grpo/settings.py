"""The hyper-parameters of GRPO: the recipe that works best here, and those of the paper that GRPO is from."""

from __future__ import annotations

from dataclasses import dataclass

from unlearning.method import setting


@dataclass(frozen=True)
class GrpoSettings:
    """The defaults are the preset `auto`. None is worked out by `prepare`. Names shared with DeMem mean the same.

    A batch of rollouts is used for one update, so that the ratio is 1 and there is nothing to clip.
    """

    reward: str = setting(
        "token",
        "how unlike the true suffix a rollout is: 1 - SacreBLEU/100 or 1 - BERTScore F1 of the whole text, or less the "
        "share of its tokens that are the true ones",
        ("sacrebleu", "bertscore", "token"),
    )
    bertscore_model: str | None = setting(
        None, "encoder of BERTScore, hub id or folder (none: bert-score's choice for English, roberta-large)"
    )
    depth: str = setting(
        "branches",
        "where rollouts start: at the prefix only, or also at every depth of the true row, one token each",
        ("prefix", "branches"),
    )
    branch_share: float = setting(0.67, "share of the forget rows of an iteration that get branches")
    control: str = setting(
        "none",
        "replaces the rewards: the batch's mean for all, or permuted among the rollouts of a batch",
        ("none", "constant", "permuted"),
        hidden=True,
    )

    prompts: int = setting(24, "forget rows an iteration, over all processes")
    num_generations: int = setting(8, "rollouts of a group, that is for each prompt and each branch")
    iterations: int | None = setting(25, "most iterations (none: as many as make 8 epochs over the forget set)")
    learning_rate: float | None = setting(None, "Adam's (none: by the model's size, 9e-4 up to 30 M parameters)")
    adam_eps: float | None = setting(
        None, "Adam's epsilon, keeps gradients near zero from becoming full steps (none: by the model's size)"
    )
    max_gradient_norm: float = setting(1.0, "gradients are scaled down to this norm (0: never)")
    temperature: float | None = setting(
        None, "sampling temperature (none: the lowest at which the rewards of a group differ enough)"
    )
    kl_coefficient: float = setting(0.05, "weight of the KL to the original, estimated from the drawn tokens")
    loss_type: str = setting(
        "dapo",
        "what the loss is divided by: all tokens of the batch, each rollout's own, or as many as would fit",
        ("dapo", "grpo", "dr_grpo"),
    )
    scale_rewards: str = setting(
        "none",
        "what advantages are divided by: the standard deviation of the rewards in the group, in the batch, or nothing",
        ("group", "batch", "none"),
    )
    retain_coefficient: float = setting(4.0, "weight of the KL of the original to the model on retain rows")
    retain_rows: int = setting(48, "retain rows an update, half of them benign rows that the model recites")

    def __post_init__(self) -> None:
        """Refuses numbers that no training could use.

        Raises:
            ValueError: Says which.
        """
        if self.num_generations < 2:
            raise ValueError(f"--num-generations {self.num_generations}: a group is at least 2 rollouts")
        if not 0 <= self.branch_share <= 1:
            raise ValueError(f"--branch-share {self.branch_share}: expected 0 to 1")
        for name in ("prompts", "iterations", "learning_rate", "adam_eps", "temperature"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"--{name.replace('_', '-')} {value}: expected more than 0")
        for name in ("max_gradient_norm", "kl_coefficient", "retain_coefficient", "retain_rows"):
            value = getattr(self, name)
            if value < 0:
                raise ValueError(f"--{name.replace('_', '-')} {value}: expected 0 or more")


AUTO = GrpoSettings()

PAPER = GrpoSettings(
    # Kassem et al. 2023: the reward, rollouts from the prefix only, 8 epochs over the forget set.
    reward="sacrebleu",
    depth="prefix",
    iterations=None,
    # Shao et al. 2024, section 4.2: 64 outputs a question, batches of 1024 of them, one update each.
    prompts=16,
    num_generations=64,
    learning_rate=1e-6,
    adam_eps=1e-8,
    temperature=1.0,
    kl_coefficient=0.04,
    loss_type="grpo",
    scale_rewards="group",
    # Neither knows it.
    retain_coefficient=0.0,
)
