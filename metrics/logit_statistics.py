"""What is read off a chunk of logits: the greedy choice, ranks, log-probabilities and their moments.

Every function takes float32 [R, V] logits and int64 [R] true tokens, and treats each row by itself. Reductions
over a whole vocabulary otherwise cost as much as the model's head, hence the two-level and in-place forms, and
`scratch`, float32 [2, R or more, V], which the callers keep from chunk to chunk: fresh memory of that size costs
more than the arithmetic done in it.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 128


def argmax(logits: Tensor) -> Tensor:
    """The greedy choice: int64 [R], ties to the lowest id as in `generate`."""
    if logits.shape[1] < 2 * _BLOCK:
        return logits.argmax(-1)
    ids, inside = _block(logits, _block_maxima(logits).argmax(-1))
    return ids[:, 0] + inside.argmax(-1)


def greedy_choice(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The greedy choice and how safe it is.

    Returns:
        int64 [R], as `argmax`; float32 [R], how far it lies above the second best, in logits, 0 = a tie.
    """
    vocab = logits.shape[1]
    if vocab < 2 * _BLOCK:
        choice = logits.argmax(-1, keepdim=True)
        top = logits.gather(1, choice)
        return choice[:, 0], (top - logits.scatter(1, choice, -torch.inf).amax(-1, keepdim=True))[:, 0]
    # First the block, then the token in it. The second best is in that block or is the maximum of another.
    maxima = _block_maxima(logits)
    best = maxima.argmax(-1)
    ids, inside = _block(logits, best)
    at = inside.argmax(-1, keepdim=True)
    top = inside.gather(1, at)[:, 0]
    second = torch.maximum(
        inside.scatter_(1, at, -torch.inf).amax(-1), maxima.scatter_(1, best[:, None], -torch.inf).amax(-1)
    )
    return ids[:, 0] + at[:, 0], top - second


def rank(logits: Tensor, true: Tensor, scratch: Tensor) -> Tensor:
    """How many tokens come before the true one in greedy order: int64 [R], 0 = it is the greedy choice.

    Larger logits come first; among equal ones the lower id does.
    """
    own = logits.gather(1, true[:, None])
    counted = scratch[0, : len(logits)]  # comparing into float32 is much faster on a CPU than summing booleans
    larger = torch.gt(logits, own, out=counted).sum(-1).long()
    as_large = torch.ge(logits, own, out=counted).sum(-1).long()
    tied = (as_large - larger > 1).nonzero()[:, 0]
    if len(tied):
        ids = torch.arange(logits.shape[1], device=logits.device)
        larger[tied] += ((logits[tied] == own[tied]) & (ids < true[tied, None])).sum(-1)
    return larger


def topk_logprob(logits: Tensor, true: Tensor, k: int) -> Tensor:
    """Log-probability of the true token among the k most likely ones: float32 [R], nats, -inf outside of
    them.

    A true token tied with the k-th is taken to be inside, as the `top_k` of `generate` does.
    """
    own = logits.gather(1, true[:, None])[:, 0]
    vocab = logits.shape[1]
    if vocab < 4 * k * _BLOCK:
        return _among(own, logits.topk(min(k, vocab), sorted=False).values)
    # The k largest logits lie in the k blocks with the largest maxima; the smallest of these maxima is at most the
    # k-th largest logit, so that a true token below it is outside, and there is nothing to look for.
    best, blocks = _block_maxima(logits).topk(k, sorted=False)
    near = (own >= best.amin(-1)).nonzero()[:, 0]
    logprob = torch.full_like(own, -torch.inf)
    if len(near):
        row = near.repeat_interleave(k)
        _, inside = _block(logits, blocks[near].flatten(), row)
        logprob[near] = _among(own[near], inside.view(len(near), -1).topk(k, sorted=False).values)
    return logprob


def _among(own: Tensor, top: Tensor) -> Tensor:
    """Log-probabilities where nothing but `top` [R, k] counts, -inf for what lies below all of it."""
    return torch.where(own >= top.amin(-1), own - top.logsumexp(-1), -torch.inf)


def logprob(logits: Tensor, true: Tensor, scratch: Tensor) -> Tensor:
    """Log-probability of the true token: float32 [R], nats."""
    top, log_total, _, _ = _normalized(logits, scratch)
    return (logits.gather(1, true[:, None])[:, 0] - top) - log_total


def logprob_and_moments(logits: Tensor, true: Tensor, scratch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probability of the true token, and mean and standard deviation of log p(z) for z ~ p.

    With d = logits - max, s = sum exp(d): log p = d - log s, mean = E[d] - log s, std = sqrt(E[(d -
    E[d])^2]). The deviations are squared after the mean is taken off, so nothing cancels; taking off the
    maximum keeps the log-probability of a near-certain token exact.

    Args:
        logits: Overwritten.

    Returns:
        Three float32 [R], nats.
    """
    top, log_total, weight, total = _normalized(logits, scratch)
    shifted = logits.sub_(top[:, None])
    own = shifted.gather(1, true[:, None])[:, 0]
    mean = torch.mul(weight, shifted, out=scratch[1, : len(logits)]).sum(-1) / total
    deviation = shifted.sub_(mean[:, None])
    variance = weight.mul_(deviation).mul_(deviation).sum(-1) / total
    return own - log_total, mean - log_total, variance.sqrt_()


def _normalized(logits: Tensor, scratch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The largest logit, the log of the sum of exp(logits - largest), weights proportional to p, and their sum.

    torch's softmax has the fastest exponential there is on a CPU, but adds up one by one, which is off by 10^-5 over
    a large vocabulary: its result is taken for weights only. The largest weight is that of the largest logit.
    """
    weight = torch.softmax(logits, -1, out=scratch[0, : len(logits)])
    total = weight.sum(-1)
    return logits.amax(-1), (total / weight.amax(-1)).log(), weight, total


def _block_maxima(logits: Tensor) -> Tensor:
    """The maximum of each block of the vocabulary; the last block may be shorter: [R, blocks]."""
    vocab = logits.shape[1]
    whole = vocab // _BLOCK * _BLOCK
    maxima = logits[:, :whole].view(len(logits), -1, _BLOCK).amax(-1)
    return maxima if whole == vocab else torch.cat([maxima, logits[:, whole:].amax(-1, keepdim=True)], 1)


def _block(logits: Tensor, block: Tensor, row: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Token ids [n, _BLOCK] and logits of one block of some rows.

    A last block that is shorter is filled up with tokens of the block before it, whose logits are then -inf.
    """
    vocab = logits.shape[1]
    row = torch.arange(len(logits), device=logits.device) if row is None else row
    start = (block * _BLOCK).clamp_(max=vocab - _BLOCK)
    ids = start[:, None] + torch.arange(_BLOCK, device=logits.device)
    # Every stretch of _BLOCK logits, whichever its row, without a copy: picking whole stretches is many times faster
    # than picking as many single logits.
    inside = logits.view(-1).unfold(0, _BLOCK, 1).index_select(0, row * vocab + start)
    return ids, inside if vocab % _BLOCK == 0 else inside.masked_fill_(ids < block[:, None] * _BLOCK, -torch.inf)
