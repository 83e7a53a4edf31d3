"""What is read off a chunk of logits: the greedy choice, ranks, log-probabilities and their moments.

Every function takes float32 [R, V] logits and int64 [R] true tokens, and treats each row by itself. Reductions
over a whole vocabulary otherwise cost as much as the model's head. Hence the maxima of its blocks, float32
[R, blocks], which are taken once and tell most functions where to look; and `scratch`, float32 [2, R or more, V],
which the callers keep from chunk to chunk: fresh memory of that size costs more than the arithmetic done in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BLOCK = 128


def block_maxima(logits: Tensor) -> Tensor:
    """The maximum of each block of the vocabulary, the last of which may be shorter: float32 [R, blocks]."""
    width = _width(logits)
    whole = logits.shape[1] // width * width
    maxima = logits[:, :whole].view(len(logits), -1, width).amax(-1)
    return maxima if whole == logits.shape[1] else torch.cat([maxima, logits[:, whole:].amax(-1, keepdim=True)], 1)


def restore(logits: Tensor, maxima: Tensor, token: int, values: Tensor) -> None:
    """Puts back the logits float32 [R] of a token that was at -inf when the maxima were taken."""
    logits[:, token] = values
    its_block = maxima[:, token // _width(logits)]
    torch.maximum(its_block, values, out=its_block)


def ban(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """Puts the logits of some tokens at -inf, in place, and hands them back."""
    for token in tokens:
        logits[:, token] = -torch.inf
    return logits


def argmax(logits: Tensor) -> Tensor:
    """The greedy choice: int64 [R], ties to the lowest id as in `generate`."""
    ids, inside = _block_of_each(logits, block_maxima(logits).argmax(-1))
    return ids[:, 0] + inside.argmax(-1)


def greedy_choice(logits: Tensor, maxima: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The greedy choice and how safe it is; without the maxima of blocks it takes them itself.

    Returns:
        int64 [R], as `argmax`; float32 [R], how far it lies above the second best, in logits, 0 = a tie.
    """
    maxima = block_maxima(logits) if maxima is None else maxima
    # First the block, then the token in it. The second best is in that block or is the maximum of another.
    best = maxima.argmax(-1)
    ids, inside = _block_of_each(logits, best)
    at = inside.argmax(-1, keepdim=True)
    top = inside.gather(1, at)[:, 0]
    second = torch.maximum(
        inside.scatter_(1, at, -torch.inf).amax(-1), maxima.scatter(1, best[:, None], -torch.inf).amax(-1)
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


def topk_logprob(logits: Tensor, maxima: Tensor, true: Tensor, k: int) -> Tensor:
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
    best, blocks = maxima.topk(k, sorted=False)
    near = (own >= best.amin(-1)).nonzero()[:, 0]
    logprob = torch.full_like(own, -torch.inf)
    if len(near):
        row = near.repeat_interleave(k)
        inside = _stretches(logits, row, blocks[near].flatten())
        # The same again: groups of 16 among these blocks' logits, however they fall, and the k with the largest maxima.
        groups = inside.view(len(near), 16, -1)
        largest = groups.amax(1).topk(k, sorted=False).indices
        few = groups.gather(2, largest[:, None].expand(-1, 16, -1)).flatten(1)
        logprob[near] = _among(own[near], few.topk(k, sorted=False).values)
    return logprob


def _among(own: Tensor, top: Tensor) -> Tensor:
    """Log-probabilities where nothing but `top` [R, k] counts, -inf for what lies below all of it."""
    largest = top.amax(-1)
    log_total = (top - largest[:, None]).exp_().sum(-1).log_()  # what `logsumexp` does, without its care for infinities
    return torch.where(own >= top.amin(-1), own - largest - log_total, -torch.inf)


def logprob(logits: Tensor, maxima: Tensor, true: Tensor, scratch: Tensor) -> Tensor:
    """Log-probability of the true token: float32 [R], nats."""
    top, log_total, _, _ = _normalized(logits, maxima, scratch)
    return (logits.gather(1, true[:, None])[:, 0] - top) - log_total


def logprob_and_moments(logits: Tensor, maxima: Tensor, true: Tensor, scratch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probability of the true token, and mean and standard deviation of log p(z) for z ~ p.

    With d = logits - max, s = sum exp(d): log p = d - log s, mean = E[d] - log s, std = sqrt(E[(d -
    E[d])^2]). The deviations are squared after the mean is taken off, so nothing cancels; taking off the
    maximum keeps the log-probability of a near-certain token exact.

    Args:
        logits: Overwritten.

    Returns:
        Three float32 [R], nats.
    """
    top, log_total, weight, total = _normalized(logits, maxima, scratch)
    shifted = logits.sub_(top[:, None])
    own = shifted.gather(1, true[:, None])[:, 0]
    mean = torch.mul(weight, shifted, out=scratch[1, : len(logits)]).sum(-1) / total
    deviation = shifted.sub_(mean[:, None])
    variance = weight.mul_(deviation).mul_(deviation).sum(-1) / total
    return own - log_total, mean - log_total, variance.sqrt_()


def _normalized(logits: Tensor, maxima: Tensor, scratch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The largest logit, the log of the sum of exp(logits - largest), weights proportional to p, and their sum.

    torch's softmax has the fastest exponential there is on a CPU, but adds up one by one, which is off by 10^-5 over
    a large vocabulary: its result is taken for weights only. The largest weight is that of the largest logit.
    """
    weight = torch.softmax(logits, -1, out=scratch[0, : len(logits)])
    total = weight.sum(-1)
    top, block = maxima.max(-1)
    largest = _stretches(weight, torch.arange(len(weight), device=weight.device), block, fill=0.0).amax(-1)
    return top, (total / largest).log(), weight, total


def _width(logits: Tensor) -> int:
    """How many tokens there are in a block."""
    return _BLOCK if logits.shape[1] >= 2 * _BLOCK else 1


def _block_of_each(logits: Tensor, block: Tensor) -> tuple[Tensor, Tensor]:
    """Token ids and logits, both [R, width], of one block of each row."""
    width = _width(logits)
    ids = _start(logits, block)[:, None] + torch.arange(width, device=logits.device)
    return ids, _stretches(logits, torch.arange(len(logits), device=logits.device), block)


def _stretches(values: Tensor, row: Tensor, block: Tensor, fill: float = -torch.inf) -> Tensor:
    """Some blocks of some rows of [R, V], whole and without a copy of the rest: [n, width].

    A last block that is shorter is filled up, at its start, with `fill`.
    """
    vocab, width = values.shape[1], _width(values)
    # Every stretch of a block's length: picking whole stretches is many times faster than as many single values.
    found = values.view(-1).unfold(0, width, 1).index_select(0, row * vocab + _start(values, block))
    if vocab % width:
        last = (block == vocab // width)[:, None]
        found.masked_fill_(last & (torch.arange(width, device=values.device) < width - vocab % width), fill)
    return found


def _start(values: Tensor, block: Tensor) -> Tensor:
    """The first token of a block's stretch; that of a shorter last one begins in the block before it."""
    return (block * _width(values)).clamp_(max=values.shape[1] - _width(values))
