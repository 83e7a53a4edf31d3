"""DeMem's hyper-parameters: the recipe that works best here, and the paper's."""

from __future__ import annotations

from dataclasses import dataclass

from unlearning.method import setting

REWARDS = ("sacrebleu", "bertscore", "token")


@dataclass(frozen=True)
class DememSettings:
    """The defaults are the preset `auto`; see `PAPER` for the other. None is worked out by `prepare`."""

    reward: str = setting(
        "token",
        "how unlike the true suffix a rollout is: 1 - SacreBLEU/100 or 1 - BERTScore F1 of the whole text, or token by "
        "token, -1 where it is the true one",
        REWARDS,
    )
    bertscore_model: str | None = setting(
        None, "encoder of BERTScore, hub id or folder (none: bert-score's choice for English, roberta-large)"
    )
    depth: str = setting(
        "branches",
        "where rollouts start: at the prefix only, or also at every depth of the true row, one token each",
        ("prefix", "branches"),
    )
    branch_share: float = setting(0.5, "share of the rollouts that are branches")
    control: str = setting(
        "none",
        "replaces the rewards: the batch's mean for all, or permuted among the rollouts of a batch",
        ("none", "constant", "permuted"),
        hidden=True,
    )

    rollouts: int = setting(256, "rollouts an iteration, over all processes")
    minibatch: int = setting(64, "rollouts an update, over all processes")
    epochs: int = setting(2, "times each rollout is used")
    iterations: int | None = setting(8, "most iterations (none: as many as make 8 epochs over the forget set)")
    learning_rate: float | None = setting(None, "Adam's (none: by the model's size, 3e-4 up to 30 M parameters)")
    adam_eps: float | None = setting(
        None,
        "Adam's epsilon: keeps gradients near zero from becoming full steps (none: 1/sqrt(n) for n trained weights, "
        "the size of each in a gradient of norm 1)",
    )
    max_gradient_norm: float = setting(1.0, "gradients are scaled down to this norm (0: never)")
    clip: float = setting(0.2, "the ratio is clipped to 1 +- this")

    gamma: float | None = setting(
        None, "discount along a rollout from the prefix (none: 0.5 with the token reward, else 1); branches have none"
    )
    lambda_: float = setting(0.95, "decay of the generalized advantage estimate: 1 trusts the rewards, 0 the baseline")
    baseline: str | None = setting(
        None,
        "expected reward of a state: computed from the probability of the true token (token reward only) or learned "
        "(none: computed where it can be)",
        ("closed-form", "value-head"),
    )
    value_clip: float = setting(0.2, "values move at most this far from those at sampling")
    value_coefficient: float = setting(0.1, "weight of the value loss")
    value_learning_rate: float = setting(1e-3, "Adam's for the value head")
    value_through_trunk: bool = setting(False, "the value loss trains the model too, not the value head alone")
    centre_rewards: bool = setting(True, "subtract the batch's mean reward at each position before the value head")
    whiten: bool = setting(False, "advantages less their mean over their standard deviation, whatever its size")
    advantage_floor: float = setting(0.1, "advantages are divided by their standard deviation, or by this if larger")
    reward_scale: float | None = setting(
        None,
        "factor of the reward (none: 0.3 for the token reward, 1 for SacreBLEU; for BERTScore, whose range depends on "
        "the encoder, what gives it a standard deviation of 0.3 at the start)",
    )

    kl: str = setting(
        "loss",
        "KL to the original: over the whole vocabulary in the loss, or of the drawn tokens in the reward with a fixed "
        "or an adaptive weight",
        ("loss", "fixed", "adaptive"),
    )
    kl_coefficient: float = setting(0.05, "weight of that KL; the first one if adaptive")
    kl_target: float = setting(6.0, "nats a rollout that the adaptive weight aims at")
    kl_horizon: int | None = setting(
        None, "rollouts over which the adaptive weight reacts (none: all of the run, rollouts x iterations)"
    )

    temperatures: tuple[float, ...] | None = setting(
        None, "sampling temperatures, by row (none: the lowest pair t, 1.5 t at which the rewards differ enough)"
    )
    retain_coefficient: float = setting(4.0, "weight of the KL of the original to the model on retain rows")
    retain_rows: int = setting(32, "retain rows an update, half of them benign rows that the model recites")

    skip: bool = setting(True, "skip updates whose rewards have no spread")
    least_spread: float = setting(
        1e-4, "the spread below which an update is skipped: standard deviation of the unscaled reward"
    )

    def __post_init__(self) -> None:
        """Raises ValueError for numbers out of range and for settings that contradict each other."""
        for name in (
            "rollouts",
            "minibatch",
            "epochs",
            "iterations",
            "learning_rate",
            "adam_eps",
            "clip",
            "reward_scale",
            "value_learning_rate",
            "value_clip",
            "kl_horizon",
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{_option(name)} {value}: expected more than 0")
        for name in ("branch_share", "gamma", "lambda_"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{_option(name)} {value}: expected 0 to 1")
        for name in (
            "max_gradient_norm",
            "value_coefficient",
            "kl_coefficient",
            "retain_coefficient",
            "retain_rows",
            "least_spread",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{_option(name)} {getattr(self, name)}: expected 0 or more")
        if self.temperatures is not None and not (self.temperatures and min(self.temperatures) > 0):
            raise ValueError(f"--temperatures {self.temperatures}: expected numbers above 0, such as 1,1.5")
        if self.minibatch > self.rollouts:
            raise ValueError(
                f"--minibatch {self.minibatch} is more than --rollouts {self.rollouts}: type --minibatch "
                f"{self.rollouts} too"
            )
        if not self.whiten and not self.advantage_floor > 0:
            raise ValueError(f"--advantage-floor {self.advantage_floor}: expected more than 0, or --whiten yes")
        if self.baseline == "closed-form" and self.reward != "token":
            raise ValueError(
                f"--baseline closed-form is the expectation of the token reward, not of {self.reward}: type --baseline "
                "value-head, or --reward token"
            )
        if self.kl == "adaptive" and not self.kl_target > 0:
            raise ValueError(f"--kl-target {self.kl_target}: expected more than 0")


def _option(name: str) -> str:
    return "--" + name.rstrip("_").replace("_", "-")


AUTO = DememSettings()

PAPER = DememSettings(
    # Kassem et al. 2023: the reward, its scale of 0 to 100, rollouts from the prefix only, batches of 32, 8 epochs
    # over the forget set (so that iterations = ceil(8 F / 32)), and KL as TRL does it.
    reward="sacrebleu",
    reward_scale=100.0,
    depth="prefix",
    rollouts=32,
    iterations=None,
    # TRL's PPO of that time: its defaults, and the learning rate of its examples.
    minibatch=32,
    epochs=4,
    learning_rate=1.41e-5,
    adam_eps=1e-8,
    max_gradient_norm=0.0,
    clip=0.2,
    gamma=1.0,
    lambda_=0.95,
    baseline="value-head",
    value_clip=0.2,
    value_coefficient=0.1,
    value_learning_rate=1.41e-5,
    value_through_trunk=True,
    centre_rewards=False,
    whiten=True,
    advantage_floor=0.0,
    kl="adaptive",
    kl_coefficient=0.2,
    kl_target=6.0,
    kl_horizon=10_000,
    temperatures=(1.0,),
    # Neither knows these.
    retain_coefficient=0.0,
    skip=False,
)
