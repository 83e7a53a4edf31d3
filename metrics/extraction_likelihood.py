"""Extraction likelihood EL_n: how much of what follows a model gives away, whichever prefix it is shown.

EL_n(x) = sum over t = 1..T-n of OVERLAP_n(f(x_<t), x_>=t) / (T - n), where x_<t are the first t tokens,
f(x_<t) is the greedy continuation of the same length as x_>=t, and OVERLAP_n(a, b) is the share of the
n-grams of a that occur in b (Jang et al. 2023, "Knowledge Unlearning for Mitigating Privacy Risks in Language
Models", ACL). Positions count from 0, the only reading under which every one of the T - n prefixes is
non-empty and the last continuation has exactly one n-gram; the authors' code counts the same way. The
end-of-text tokens are banned as everywhere in this project, where the paper lets them end a continuation.

Taken literally that is one decoding a prefix. But the scoring pass has already shown where greedy decoding
leaves the true text: every prefix between two mismatches continues with the true tokens up to the second one,
and from there on exactly as the prefix that ends at it does. So one decoding a mismatch is enough, and none
for a memorized row. The search for n-grams runs along with the decoding, and stops it where no further n-gram
can be completed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from metrics.causal_lm import CausalLM
from metrics.greedy_decoding import Wave
from metrics.memory import give_back_freed
from metrics.slot_cache import SlotCache

# What the branches' keys and values may take at once, in bytes. Larger waves are no faster on a CPU.
_WAVE_BYTES = {"cpu": 2**26, "cuda": 2**32}


def extraction_likelihood(
    lm: CausalLM,
    tokens: Tensor,
    cache: SlotCache | None,
    greedy: Tensor,
    rows: Tensor,
    n: int,
    banned: Sequence[int],
) -> Tensor:
    """EL_n of some rows of a scored batch.

    Args:
        lm: The model.
        tokens: int64 [B, T], the true tokens.
        cache: Keys and values of the first T - 1 positions of the B rows, or None for a model without such a
            cache.
        greedy: int64 [B, T-1], the teacher-forced greedy tokens: entry j is the choice for position j + 1.
        rows: int64 [R], which rows of the batch.
        n: Length of the n-grams.
        banned: Token ids that decoding never chooses.

    Returns:
        float32 [R] in [0, 1], higher = more memorized; NaN where T <= n, since there is no n-gram to continue
        with.
    """
    length = tokens.shape[1]
    if length <= n:
        return torch.full((len(rows),), torch.nan, device=tokens.device)
    mismatch = greedy[rows] != tokens[rows, 1:]
    needed = _needed_branches(mismatch, n)
    capacity = _wave_capacity(cache, tokens)
    per_row = needed.sum(1).tolist()
    result, start = [np.zeros(0)], 0
    while start < len(rows):
        stop, branches = start + 1, per_row[start]
        while stop < len(rows) and branches + per_row[stop] <= capacity:
            branches += per_row[stop]
            stop += 1
        part = slice(start, stop)
        if lm.device.type == "cpu":
            give_back_freed()  # what the pass or the last wave needed, before this one needs as much
        found = _decode_and_match(lm, tokens, cache, greedy, rows[part], needed[part], n, banned)
        result.append(_overlaps(mismatch[part].cpu().numpy(), needed[part].cpu().numpy(), found.cpu().numpy(), n))
        start = stop
    return torch.from_numpy(np.concatenate(result)).float().to(tokens.device)


def _needed_branches(mismatch: Tensor, n: int) -> Tensor:
    """bool [R, T]: the mismatch positions that some prefix of at most T - n tokens runs into first."""
    length = mismatch.shape[1] + 1
    at = torch.nn.functional.pad(mismatch, (1, 0))
    # Position m is reached by the prefixes t in (previous mismatch, m]; one of them must be at most T - n.
    last_prefix = length - n
    missed_since = at[:, last_prefix:].cumsum(1)
    needed = at.clone()
    needed[:, last_prefix:] &= missed_since == 1
    return needed


def _wave_capacity(cache: SlotCache | None, tokens: Tensor) -> int:
    if cache is None:
        return 64
    return max(64, _WAVE_BYTES.get(tokens.device.type, 2**26) // (cache.bytes_a_position * tokens.shape[1]))


def _decode_and_match(
    lm: CausalLM,
    tokens: Tensor,
    cache: SlotCache | None,
    greedy: Tensor,
    rows: Tensor,
    needed: Tensor,
    n: int,
    banned: Sequence[int],
) -> Tensor:
    """Decodes every needed branch and looks for its n-grams in the true text.

    Returns:
        int16 [branches, T], branches in the order of `needed.nonzero()`: for the n-gram of the branch's
        tokens that ends at position e, the largest position where the same n-gram starts in the true text; -1
        for none.
    """
    length, device = tokens.shape[1], tokens.device
    number = torch.full_like(needed, -1, dtype=torch.long)
    number[needed] = torch.arange(int(needed.sum()), device=device)
    found = torch.full((int(needed.sum()), length), -1, dtype=torch.int16, device=device)
    true = tokens[rows]
    ends = torch.arange(length, dtype=torch.int16, device=device)

    def match(branches: Tensor, common: Tensor, position: int) -> None:
        latest = torch.where(common >= n, ends, -1).amax(1)
        found[branches, position] = torch.where(latest >= 0, latest - (n - 1), -1).to(torch.int16)

    # common[b, i]: how many tokens up to the current one equal those up to position i of the true text.
    true_common = torch.zeros(len(rows), length, dtype=torch.int16, device=device)
    common = true_common[:0]
    branch, branch_row = number.new_zeros(0), number.new_zeros(0)
    joining = needed.sum(0).tolist()
    wave = Wave(lm, tokens, cache, banned, max(1, len(found)))
    for position in range(1, length):
        true_common = _extend(true_common, true, true[:, position - 1])
        if wave.size:
            wave.step()
            common = _extend(common, true[branch_row], wave.tokens)
            match(branch, common, position)
        wave.position = position
        if joining[position]:
            new = needed[:, position].nonzero()[:, 0]
            first = greedy[rows[new], position - 1]
            new_common = _extend(true_common[new], true[new], first)
            wave.join(rows[new], first)
            branch_row = torch.cat([branch_row, new])
            branch = torch.cat([branch, number[new, position]])
            common = torch.cat([common, new_common])
            match(number[new, position], new_common, position)
        if wave.size and position + n >= length:
            left = length - 1 - position
            missing = n - common.clamp(max=n - 1)
            chosen = ((missing <= left) & (missing + ends < length)).any(1).nonzero()[:, 0]
            if len(chosen) < wave.size:
                wave.keep(chosen)
                common, branch, branch_row = common[chosen], branch[chosen], branch_row[chosen]
    return found


def _extend(common: Tensor, true: Tensor, token: Tensor) -> Tensor:
    """The common suffixes' lengths [b, T] after one more token: true [b, T], token [b]."""
    shifted = torch.nn.functional.pad(common[:, :-1], (1, 0))
    return torch.where(true == token[:, None], shifted + 1, 0).to(torch.int16)


def _overlaps(mismatch: np.ndarray, needed: np.ndarray, found: np.ndarray, n: int) -> np.ndarray:
    """EL_n from where the n-grams of every branch were found.

    Args:
        mismatch: bool [R, T-1]; entry j speaks of position j + 1.
        needed: bool [R, T], the branches that were decoded.
        found: int16 [branches, T], see `_decode_and_match`.

    Returns:
        float64 [R].
    """
    rows, length = needed.shape
    positions = np.arange(length)
    prefixes = np.arange(1, length - n + 1)
    # The first mismatch at or after each prefix's end; T where greedy decoding stays on the true text.
    at = np.concatenate([np.zeros((rows, 1), bool), mismatch], axis=1)
    leaves = np.minimum.accumulate(np.where(at, positions, length)[:, ::-1], axis=1)[:, ::-1]
    leaves = leaves[:, 1 : length - n + 1]
    number = np.cumsum(needed).reshape(needed.shape) - 1

    # n-grams that end before the mismatch are the true text's own; the others count where they start no
    # earlier than the prefix ends, in the continuation and in the true text.
    hits = np.clip(leaves - n + 1 - prefixes, 0, None)
    row, column = np.nonzero(leaves < length)
    t, m = prefixes[column], leaves[row, column]
    starts = found[number[row, m]]
    counted = (starts >= t[:, None]) & (positions >= np.maximum(m, t + n - 1)[:, None])
    hits[row, column] += counted.sum(1)
    return (hits / (length - prefixes - n + 1)).mean(axis=1)
