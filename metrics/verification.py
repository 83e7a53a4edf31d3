"""Where greedy decoding leaves the true text, with logits only for rows that have not left it yet.

Most sequences of a corpus miss at the first suffix token or soon after it, and one miss decides the label: so a few
positions are looked at together, and only the rows that have matched so far go on to the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from metrics.causal_lm import CausalLM
from metrics.logit_statistics import greedy_choice
from metrics.slot_cache import SlotCache

# Suffix positions up to which logits are looked at together; from the last one on, as many again each time.
_STOPS = (1, 4, 16)
WAITING_SHARE = 4
"""One row in so many of a pass can wait for those of the next passes."""


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
    lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: Sequence[int], cache: SlotCache | None
) -> Departure:
    """Where greedy decoding leaves the suffix.

    Args:
        lm: The model.
        tokens: int64 [B, L], the first `prefix_tokens` are the prompt.
        prefix_tokens: See there.
        banned: Token ids that are never chosen.
        cache: With B slots of L - 1 positions or more, whatever they hold. Afterwards it holds those of the prompt
            and, of each row, at least those of the suffix before the departure. None for a model without such a cache,
            which then reads the whole at once.
    """
    search = _Search(lm, tokens, prefix_tokens, banned, cache)
    search.finish()
    return search.found


def first_mismatch_of_many(
    lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: Sequence[int], cache: SlotCache | None, size: int
) -> Departure:
    """As `first_mismatch`, of more rows than one pass takes.

    After each pass over prompts the few rows that go on wait, with their keys and values, for those of the next ones:
    a pass over a handful of rows costs several times as much a row as one over many.

    Args:
        lm: The model.
        tokens: int64 [N, L].
        prefix_tokens: As there.
        banned: As there.
        cache: As there, with `size` slots; what it holds afterwards is of no use.
        size: The most rows of a pass.
    """
    found = _nowhere(tokens, prefix_tokens)
    slots = size // WAITING_SHARE if len(tokens) > size else 0
    waiting = _Waiting(lm, tokens, prefix_tokens, banned, found, slots)
    for rows in torch.arange(len(tokens), device=tokens.device).split(size):
        search = _Search(lm, tokens[rows], prefix_tokens, banned, cache)
        search.look()
        if not waiting.takes(rows, search):
            search.finish()
        _put(found, rows, search.found)
    waiting.finish()
    return found


class _Search:
    """Follows rows along their suffixes.

    Attributes:
        found: Where each row has left its suffix; of those that have not, the end and the margin so far.
        going: int64 [n], the rows that have not.
        start: How many positions of the suffix these have matched.
        cache: Their keys and values, as it was given.
    """

    def __init__(
        self,
        lm: CausalLM,
        tokens: Tensor,
        prefix_tokens: int,
        banned: Sequence[int],
        cache: SlotCache | None,
        start: int = 0,
    ) -> None:
        """Begins with rows that have matched `start` positions; for the others see `first_mismatch`.

        Where that is not 0, the cache holds the keys and values of the prompt and of these positions but the last.
        """
        self._lm, self._tokens, self._prefix, self._banned = lm, tokens, prefix_tokens, banned
        self.cache = cache
        self._length = tokens.shape[1] - prefix_tokens
        self._every = lm.states(tokens[:, :-1])[:, prefix_tokens - 1 :] if cache is None else None
        self.found = _nowhere(tokens, prefix_tokens)
        self.going = torch.arange(len(tokens), device=tokens.device)
        self.start = start

    @property
    def held(self) -> int:
        """How many positions of each row that is going on the cache holds."""
        return self._prefix - 1 + self.start if self.start else 0

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to look at."""
        return self.start >= self._length or not len(self.going)

    def finish(self) -> None:
        """Looks on to the end."""
        while not self.is_finished:
            self.look()

    def look(self) -> None:
        """Looks at the next few positions of the rows that are going on."""
        start, going = self.start, self.going
        stop = next((stop for stop in _STOPS if stop > start), start + _STOPS[-1])
        stop = min(stop, self._length)
        states = self._states(stop)
        true = self._tokens[going, self._prefix + start : self._prefix + stop]
        parts = states.flatten(0, 1).split(self._lm.chunk_rows)
        choices, margins = zip(
            *(greedy_choice(self._lm.greedy_logits(part, self._banned)) for part in parts), strict=True
        )
        choice = torch.cat(choices).view_as(true)
        left_at, lowest = until_mismatch(choice != true, torch.cat(margins).view_as(true))
        self.found.margin[going] = torch.minimum(self.found.margin[going], lowest)
        left = (left_at < stop - start).nonzero()[:, 0]
        self.found.position[going[left]] = start + left_at[left]
        self.found.token[going[left]] = choice[left, left_at[left]]
        self.going = going[left_at == stop - start]
        self.start = stop

    def _states(self, stop: int) -> Tensor:
        """The states that speak of the positions from `start` up to `stop`: [n, stop - start, width]."""
        if self._every is not None:
            return self._every[self.going, self.start : stop]
        wanted = stop - self.start
        rows = slice(None) if len(self.going) == len(self._tokens) else self.going
        tokens = self._tokens[rows, self.held : self._prefix - 1 + stop]
        return self._lm.states(tokens, self.cache.extend(rows, self.held), only_last=wanted == 1)[:, -wanted:]


class _Waiting:
    """Rows that go on, from several passes over prompts."""

    def __init__(
        self, lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: Sequence[int], found: Departure, slots: int
    ) -> None:
        """Has room for so many rows of those tokens; where they are left is put into `found`."""
        self._lm, self._tokens, self._prefix, self._banned, self._found = lm, tokens, prefix_tokens, banned, found
        self._slots = slots
        self._rows = tokens.new_zeros(0)
        self._cache: SlotCache | None = None
        self._start = 0

    def takes(self, rows: Tensor, search: _Search) -> bool:
        """Takes over those that are going on in `search`; False where they are too many, or can't be taken.

        Args:
            rows: int64 [B], which of the tokens the search is over.
            search: After its first look.
        """
        coming = len(search.going)
        if search.is_finished or search.cache is None or coming > self._slots:
            return False
        if len(self._rows) + coming > self._slots:
            self.finish()
        if self._cache is None:
            self._cache = search.cache.like(self._slots)
        self._start = search.start
        self._cache.copy_from(search.cache, search.going, len(self._rows), search.held)
        self._rows = torch.cat([self._rows, rows[search.going]])
        return True

    def finish(self) -> None:
        """Follows those that are waiting to the end."""
        if not len(self._rows):
            return
        search = _Search(self._lm, self._tokens[self._rows], self._prefix, self._banned, self._cache, self._start)
        search.finish()
        margin = torch.minimum(self._found.margin[self._rows], search.found.margin)
        _put(self._found, self._rows, Departure(search.found.position, search.found.token, margin))
        self._rows = self._rows[:0]


def _nowhere(tokens: Tensor, prefix_tokens: int) -> Departure:
    """Of rows that have not left their suffix, and of which nothing was decided."""
    position = torch.full_like(tokens[:, 0], tokens.shape[1] - prefix_tokens)
    return Departure(position, tokens[:, -1].clone(), torch.full(position.shape, torch.inf, device=tokens.device))


def _put(found: Departure, rows: Tensor, part: Departure) -> None:
    for name, values in vars(part).items():
        getattr(found, name)[rows] = values


def until_mismatch(wrong: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
    """The first True of every row [B, L] (L for none), and the smallest margin up to and with it."""
    length = wrong.shape[1]
    first = torch.where(wrong.any(1), wrong.long().argmax(1), length)
    decided = torch.arange(length, device=wrong.device) <= first[:, None]
    return first, torch.where(decided, margins, torch.inf).amin(1)
