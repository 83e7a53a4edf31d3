"""How often given windows of tokens occur in a corpus, exactly: a rolling hash finds candidates, tokens decide.

The hash of the window of length L at place i is sum_j x[i + j] b^j modulo 2^64. It is the difference of two running
sums divided by b^i, so the windows at all places of a block, whatever their length, cost a few numpy passes over it.
At each place the shortest length is looked up in a filter; the few places that pass are looked up by their hashes, in
every length; and what agrees there is compared token by token. The base b is drawn anew until no two different windows
of the list have one hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_BLOCK = 1 << 15
_FILTER_BITS = 64  # for each window; fewer than 1 place in 64 of a corpus passes it by chance
_LEAST_BITS = 16  # of a hash that choose its bit in the filter
_COMPARED = 1 << 20  # tokens compared at once; bounds the memory where nearly every place holds a window
_DRAWS = 8  # of a base; the first almost always does


@dataclass(frozen=True)
class Windows:
    """The different windows of one length L, M of them.

    Attributes:
        length: L, in tokens.
        hashes: uint64 [M], ascending.
        rows, starts: int64 [M] each, the first row that has the window, and where in it.
    """

    length: int
    hashes: np.ndarray
    rows: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class WindowIndex:
    """Windows to be counted, ready to be looked up.

    Attributes:
        base: b of the hash.
        tokens: int32 [N, T], the rows that the windows are slices of.
        lengths: The windows by length, the shortest first.
        filter: Bits packed into uint8 [2^b / 8]: whether the first `lengths[0].length` tokens of a window have a hash
            that begins with these b bits.
    """

    base: int
    tokens: np.ndarray
    lengths: tuple[Windows, ...]
    filter: np.ndarray

    @property
    def shift(self) -> np.uint64:
        """What is left of a hash after it is the number of its bit in the filter."""
        return np.uint64(64 - (8 * len(self.filter)).bit_length() + 1)


def index_windows(tokens: np.ndarray, slices: Mapping[str, slice], seed: int = 0) -> tuple[WindowIndex, dict]:
    """Finds out which windows are different.

    Args:
        tokens: int [N, T], the rows.
        slices: Windows by name, such as prefix, suffix and whole: from where to where in each row.
        seed: Of the hash's base; changes no count.

    Returns:
        The index; and for each name, the number of its length in `index.lengths` and, int64 [N], the number of each
        row's window there.

    Raises:
        ValueError: A slice is empty or reaches beyond the rows.
    """
    tokens = np.ascontiguousarray(tokens, dtype=np.int32)
    places = {name: range(*part.indices(tokens.shape[1])) for name, part in slices.items()}
    for name, place in places.items():
        if not place or place.step != 1 or slices[name].stop > tokens.shape[1]:
            raise ValueError(f"window {name!r} is {slices[name]}; expected a part of the {tokens.shape[1]} tokens")
    for base in _bases(seed, _DRAWS):
        found = _indexed(tokens, places, base)
        if found is not None:
            return WindowIndex(base, tokens, found[0], _filter(base, tokens, found[0])), found[1]
    raise ValueError(f"different windows shared hashes under {_DRAWS} bases")


def _bases(seed: int, count: int) -> list[int]:
    return [int(base) | 1 for base in np.random.default_rng(seed).integers(2**32, 2**64, count, dtype=np.uint64)]


def _indexed(
    tokens: np.ndarray, places: Mapping[str, range], base: int
) -> tuple[tuple[Windows, ...], dict[str, tuple[int, np.ndarray]]] | None:
    """What `index_windows` looks for, or None where two different windows have one hash."""
    lengths = sorted({len(place) for place in places.values()})
    windows, numbers = [], {}
    for order, length in enumerate(lengths):
        names = [name for name, place in places.items() if len(place) == length]
        hashed = np.concatenate([_hashes(tokens[:, places[name].start : places[name].stop], base) for name in names])
        hashes, first, number = np.unique(hashed, return_index=True, return_inverse=True)
        which, rows = np.divmod(first, max(1, len(tokens)))
        starts = np.array([places[name].start for name in names], dtype=np.int64)[which]
        windows.append(Windows(length, hashes, rows, starts))
        for name, mine in zip(names, np.split(number, len(names)), strict=True):
            numbers[name] = (order, mine)
            own = np.full(len(mine), places[name].start)
            if not _same(tokens, rows[mine], starts[mine], tokens, np.arange(len(tokens)), own, length).all():
                return None
    return tuple(windows), numbers


def _hashes(windows: np.ndarray, base: int) -> np.ndarray:
    """uint64 [N] of int [N, L]."""
    hashes = np.zeros(len(windows), dtype=np.uint64)
    for column in windows.T[::-1]:
        hashes = hashes * np.uint64(base) + column.astype(np.uint64)
    return hashes


def _same(
    one: np.ndarray,
    one_rows: np.ndarray,
    one_starts: np.ndarray,
    other: np.ndarray,
    other_rows: np.ndarray,
    other_starts: np.ndarray,
    length: int,
) -> np.ndarray:
    """bool [M]: whether M pairs of windows are equal, token by token."""
    equal = np.empty(len(one_rows), dtype=bool)
    offsets = np.arange(length)
    step = max(1, _COMPARED // length)
    for begin in range(0, len(equal), step):
        part = slice(begin, begin + step)
        left = one[one_rows[part, None], one_starts[part, None] + offsets]
        right = other[other_rows[part, None], other_starts[part, None] + offsets]
        equal[part] = (left == right).all(axis=1)
    return equal


def _filter(base: int, tokens: np.ndarray, lengths: Sequence[Windows]) -> np.ndarray:
    """See `WindowIndex.filter`."""
    windows = sum(len(one.hashes) for one in lengths)
    size = max(_LEAST_BITS, (windows * _FILTER_BITS - 1).bit_length())
    bits = np.zeros(1 << (size - 3), dtype=np.uint8)
    for one in lengths:
        for begin in range(0, len(one.hashes), _COMPARED // lengths[0].length + 1):
            part = slice(begin, begin + _COMPARED // lengths[0].length + 1)
            places = one.starts[part, None] + np.arange(lengths[0].length)
            byte, bit = _place(_hashes(tokens[one.rows[part, None], places], base) >> np.uint64(64 - size))
            np.bitwise_or.at(bits, byte, np.uint8(1) << bit)
    return bits


def _place(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n], uint8 [n]: in which byte of a filter the bits of these numbers are, and where in it."""
    return (bits >> np.uint64(3)).view(np.int64), bits.astype(np.uint8) & np.uint8(7)


class Occurrences:
    """Counts windows, and single tokens, in a corpus that is handed over piece by piece.

    Attributes:
        counts: For each length of the index int64 [M], occurrences of its windows, overlapping ones included.
        token_counts: int64 [V], occurrences of each token id; others are not counted.
    """

    def __init__(self, index: WindowIndex, vocab_size: int) -> None:
        """Nothing is counted yet."""
        self.counts = [np.zeros(len(windows.hashes), dtype=np.int64) for windows in index.lengths]
        self.token_counts = np.zeros(vocab_size, dtype=np.int64)
        self._index = index
        self._shortest = index.lengths[0].length
        self._longest = index.lengths[-1].length
        reach = _BLOCK + self._longest
        self._powers = _powers(index.base, reach)
        self._inverses = _powers(pow(index.base, -1, 2**64), reach)
        self._sums = np.zeros(reach + 1, dtype=np.uint64)

    def add(self, tokens: np.ndarray, ends: np.ndarray | Sequence[int]) -> None:
        """Counts what is in some documents.

        Args:
            tokens: int [C], the documents one after the other. No window reaches from one into the next.
            ends: int [D], ascending: where each document ends, exclusive; the last is C.
        """
        self._count_tokens(tokens)
        ends = np.asarray(ends, dtype=np.int64)
        for begin in range(0, len(tokens) - self._shortest + 1, _BLOCK):
            self._count_windows(tokens[begin : begin + _BLOCK + self._longest - 1], ends, begin)

    def _count_tokens(self, tokens: np.ndarray) -> None:
        V = len(self.token_counts)
        if len(tokens) and (tokens.min() < 0 or tokens.max() >= V):
            tokens = tokens[(tokens >= 0) & (tokens < V)]
        self.token_counts += np.bincount(tokens, minlength=V)

    def _count_windows(self, block: np.ndarray, ends: np.ndarray, offset: int) -> None:
        """Counts the windows that begin at the block's first `_BLOCK` places."""
        length = len(block)
        places = min(_BLOCK, length - self._shortest + 1)
        sums, inverses = self._sums[: length + 1], self._inverses
        np.cumsum(block.astype(np.uint64) * self._powers[:length], out=sums[1:])
        hashes = (sums[self._shortest : self._shortest + places] - sums[:places]) * inverses[:places]
        byte, bit = _place(hashes >> self._index.shift)
        hits = np.flatnonzero(self._index.filter.take(byte) >> bit & np.uint8(1))
        if not len(hits):
            return
        ends = ends[np.searchsorted(ends, offset + hits, side="right")] - offset
        for windows, counts in zip(self._index.lengths, self.counts, strict=True):
            begins = hits[hits + windows.length <= ends]
            found = (sums[begins + windows.length] - sums[begins]) * inverses[begins]
            numbers = np.minimum(np.searchsorted(windows.hashes, found), len(windows.hashes) - 1)
            agree = windows.hashes[numbers] == found
            begins, numbers = begins[agree], numbers[agree]
            rows = np.zeros(len(begins), dtype=np.int64)
            wanted = windows.rows[numbers], windows.starts[numbers]
            same = _same(block[None], rows, begins, self._index.tokens, *wanted, windows.length)
            np.add.at(counts, numbers[same], 1)


def _powers(base: int, count: int) -> np.ndarray:
    """uint64 [count]: base ** i modulo 2 ** 64."""
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)
