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
    vocab = logits.shape[1]
    if vocab < 2 * _BLOCK:
        return logits.argmax(-1)
    # First the block, then the token in it. The last block ends with the vocabulary, over the end of the one
    # before; a maximum that lies in both is found in that one.
    tops = torch.cat([_block_maxima(logits), logits[:, vocab - _BLOCK :].amax(-1, keepdim=True)], 1)
    start = (tops.argmax(-1) * _BLOCK).clamp_(max=vocab - _BLOCK)
    inside = logits.gather(1, start[:, None] + torch.arange(_BLOCK, device=logits.device))
    return start + inside.argmax(-1)


def margin(logits: Tensor, choice: Tensor) -> Tensor:
    """How far the greedy choice lies above the second best: float32 [R], in logits, 0 = a tie."""
    top = logits.gather(1, choice[:, None])
    logits.scatter_(1, choice[:, None], -torch.inf)
    second = logits.amax(-1)
    logits.scatter_(1, choice[:, None], top)
    return top[:, 0] - second


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
    rows, vocab = logits.shape
    candidates = logits
    if vocab >= 4 * k * _BLOCK:
        # The k largest logits lie in the k blocks with the largest maxima, or behind the last whole block.
        best = _block_maxima(logits).topk(k, sorted=False).indices[:, :, None]
        blocks = logits[:, : vocab // _BLOCK * _BLOCK].view(rows, -1, _BLOCK)
        inside = blocks.gather(1, best.expand(-1, -1, _BLOCK)).flatten(1)
        candidates = torch.cat([inside, logits[:, vocab // _BLOCK * _BLOCK :]], 1)
    top = candidates.topk(min(k, vocab)).values
    logprob = (own - top[:, 0]) - (top - top[:, :1]).exp().sum(-1).log()
    return torch.where(own >= top[:, -1], logprob, -torch.inf)


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
    shifted = logits.sub_(logits.amax(-1, keepdim=True))
    own = shifted.gather(1, true[:, None])[:, 0]
    weight, product = scratch[:, : len(logits)]
    torch.exp(shifted, out=weight)
    total = weight.sum(-1)
    log_total = total.log()
    mean = torch.mul(weight, shifted, out=product).sum(-1) / total
    deviation = shifted.sub_(mean[:, None])
    variance = weight.mul_(deviation).mul_(deviation).sum(-1) / total
    return own - log_total, mean - log_total, variance.sqrt_()


def _block_maxima(logits: Tensor) -> Tensor:
    whole = logits.shape[1] // _BLOCK * _BLOCK
    return logits[:, :whole].view(len(logits), -1, _BLOCK).amax(-1)
