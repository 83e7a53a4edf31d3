"""The exact greedy continuation, decoded only from where it leaves the true text.

The scoring pass has already verified every position before a row's first mismatch: there the greedy token is
the true one, and its keys and values are in the pass's cache. So a row that matched fully needs no decoding,
and any other continues from its first mismatch. All rows have the same length, so the branches that are being
decoded move as one wave over the positions: at position s each of them has exactly s tokens before it, no
padding and no mask is needed, and a branch that starts at s joins with the first s entries of its row's
cache. Where each row has one branch at most, the branch goes on in the row's own slot.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from metrics.causal_lm import CausalLM
from metrics.logit_statistics import greedy_choice
from metrics.slot_cache import SlotCache


class Wave:
    """Branches of verified rows, decoded greedily side by side, position by position.

    Attributes:
        size: n, how many branches are being decoded.
        position: s, the position that the next `step` feeds.
        rows: int64 [n], which row of the pass each branch left.
        tokens: int64 [n], the token of each branch at `position`.
    """

    def __init__(
        self,
        lm: CausalLM,
        true_tokens: Tensor,
        true_cache: SlotCache | None,
        banned: Sequence[int],
        capacity: int | None,
    ) -> None:
        """Sets memory aside.

        Args:
            lm: The model.
            true_tokens: int64 [B, T], the rows that branches leave.
            true_cache: Keys and values of at least T - 1 positions of those rows; None for a model without
                such a cache, which then reads each branch anew at every step.
            banned: Token ids that decoding never chooses.
            capacity: The most branches that will be in the wave, for slots of their own; None where the n-th branch
                to join leaves the row in the n-th slot of `true_cache`, and may overwrite it.
        """
        self.position = 0
        self._lm = lm
        self._true_tokens = true_tokens
        self._true_cache = true_cache
        self._banned = banned
        device = true_tokens.device
        self.rows = torch.zeros(0, dtype=torch.long, device=device)
        self.tokens = torch.zeros(0, dtype=torch.long, device=device)
        if true_cache is None:
            self._paths = true_tokens.new_zeros(capacity or len(true_tokens), true_tokens.shape[1])
        else:
            self._cache = true_cache if capacity is None else true_cache.like(capacity)

    @property
    def size(self) -> int:
        """n, how many branches are being decoded."""
        return len(self.rows)

    def join(self, rows: Tensor, tokens: Tensor) -> None:
        """Adds branches that leave the true text at the current position.

        Args:
            rows: int64 [m], the rows they leave.
            tokens: int64 [m], what they continue with in place of the true token.
        """
        start, stop = self.size, self.size + len(rows)
        if self._true_cache is None:
            self._paths[start:stop, : self.position] = self._true_tokens[rows, : self.position]
        elif self._cache is not self._true_cache:
            self._cache.copy_from(self._true_cache, rows, start, self.position)
        self.rows = torch.cat([self.rows, rows])
        self.tokens = torch.cat([self.tokens, tokens])

    def keep(self, chosen: Tensor) -> None:
        """Goes on with some of the branches only.

        Args:
            chosen: int64 [m], ascending indices of those that stay.
        """
        self.rows, self.tokens = self.rows[chosen], self.tokens[chosen]
        if self._true_cache is None:
            self._paths[: len(chosen)] = self._paths[chosen]
        else:
            self._cache.keep(chosen, self.position)

    def step(self) -> Tensor:
        """Feeds each branch's token and decodes the next one; `position` and `tokens` move on.

        Returns:
            float32 [n], logits: how far the chosen token lies above the second best.
        """
        if self._true_cache is None:
            self._paths[: self.size, self.position] = self.tokens
            states = self._lm.states(self._paths[: self.size, : self.position + 1])[:, -1]
        else:
            states = self._lm.states(self.tokens[:, None], self._cache.extend(slice(None), self.position))[:, 0]
        chosen, margins = [], []
        for part in states.split(self._lm.chunk_rows):
            choice, margin = greedy_choice(self._lm.greedy_logits(part, self._banned))
            chosen.append(choice)
            margins.append(margin)
        self.position += 1
        self.tokens = torch.cat(chosen)
        return torch.cat(margins)


def greedy_continuation(
    lm: CausalLM,
    tokens: Tensor,
    cache: SlotCache | None,
    first_mismatch: Tensor,
    mismatch_token: Tensor,
    prefix_tokens: int,
    banned: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """The greedy continuation of every row's prefix, equal to `generate(do_sample=False)` token for token.

    Args:
        lm: The model.
        tokens: int64 [B, T], the true tokens.
        cache: Keys and values of each row's positions before its first mismatch, in B slots of T - 1 positions or
            more; overwritten. None for a model that has no such cache.
        first_mismatch: int64 [B], index in the suffix of the first greedy token that is not the true one; S
            for none.
        mismatch_token: int64 [B], the greedy token there; anything where there is none.
        prefix_tokens: P.
        banned: Token ids that decoding never chooses (`min_new_tokens` bans the end-of-text tokens).

    Returns:
        int64 [B, S] greedy tokens; float32 [B] the smallest margin of the decoded decisions, inf where none
        was.
    """
    last = tokens.shape[1] - 1
    greedy = tokens.clone()
    smallest = torch.full((len(tokens),), torch.inf, device=tokens.device)
    left = prefix_tokens + first_mismatch
    missed = (left <= last).nonzero()[:, 0]
    greedy[missed, left[missed]] = mismatch_token[missed]

    order = missed[torch.argsort(left[missed], stable=True)]
    order = order[left[order] < last]  # nothing comes after a mismatch at the last position
    if not len(order):
        return greedy[:, prefix_tokens:], smallest
    joining = torch.bincount(left[order], minlength=last).tolist()
    if cache is not None:
        cache.keep(order, last)
    wave = Wave(lm, tokens, cache, banned, None)
    for position in range(prefix_tokens, last):
        wave.position = position
        if joining[position]:
            rows = order[wave.size : wave.size + joining[position]]
            wave.join(rows, mismatch_token[rows])
        if wave.size:
            smallest[wave.rows] = torch.minimum(smallest[wave.rows], wave.step())
            greedy[wave.rows, wave.position] = wave.tokens
    return greedy[:, prefix_tokens:], smallest
