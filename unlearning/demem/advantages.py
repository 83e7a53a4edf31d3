"""From rewards to advantages: where a reward lands, what was expected, and how much better each token did.

Everything is [B, S]: a row for each rollout, a column for each suffix position; `mask` is True up to and including the
end-of-text token. Where several processes hold parts of a batch, `total` adds up over them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]


def at_last_token(rewards: Tensor, mask: Tensor) -> Tensor:
    """Places the reward of a whole rollout on its last generated token: the end-of-text token where it came early.

    Args:
        rewards: float32 [B].
        mask: bool [B, S], True for the generated tokens, at least one in each row.

    Returns:
        float32 [B, S], zero elsewhere.
    """
    return torch.where(last_token(mask), rewards[:, None], 0.0)


def last_token(mask: Tensor) -> Tensor:
    """bool [B, S], True at the last True of each row of `mask`."""
    following = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)
    return mask & ~following


def centred(rewards: Tensor, mask: Tensor, total: Total) -> Tensor:
    """Rewards less their mean over the batch, at each position by itself.

    Under a reward that has nothing to do with what a rollout did, a constant or another rollout's, its mean m_t is
    the expected reward of every state at position t, so that V_t = m_t + gamma V_{t+1}: the discounted sum of what is
    still to come. Then r_t + gamma V_{t+1} - V_t = r_t - m_t, so centred rewards with V = 0 are the closed-form
    baseline of such rewards. Before a learned baseline they leave less to learn, and nothing under a constant reward.

    Args:
        rewards: float32 [B, S].
        mask: bool [B, S], where there is a reward.
        total: Sum over processes.

    Returns:
        float32 [B, S], zero outside the mask.
    """
    sums = total(torch.stack([torch.where(mask, rewards, 0.0).sum(0), mask.sum(0).to(rewards.dtype)]))
    return torch.where(mask, rewards - sums[0] / sums[1].clamp(min=1.0), 0.0)


def on_path(actions: Tensor, true: Tensor) -> Tensor:
    """bool [B, S], whether all tokens drawn before a position were the true ones; actions and true are int64 [B, S]."""
    matching = (actions == true).cumprod(1)
    return torch.cat([torch.ones_like(matching[:, :1]), matching[:, :-1]], 1).bool()


def closed_form_values(
    true_probability: Tensor, path_probability: Tensor, on_path: Tensor, ends: Tensor, gamma: float, scale: float
) -> Tensor:
    """What the token reward (-scale where a token is the true one) will be from here on, without learning it.

    On the true path V_t = p_t (-scale + gamma V_{t+1}), since whoever draws another token leaves it, and V_{t+1} = 0
    where the true token ends the text, and the rollout with it; off the path
    V_t = -scale p_t, coincidences further on being neglected. p_t is the probability of the true token of position t,
    at the temperature that draws.

    Args:
        true_probability: float32 [B, S], given what the rollout drew before.
        path_probability: float32 [B, S], given the true tokens before.
        on_path: bool [B, S], whether everything drawn before was true.
        ends: bool [B, S], whether the true token is the end-of-text token.
        gamma: Discount.
        scale: Of the reward.

    Returns:
        float32 [B, S], the values of the states before each token.
    """
    values = torch.empty_like(path_probability)
    later = torch.zeros_like(path_probability[:, 0])
    for t in reversed(range(values.shape[1])):
        later = path_probability[:, t] * (gamma * torch.where(ends[:, t], 0.0, later) - scale)
        values[:, t] = later
    return torch.where(on_path, values, -scale * true_probability)


def generalized_advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: Tensor, lambda_: float) -> Tensor:
    """A_t = sum_k (gamma lambda)^k delta_{t+k}; delta_t = r_t + gamma V_{t+1} - V_t; zeros follow the last token.

    Schulman et al. 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation", eq. 16.

    Args:
        rewards: float32 [B, S].
        values: float32 [B, S], of the states before each token.
        mask: bool [B, S], True for the generated tokens.
        gamma: float32 [B], a discount for each row: 0 makes each of its tokens an episode of its own.
        lambda_: 1 takes the rewards as they came, 0 trusts the values.

    Returns:
        float32 [B, S], zero outside the mask.
    """
    live = mask.to(rewards.dtype)
    advantages = torch.zeros_like(rewards)
    next_advantage = next_value = torch.zeros_like(gamma)
    for t in reversed(range(rewards.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        next_advantage = (delta + gamma * lambda_ * next_advantage) * live[:, t]
        next_value = values[:, t] * live[:, t]
        advantages[:, t] = next_advantage
    return advantages


def scaled(advantages: Tensor, mask: Tensor, floor: float, total: Total) -> Tensor:
    """Advantages over their standard deviation, or over `floor` where that is larger: noise is not blown up to size 1.

    Args:
        advantages: float32 [B, S].
        mask: bool [B, S].
        floor: > 0.
        total: Sum over processes.

    Returns:
        float32 [B, S].
    """
    _, deviation = moments(advantages, mask, total)
    return advantages / deviation.clamp(min=floor)


def whitened(advantages: Tensor, mask: Tensor, total: Total) -> Tensor:
    """(A - mean) / sqrt(variance + 1e-8), TRL's way. Arguments as for `scaled`; zero outside the mask."""
    mean, deviation = moments(advantages, mask, total)
    return torch.where(mask, (advantages - mean) / (deviation**2 + 1e-8).sqrt(), 0.0)


def moments(values: Tensor, mask: Tensor, total: Total) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (over n) of the entries under the mask, over all processes; 0 and 0 of none."""
    entries = values[mask].double()
    count, first = total(torch.stack([entries.new_tensor(entries.numel()), entries.sum()]))
    mean = first / count.clamp(min=1.0)
    variance = total(((entries - mean) ** 2).sum()) / count.clamp(min=1.0)
    return mean.to(values.dtype), variance.sqrt().to(values.dtype)
