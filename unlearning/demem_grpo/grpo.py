"""DeMem by group relative policy optimisation (GRPO): trl's trainer, what it is given, and what becomes of its logs.

Shao et al. 2024, "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models", section 4. Of
each prompt G rollouts are drawn. The advantage of one is its reward less the mean of its group, so that there is no
critic. The loss is the policy gradient's and the KL to the original, estimated from the drawn tokens:

    L = - mean_t rho_t (A_i - beta k3_t),   A_i = r_i - mean of r in the group,   k3 = p_0 / p - ln(p_0 / p) - 1

with A_i divided by a standard deviation or not (`scale_rewards`), and all probabilities at the rollouts' temperature.
Each batch is used for one update: rho = p / p_old is 1 there and clipping never acts; its gradient is what counts.
(In the paper k3 stands without rho; trl's gradient is that of the KL itself.) To trl's loss this adds DeMem's retain
term. Rewards that are all the same give advantages of 0.

Branches are groups of one-token rollouts at every depth of the row but the prefix's end, each a rollout like others to
trl: its prompt just ends elsewhere.

Every draw of iteration i comes from generators seeded by (seed, i), and the state handed over is Adam's: on a CPU a
resumed run gives the weights, to the bit, of one that was not interrupted.
"""

from __future__ import annotations

import contextlib
import copy
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.optim import Adam, Optimizer
from transformers import PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils import logging
from trl import GRPOConfig

from unlearning.demem.rollout import seeded
from unlearning.demem_grpo.draws import Draws, splits
from unlearning.demem_grpo.group_reward import GroupReward
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.demem_grpo.trainer import Trainer
from unlearning.method import State, Task, Training, UnlearningError
from unlearning.policy import Policy
from unlearning.state import load_optimizer, optimizer_tensors

# What trl's log calls our figures; the rest of it is left out.
_FIGURES = {
    "reward_mean": "prefix/reward_mean",
    "reward_std": "prefix/reward_std",
    "kl": "kl",
    "clip_fraction": "clip_ratio/region_mean",
    "entropy": "entropy",
    "retain_loss": "retain_loss",
    "gradient_norm": "grad_norm",
    "learning_rate": "learning_rate",
}


def train(policy: Policy, task: Task, settings: GrpoSettings, training: Training) -> None:
    """Unlearns the forget rows; `settings` are as `prepare` returned them.

    Raises:
        UnlearningError: A GPU that trl would not train on.
        NonFiniteError: A probability or a reward is not a finite number.
    """
    if training.start >= settings.iterations:
        return
    optimizer = Adam(policy.trainable(), lr=settings.learning_rate, eps=settings.adam_eps)
    draws = Draws(task, settings, start=training.start, world=policy.world)
    with tempfile.TemporaryDirectory() as folder, left_as_found(policy):  # trl wants a folder and leaves it empty
        trainer = Trainer(
            policy,
            task,
            settings,
            start=training.start,
            config=_config(policy, task, settings, draws.rollouts, training.start, folder),
            reward=GroupReward(policy, task, settings, training.start),
            dataset=splits(task),
            sampler=draws,
            tokenizer=_with_padding(task.tokenizer),
            optimizer=optimizer,
            callback=_Iterations(policy, task, settings, training, optimizer),
        )
        if training.resumed is not None:
            load_optimizer(optimizer, training.resumed.tensors)
        trainer.train()


class _Iterations(TrainerCallback):
    """Seeds every iteration, and tells the loop around the method what trl logs of it."""

    def __init__(
        self, policy: Policy, task: Task, settings: GrpoSettings, training: Training, optimizer: Optimizer
    ) -> None:
        self._seed, self._rank, self._settings = task.seed, policy.rank, settings
        self._training, self._optimizer = training, optimizer

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        iteration = self._training.start + state.global_step
        torch.manual_seed(seeded(self._seed, iteration, self._rank, "rollouts").initial_seed())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float | None],
        **_: Any,
    ) -> None:
        if "loss" not in logs:  # the summary at the end
            return
        number = self._training.start + state.global_step
        # trl puts None for what is not a number; the loop is to see it.
        figures = {
            ours: float("nan" if logs[theirs] is None else logs[theirs])
            for ours, theirs in _FIGURES.items()
            if theirs in logs
        }
        figures |= {"kl_coefficient": self._settings.kl_coefficient, "updates": float(number)}
        go_on = self._training.iteration(number, figures, lambda: State(optimizer_tensors(self._optimizer)))
        control.should_training_stop |= not go_on


def _config(policy: Policy, task: Task, settings: GrpoSettings, rollouts: int, start: int, folder: str) -> GRPOConfig:
    config = GRPOConfig(
        folder,
        max_steps=settings.iterations - start,
        per_device_train_batch_size=rollouts // policy.world,
        gradient_accumulation_steps=1,
        num_generations=settings.num_generations,
        max_completion_length=task.forget.shape[1] - task.prefix_tokens,
        temperature=settings.temperature,
        beta=0.0,  # see `Trainer`
        loss_type=settings.loss_type,
        scale_rewards=settings.scale_rewards,
        max_grad_norm=settings.max_gradient_norm or float("inf"),
        seed=seeded(task.seed, "trl").initial_seed() % 2**32,
        # Precision, recomputation and the processes are the policy's business.
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=policy.device.type == "cpu",
        accelerator_config={"use_configured_state": True},
        dataloader_pin_memory=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        log_level="error",
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
    )
    if torch.zeros(0, device=config.device).device != torch.zeros(0, device=policy.device).device:
        raise UnlearningError(
            f"demem-grpo trains on {config.device}, where trl puts it, and the model is on {policy.device}: choose the "
            "GPU by CUDA_VISIBLE_DEVICES and type --device cuda"
        )
    config._n_gpu = 1  # more that are visible are not for this process
    return config


def _with_padding(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A copy with a padding token, which trl asks for; what it pads with is masked everywhere."""
    own = copy.deepcopy(tokenizer)
    if own.pad_token is None:
        own.pad_token = own.eos_token or own.convert_ids_to_tokens(0)
    return own


@contextlib.contextmanager
def left_as_found(policy: Policy) -> Iterator[None]:
    """Undoes what trl and transformers do to the model around its weights, and to what is printed.

    They put other methods on the model and other special tokens, flags and tags into its configuration, which would
    all end up in the checkpoint.
    """
    network = policy.network
    kept = [(thing, dict(vars(thing))) for thing in (policy.model, network, network.config, network.generation_config)]
    verbosity = logging.get_verbosity()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # among its own parts
            yield
    finally:
        logging.set_verbosity(verbosity)
        for thing, before in kept:
            vars(thing).clear()
            vars(thing).update(before)
