"""DeMem's settings made whole: what depends on the model, the task, or a first look at the rewards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, exp, log

import torch
from transformers import PreTrainedModel

from unlearning.demem import iterations
from unlearning.demem.advantages import moments
from unlearning.demem.reward import Reward, load_reward
from unlearning.demem.rollout import sample_continuations, seeded, up_to_end
from unlearning.demem.settings import DememSettings
from unlearning.method import Task, UnlearningError
from unlearning.policy import Policy

# Parameters and learning rate: the first measured on the demo model, the others those at which models of that size are
# commonly fine-tuned. Between them ln(rate) goes in a straight line with ln(parameters).
LEARNING_RATES = ((30e6, 3e-4), (160e6, 1e-4), (1.4e9, 3e-5), (12e9, 1e-5))
# Adapters take about ten times the rate of all weights (Schulman et al. 2025, "LoRA Without Regret").
LORA_FACTOR = 10.0

TEMPERATURES = (1.0, 1.5, 2.0, 3.0)
# A temperature is high enough if the rewards differ as much as this share of what they do at the best one.
ENOUGH = 1 / 3
_FIRST_LOOK_ROWS = 128
_BERTSCORE_SPREAD = 0.3


def prepare(policy: Policy, task: Task, settings: DememSettings) -> DememSettings:
    """Fills in every None.

    Args:
        policy: Not trained yet.
        task: The rows.
        settings: A preset, maybe changed.

    Returns:
        The settings as they will be used.

    Raises:
        UnlearningError: Too few rollouts for the processes, or BERTScore without its encoder.
    """
    if settings.rollouts // policy.world < ceil(settings.rollouts / settings.minibatch):
        raise UnlearningError(
            f"{settings.rollouts} rollouts in minibatches of {settings.minibatch} leave some of the {policy.world} "
            f"processes without work: type --minibatch {2 * policy.world} or more"
        )
    reward = load_reward(
        settings.reward, task.tokenizer, bertscore_model=settings.bertscore_model, device=str(policy.device)
    )
    chosen = settings.temperatures
    scale = {"token": 0.3, "sacrebleu": 1.0}.get(settings.reward)
    if chosen is None or (settings.reward_scale is None and scale is None):
        spreads = {t: _spread(policy, task, reward, t) for t in ((chosen[0],) if chosen else TEMPERATURES)}
        lowest = min(t for t, spread in spreads.items() if spread >= ENOUGH * max(spreads.values()))
        chosen = chosen or (lowest, 1.5 * lowest)
        scale = scale or _rounded(_BERTSCORE_SPREAD / max(spreads[lowest], 1e-3))
    count = iterations(settings, task)
    return replace(
        settings,
        iterations=count,
        baseline=settings.baseline or ("closed-form" if reward.per_token else "value-head"),
        gamma=(0.5 if reward.per_token else 1.0) if settings.gamma is None else settings.gamma,
        adam_eps=settings.adam_eps or _rounded(sum(weight.numel() for weight in policy.trainable()) ** -0.5),
        kl_horizon=settings.kl_horizon or settings.rollouts * count,
        learning_rate=settings.learning_rate
        or learning_rate(policy.network, is_lora=policy.model is not policy.network),
        temperatures=chosen,
        reward_scale=settings.reward_scale or scale,
    )


def learning_rate(network: PreTrainedModel, *, is_lora: bool) -> float:
    """By the model's size: see `LEARNING_RATES` and `LORA_FACTOR`; two significant digits.

    Args:
        network: The model.
        is_lora: Whether only adapters are trained.
    """
    rate = _interpolated(float(network.num_parameters()), LEARNING_RATES) * (LORA_FACTOR if is_lora else 1.0)
    return _rounded(rate)


def _spread(policy: Policy, task: Task, reward: Reward, temperature: float) -> float:
    """Standard deviation of the reward of rollouts from the prefixes; where suffixes are certain, all are equal."""
    P = task.prefix_tokens
    rows = torch.arange(min(_FIRST_LOOK_ROWS, max(32, len(task.forget)))) % len(task.forget)
    tokens = task.forget[rows].to(policy.device)
    generator = seeded(task.seed, "first look")
    actions = sample_continuations(policy, tokens[:, :P], tokens.shape[1] - P, temperature, generator)
    mask = up_to_end(actions, task.eos_token_ids)
    rewards = reward(actions, mask, tokens[:, P:], task.eos_token_ids)
    # Every process looks at the same rollouts, there is nothing to add up.
    return float(moments(rewards, mask if reward.per_token else mask[:, 0], lambda value: value)[1])


def _interpolated(x: float, points: Sequence[tuple[float, float]]) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (low, at_low), (high, at_high) in pairwise(points):
        if x <= high:
            share = (log(x) - log(low)) / (log(high) - log(low))
            return exp((1.0 - share) * log(at_low) + share * log(at_high))
    return points[-1][1]


def _rounded(x: float) -> float:
    return float(f"{x:.1e}")
