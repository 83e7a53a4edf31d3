"""Where greedy decoding leaves the true text, with logits only for rows that have not left it yet.

Most sequences of a corpus miss at the first suffix token or soon after it, and one miss decides the label: so a few
positions are looked at together, and only the rows that have matched so far go on to the next ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from metrics.causal_lm import CausalLM
from metrics.logit_statistics import greedy_choice
from metrics.slot_cache import SlotCache

# Suffix positions whose logits are looked at together.
_STAGES = (1, 3, 12, 16)


@dataclass(frozen=True)
class Departure:
    """Where B rows are left.

    Attributes:
        position: int64 [B], index in the suffix of the first greedy token that is not the true one; S for none.
        token: int64 [B], the greedy token there; the last one where there is none.
        margin: float32 [B], the smallest margin of the decisions up to and with that one.
    """

    position: Tensor
    token: Tensor
    margin: Tensor


def first_mismatch(
    lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: int | None, cache: SlotCache | None
) -> Departure:
    """Where greedy decoding leaves the suffix.

    Args:
        lm: The model.
        tokens: int64 [B, L], the first `prefix_tokens` are the prompt.
        prefix_tokens: See there.
        banned: Token id that is never chosen, or None.
        cache: With B slots of L - 1 positions or more, whatever they hold. Afterwards it holds those of the prompt
            and, of each row, at least those of the suffix before the departure. None for a model without such a cache,
            which then reads the whole at once.
    """
    suffix = tokens[:, prefix_tokens:]
    length = suffix.shape[1]
    position = torch.full_like(suffix[:, 0], length)
    token = suffix[:, -1].clone()
    smallest = torch.full(position.shape, torch.inf, device=tokens.device)
    going = torch.arange(len(tokens), device=tokens.device)
    every = lm.states(tokens[:, :-1])[:, prefix_tokens - 1 :] if cache is None else None
    start = 0
    widths = itertools.chain(_STAGES, itertools.repeat(_STAGES[-1]))
    while start < length and len(going):
        stop = min(start + next(widths), length)
        if every is None:
            first = prefix_tokens - 1 + start if start else 0
            states = _extended(lm, tokens[:, first : prefix_tokens - 1 + stop], going, cache, first, stop - start)
        else:
            states = every[going, start:stop]
        true = suffix[going, start:stop]
        parts = states.flatten(0, 1).split(lm.chunk_rows)
        choices, margins = zip(*(greedy_choice(lm.greedy_logits(part, banned)) for part in parts), strict=True)
        choice = torch.cat(choices).view_as(true)
        found, lowest = until_mismatch(choice != true, torch.cat(margins).view_as(true))
        smallest[going] = torch.minimum(smallest[going], lowest)
        left = (found < stop - start).nonzero()[:, 0]
        position[going[left]] = start + found[left]
        token[going[left]] = choice[left, found[left]]
        going = going[found == stop - start]
        start = stop
    return Departure(position, token, smallest)


def _extended(lm: CausalLM, tokens: Tensor, going: Tensor, cache: SlotCache, length: int, wanted: int) -> Tensor:
    """The last `wanted` states of some rows after `length` positions that the cache holds: [n, wanted, width]."""
    rows = slice(None) if len(going) == len(tokens) else going
    return lm.states(tokens[rows], cache.extend(rows, length), only_last=wanted == 1)[:, -wanted:]


def until_mismatch(wrong: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
    """The first True of every row [B, L] (L for none), and the smallest margin up to and with it."""
    length = wrong.shape[1]
    first = torch.where(wrong.any(1), wrong.long().argmax(1), length)
    decided = torch.arange(length, device=wrong.device) <= first[:, None]
    return first, torch.where(decided, margins, torch.inf).amin(1)
