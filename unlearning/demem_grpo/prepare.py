"""GRPO's settings made whole: what depends on the model, or on a first look at the rewards."""

from __future__ import annotations

from dataclasses import replace

import torch

from unlearning.demem.prepare import ENOUGH, TEMPERATURES, learning_rate
from unlearning.demem.reward import load_reward
from unlearning.demem.rollout import sample_continuations, seeded, up_to_end
from unlearning.demem_grpo import iterations
from unlearning.demem_grpo.draws import split_prompts
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.method import Task, UnlearningError
from unlearning.policy import Policy

# Of the rate of DeMem's PPO, which makes several updates of each batch where this makes one.
RATE_FACTOR = 3.0
_FIRST_LOOK_PROMPTS = 32


def prepare(policy: Policy, task: Task, settings: GrpoSettings) -> GrpoSettings:
    """Fills in every None.

    Args:
        policy: Not trained yet.
        task: The rows.
        settings: A preset, maybe changed.

    Returns:
        The settings as they will be used.

    Raises:
        UnlearningError: Prompts that can't be shared among the processes, or BERTScore without its encoder.
    """
    if any(count % policy.world for count in split_prompts(settings)):
        raise UnlearningError(
            f"{settings.prompts} prompts, {split_prompts(settings)[1]} of them with branches, can't be shared equally "
            f"by {policy.world} processes: type --prompts {4 * policy.world} --branch-share 0.5"
        )
    load_reward(settings.reward, task.tokenizer, bertscore_model=settings.bertscore_model, device=str(policy.device))
    weights = sum(weight.numel() for weight in policy.trainable())
    is_lora = policy.model is not policy.network
    return replace(
        settings,
        iterations=iterations(settings, task),
        learning_rate=settings.learning_rate or RATE_FACTOR * learning_rate(policy.network, is_lora=is_lora),
        # The size that a gradient of norm 1 has in each parameter: at an epsilon far below it, rounding errors grow to
        # full steps where nothing is to be learned.
        adam_eps=settings.adam_eps or float(f"{weights**-0.5:.1e}"),
        temperature=settings.temperature or _temperature(policy, task, settings),
    )


def _temperature(policy: Policy, task: Task, settings: GrpoSettings) -> float:
    """The lowest at which the rewards of a group differ enough; where a suffix is certain, all rollouts are it."""
    spreads = {temperature: _spread(policy, task, settings, temperature) for temperature in TEMPERATURES}
    return min(temperature for temperature, spread in spreads.items() if spread >= ENOUGH * max(spreads.values()))


def _spread(policy: Policy, task: Task, settings: GrpoSettings, temperature: float) -> float:
    """Standard deviation of the rewards within a group from the prefix, mean over some groups."""
    prefix, group = task.prefix_tokens, settings.num_generations
    rows = task.forget[:_FIRST_LOOK_PROMPTS].repeat_interleave(group, 0).to(policy.device)
    length = rows.shape[1] - prefix
    generator = seeded(task.seed, "first look")
    actions = sample_continuations(policy, rows[:, :prefix], length, temperature, generator)
    reward = load_reward(
        settings.reward, task.tokenizer, bertscore_model=settings.bertscore_model, device=str(policy.device)
    )
    rewards = reward(actions, up_to_end(actions, task.eos_token_ids), rows[:, prefix:], task.eos_token_ids)
    rewards = rewards.mean(1) if reward.per_token else rewards
    return float(torch.std(rewards.view(-1, group), 1, correction=0).mean())
