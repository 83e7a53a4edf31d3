"""How far the policy has moved from the original: two estimates from drawn tokens, and the exact value.

KL(p || q) = sum_v p(v) (ln p(v) - ln q(v)), nats. "Reverse" is KL(policy || original), the penalty of PPO for
language models: it keeps the policy from saying what the original would not. "Forward" is KL(original || policy), used
on rows to be retained: it keeps the policy able to say all that the original would.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def k1(logprob: Tensor, reference_logprob: Tensor) -> Tensor:
    """ln p(a) - ln q(a) of drawn tokens a ~ p: unbiased for KL(p || q), of high variance, of either sign.

    Schulman 2020, "Approximating KL Divergence".

    Args:
        logprob: float [...], nats, under p, which drew the tokens.
        reference_logprob: float [...], nats, under q.

    Returns:
        float [...], nats.
    """
    return logprob - reference_logprob


def k3(logprob: Tensor, reference_logprob: Tensor) -> Tensor:
    """r - 1 - ln r with r = q(a) / p(a) of drawn tokens a ~ p: unbiased too, never negative, of low variance.

    Schulman 2020, "Approximating KL Divergence". Arguments and result as for `k1`.
    """
    log_ratio = reference_logprob - logprob
    return log_ratio.expm1() - log_ratio


class _Reverse(torch.autograd.Function):
    """With d/d logits = p (ln p - ln q - KL), in a third of the memory traffic of the composed operations."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, reference_logprobs: Tensor) -> tuple[Tensor, Tensor]:
        logprobs = logits.log_softmax(-1)
        probabilities = logprobs.exp()
        entropy = -torch.linalg.vecdot(probabilities, logprobs)
        divergence = -entropy - torch.linalg.vecdot(probabilities, reference_logprobs)
        ctx.save_for_backward(probabilities, logprobs, reference_logprobs, divergence)
        ctx.mark_non_differentiable(entropy)
        return divergence, entropy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None]:
        probabilities, logprobs, reference_logprobs, divergence = ctx.saved_tensors
        slope = logprobs.sub(reference_logprobs).sub_(divergence[..., None])
        return slope.mul_(probabilities).mul_(gradient[..., None]), None


def reverse(logits: Tensor, reference_logprobs: Tensor) -> tuple[Tensor, Tensor]:
    """KL(policy || original) over the whole vocabulary, at temperature 1, and the policy's entropy.

    Args:
        logits: float32 [..., V], the policy's; differentiable.
        reference_logprobs: float32 [..., V], nats, the original's.

    Returns:
        float32 [...] >= 0, nats, differentiable; and float32 [...], entropy in nats, without gradient.
    """
    return _Reverse.apply(logits, reference_logprobs)


def forward(logits: Tensor, reference_logprobs: Tensor) -> Tensor:
    """KL(original || policy) over the whole vocabulary, at temperature 1.

    Args:
        logits: float32 [..., V], the policy's; differentiable.
        reference_logprobs: float32 [..., V], nats, the original's.

    Returns:
        float32 [...] >= 0, nats, differentiable.
    """
    probabilities = reference_logprobs.exp()
    negative_entropy = torch.linalg.vecdot(probabilities, reference_logprobs)
    flat = logits.flatten(0, -2), probabilities.flatten(0, -2)
    cross_entropy = torch.nn.functional.cross_entropy(*flat, reduction="none").view_as(negative_entropy)
    return negative_entropy + cross_entropy


def adapt(coefficient: float, kl: float, target: float, rollouts: int, horizon: float) -> float:
    """The next weight of the penalty: larger if the policy went further than it should, smaller if less far.

    coefficient (1 + clip(kl / target - 1, -0.2, 0.2) rollouts / horizon). Ziegler et al. 2019, "Fine-Tuning Language
    Models from Human Preferences", section 2.2, in the form of its code.

    Args:
        coefficient: The weight now.
        kl: Nats a rollout, mean over the batch.
        target: Nats a rollout that it should be.
        rollouts: In the batch.
        horizon: Rollouts over which an error that large would change the weight by 20 %.

    >>> adapt(0.2, kl=12.0, target=6.0, rollouts=100, horizon=1000)
    0.20400000000000001
    """
    error = min(max(kl / target - 1.0, -0.2), 0.2)
    return coefficient * (1.0 + error * rollouts / horizon)
