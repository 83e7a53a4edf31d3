"""The exact greedy continuation, decoded only from where it leaves the true text.

The scoring pass has already verified every position before a row's first mismatch: there the greedy token is
the true one, and its keys and values are in the pass's cache. So a row that matched fully needs no decoding,
and any other continues from its first mismatch. All rows have the same length, so the branches that are being
decoded move as one wave over the positions: at position s each of them has exactly s tokens before it, no
padding and no mask is needed, and a branch that starts at s joins with the first s entries of its row's
cache.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from metrics.causal_lm import MIN_ROWS, CausalLM
from metrics.logit_statistics import argmax, margin


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
        true_cache: DynamicCache | None,
        capacity: int,
        banned: int | None,
    ) -> None:
        """Sets memory aside.

        Args:
            lm: The model.
            true_tokens: int64 [B, T], the rows that branches leave.
            true_cache: Keys and values of at least T - 1 positions of those rows; None for a model without
                such a cache, which then reads each branch anew at every step.
            capacity: The most branches that will be in the wave.
            banned: Token id that decoding never chooses, or None.
        """
        self.position = 0
        self._lm = lm
        self._true_tokens = true_tokens
        self._true_cache = true_cache
        self._banned = banned
        device = true_tokens.device
        self.rows = torch.zeros(0, dtype=torch.long, device=device)
        self.tokens = torch.zeros(0, dtype=torch.long, device=device)
        slots = max(capacity, MIN_ROWS)
        length = true_tokens.shape[1]
        if true_cache is None:
            self._paths = true_tokens.new_zeros(slots, length)
            self._layers = []
        else:
            self._layers = [_SlotLayer(layer, slots, length) for layer in true_cache.layers]

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
        else:
            for slot, layer in zip(self._layers, self._true_cache.layers, strict=True):
                slot.copy_prefix(layer, rows, start, self.position)
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
        for slot in self._layers:
            slot.keep(chosen, self.position)

    def step(self) -> Tensor:
        """Feeds each branch's token and decodes the next one; `position` and `tokens` move on.

        Returns:
            float32 [n], logits: how far the chosen token lies above the second best.
        """
        n = self.size
        fed = max(n, MIN_ROWS)  # see MIN_ROWS; the slots beyond n are scratch
        tokens = torch.cat([self.tokens, self.tokens.new_zeros(fed - n)])
        if self._true_cache is None:
            self._paths[:fed, self.position] = tokens
            states = self._lm.states(self._paths[:fed, : self.position + 1])[:, -1]
        else:
            for slot in self._layers:
                slot.length = self.position
            states = self._lm.states(tokens[:, None], Cache(layers=self._layers))[:, 0]
        chosen, margins = [], []
        for part in states[:n].split(self._lm.chunk_rows):
            logits = self._lm.logits(part)
            if self._banned is not None:
                logits[:, self._banned] = -torch.inf
            chosen.append(argmax(logits))
            margins.append(margin(logits, chosen[-1]))
        self.position += 1
        self.tokens = torch.cat(chosen)
        return torch.cat(margins)


class _SlotLayer(DynamicLayer):
    """Keys and values of all branches in one block of memory, so that a longer wave copies nothing."""

    def __init__(self, like: DynamicLayer, slots: int, length: int) -> None:
        super().__init__()
        self.length = 0
        _, heads, _, width = like.keys.shape
        self._keys = like.keys.new_zeros(slots, heads, length, width)
        self._values = like.values.new_zeros(slots, like.values.shape[1], length, like.values.shape[3])
        self.is_initialized = True

    def copy_prefix(self, layer: DynamicLayer, rows: Tensor, start: int, length: int) -> None:
        stop = start + len(rows)
        self._keys[start:stop, :, :length] = layer.keys[:, :, :length].index_select(0, rows)
        self._values[start:stop, :, :length] = layer.values[:, :, :length].index_select(0, rows)

    def keep(self, chosen: Tensor, length: int) -> None:
        self._keys[: len(chosen), :, :length] = self._keys[:, :, :length].index_select(0, chosen)
        self._values[: len(chosen), :, :length] = self._values[:, :, :length].index_select(0, chosen)

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        count, stop = key_states.shape[0], self.length + key_states.shape[2]
        self._keys[:count, :, self.length : stop] = key_states
        self._values[:count, :, self.length : stop] = value_states
        self.length = stop
        self.keys, self.values = self._keys[:count, :, :stop], self._values[:count, :, :stop]
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0


def greedy_continuation(
    lm: CausalLM,
    tokens: Tensor,
    cache: DynamicCache | None,
    first_mismatch: Tensor,
    mismatch_token: Tensor,
    prefix_tokens: int,
    banned: int | None,
) -> tuple[Tensor, Tensor]:
    """The greedy continuation of every row's prefix, equal to `generate(do_sample=False)` token for token.

    Args:
        lm: The model.
        tokens: int64 [B, T], the true tokens.
        cache: Keys and values of the first T - 1 positions, or None for a model that has no such cache.
        first_mismatch: int64 [B], index in the suffix of the first greedy token that is not the true one; S
            for none.
        mismatch_token: int64 [B], the greedy token there; anything where there is none.
        prefix_tokens: P.
        banned: Token id that decoding never chooses (`min_new_tokens` bans the end-of-text token), or None.

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
    wave = Wave(lm, tokens, cache, len(order), banned)
    for position in range(prefix_tokens, last):
        wave.position = position
        if joining[position]:
            rows = order[wave.size : wave.size + joining[position]]
            wave.join(rows, mismatch_token[rows])
        if wave.size:
            smallest[wave.rows] = torch.minimum(smallest[wave.rows], wave.step())
            greedy[wave.rows, wave.position] = wave.tokens
    return greedy[:, prefix_tokens:], smallest
