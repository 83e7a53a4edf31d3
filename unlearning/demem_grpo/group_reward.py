"""DeMem's rewards in the form that trl asks for: a number a rollout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import TrainerState

from unlearning.demem.advantages import moments
from unlearning.demem.reward import branch_reward, controlled, load_reward
from unlearning.demem.rollout import seeded
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.method import NonFiniteError, Task
from unlearning.policy import Policy


class GroupReward:
    """Judges rollouts from the prefix by the chosen reward, one-token rollouts by whether they are the true token.

    The two are never compared: advantages are taken within groups, and the rollouts of a group have the same prompt.
    """

    def __init__(self, policy: Policy, task: Task, settings: GrpoSettings, start: int) -> None:
        """Loads the reward.

        Args:
            policy: Names the device and the processes.
            task: The length of a suffix, the tokenizer and the seed.
            settings: The reward and whether it is replaced by a control.
            start: Iterations done before.

        Raises:
            UnlearningError: BERTScore's encoder can't be loaded.
        """
        self._policy, self._task, self._control, self._start = policy, task, settings.control, start
        self._reward = load_reward(
            settings.reward, task.tokenizer, bertscore_model=settings.bertscore_model, device=str(policy.device)
        )

    def __call__(
        self,
        *,
        completion_ids: Sequence[Sequence[int]],
        rest: Sequence[np.ndarray],
        is_learned: Sequence[bool],
        trainer_state: TrainerState,
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        """Rewards of this process's rollouts; higher is less memorized.

        Args:
            completion_ids: The drawn tokens of each, up to and with an end-of-text token.
            rest: The true tokens from where it starts.
            is_learned: Whether the first of them is to be unlearned; a branch where it is not gets 0.
            trainer_state: Of trl.
            log_metric: Takes `prefix/reward_mean` and `prefix/reward_std`, of the rollouts from the prefix.

        Raises:
            NonFiniteError: A reward is not a finite number. (trl would print the row.)
        """
        length = self._task.forget.shape[1] - self._task.prefix_tokens
        is_prefix = torch.tensor([len(true) == length for true in rest])
        generator = seeded(
            self._task.seed, self._start + trainer_state.global_step, self._policy.rank, "permuted rewards"
        )
        rewards = torch.zeros(len(rest))
        for kind, judge in ((~is_prefix, self._of_branches), (is_prefix, self._from_the_prefix)):
            places = kind.nonzero()[:, 0].tolist()
            if not places:
                continue
            reward = judge([completion_ids[place] for place in places], [rest[place] for place in places])[:, None]
            if judge == self._of_branches:
                reward[[not is_learned[place] for place in places]] = 0.0
            if not reward.isfinite().all():
                raise NonFiniteError("a reward is not a finite number")
            everywhere = torch.ones_like(reward, dtype=torch.bool)
            reward = controlled(reward, everywhere, self._control, generator, self._policy.total)
            rewards[kind] = reward[:, 0]
        judged = rewards[is_prefix] if is_prefix.any() else rewards
        mean, spread = moments(judged, torch.ones_like(judged, dtype=torch.bool), self._policy.total)
        log_metric("prefix/reward_mean", float(mean))
        log_metric("prefix/reward_std", float(spread))
        return rewards.tolist()

    def _from_the_prefix(self, drawn: Sequence[Sequence[int]], suffix: Sequence[np.ndarray]) -> Tensor:
        true = torch.tensor(np.stack(suffix))
        actions, mask = torch.zeros_like(true), torch.zeros_like(true, dtype=torch.bool)
        for row, tokens in enumerate(drawn):
            actions[row, : len(tokens)], mask[row, : len(tokens)] = torch.tensor(tokens), True
        reward = self._reward(actions, mask, true, self._task.eos_token_ids)
        return reward.mean(1) if self._reward.per_token else reward

    def _of_branches(self, drawn: Sequence[Sequence[int]], rest: Sequence[np.ndarray]) -> Tensor:
        return branch_reward(torch.tensor(drawn), torch.tensor([[int(true[0])] for true in rest]))[:, 0]
