"""How often given windows of tokens occur in a corpus, exactly: hashes find candidates, tokens decide.

The places of a corpus are looked at in groups of s, so that most of the work is done once a group. The shortest window
has L tokens, a gram q, and s - 1 + q <= L: every window that begins in a group contains the gram that begins at the
group's last place. That gram is looked up in a filter, which holds the grams at the first s places of all windows. In
the few groups that pass, every place is looked up in a second filter, which holds the first L tokens of all windows;
what passes that is looked up by its hash, in every length; and what agrees there is compared token by token.

The hash of the window of length L at place i is sum_j x[i + j] b^(j + 1) modulo 2^64, that of a gram modulo 2^32. The
base b is drawn anew until no two different windows of the list have one hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_BLOCK = 1 << 18  # places looked at together: few enough for a core's cache, many enough for numpy
_GRAM = 16  # tokens of a gram, and places of a group, at most
_GRAM_BITS = 16  # for each gram in its filter; fewer than 1 group in 16 of a corpus passes it by chance
_WINDOW_BITS = 64  # for each window; fewer than 1 place in 64 of such a group passes it by chance
_LEAST_BITS = 16  # of a hash that choose its bit in a filter
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

    A filter is bits packed into uint8 [2^b / 8]: whether something has a hash that begins with these b bits.

    Attributes:
        base: b of the hash.
        tokens: int32 [N, T], the rows that the windows are slices of.
        lengths: The windows by length, the shortest first.
        gram_filter: Of the grams that begin at the first places of a window.
        window_filter: Of the first `lengths[0].length` tokens of a window.
    """

    base: int
    tokens: np.ndarray
    lengths: tuple[Windows, ...]
    gram_filter: np.ndarray
    window_filter: np.ndarray


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
            return WindowIndex(base, tokens, found[0], *_filters(base, tokens, found[0])), found[1]
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


def _hashes(windows: np.ndarray, base: int, dtype: type[np.unsignedinteger] = np.uint64) -> np.ndarray:
    """`dtype` [N] of int [N, L], modulo what it holds."""
    hashes = np.zeros(len(windows), dtype)
    base = dtype(base & np.iinfo(dtype).max)
    for column in windows.T[::-1]:
        hashes += column.astype(dtype, copy=False)
        hashes *= base
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
    for part in _parts(len(equal), length):
        left = one[one_rows[part, None], one_starts[part, None] + offsets]
        right = other[other_rows[part, None], other_starts[part, None] + offsets]
        equal[part] = (left == right).all(axis=1)
    return equal


def _filters(base: int, tokens: np.ndarray, lengths: Sequence[Windows]) -> tuple[np.ndarray, np.ndarray]:
    """`gram_filter` and `window_filter` of the index."""
    shortest = lengths[0].length
    gram, group = _gram_and_group(shortest)
    rows, starts = _beginnings(base, tokens, lengths)
    grams, windows = _no_bits(len(rows) * group * _GRAM_BITS, 32), _no_bits(len(rows) * _WINDOW_BITS, 64)
    for part in _parts(len(rows), shortest):
        begun = np.asfortranarray(tokens[rows[part, None], starts[part, None] + np.arange(shortest)])
        _set_bits(windows, _hashes(begun, base))
        for place in range(group):
            _set_bits(grams, _hashes(begun[:, place : place + gram], base, np.uint32))
    return grams, windows


def _beginnings(base: int, tokens: np.ndarray, lengths: Sequence[Windows]) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n] each: rows and places where windows begin, less the longer ones that begin as one of the shortest."""
    shortest = lengths[0]
    rows, starts = [shortest.rows], [shortest.starts]
    for one in lengths[1:]:
        new = np.zeros(len(one.rows), dtype=bool)
        for part in _parts(len(one.rows), shortest.length):
            begun = tokens[one.rows[part, None], one.starts[part, None] + np.arange(shortest.length)]
            new[part] = ~_looked_up(_hashes(begun, base), shortest.hashes)[1]
        rows.append(one.rows[new])
        starts.append(one.starts[new])
    return np.concatenate(rows), np.concatenate(starts)


def _looked_up(hashes: np.ndarray, ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n], bool [n]: where hashes would be in a list, and whether they are there."""
    numbers = np.minimum(np.searchsorted(ascending, hashes), len(ascending) - 1)
    return numbers, ascending[numbers] == hashes


def _gram_and_group(shortest: int) -> tuple[int, int]:
    """Tokens of a gram and places of a group, for windows of at least so many tokens."""
    gram = min(_GRAM, shortest)
    return gram, min(_GRAM, shortest - gram + 1)


def _parts(count: int, tokens: int) -> Iterator[slice]:
    """Slices of so many rows with so many tokens each."""
    step = max(1, _COMPARED // tokens)
    return (slice(begin, begin + step) for begin in range(0, count, step))


def _no_bits(wanted: int, most: int) -> np.ndarray:
    """An empty filter of at least `wanted` bits, of which hashes of `most` bits can choose one."""
    size = min(most, max(_LEAST_BITS, (wanted - 1).bit_length()))
    return np.zeros(1 << (size - 3), dtype=np.uint8)


def _set_bits(bits: np.ndarray, hashes: np.ndarray) -> None:
    byte, bit = _place(bits, hashes)
    np.bitwise_or.at(bits, byte, np.uint8(1) << bit)


def _passing(bits: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """int64 [n]: which hashes a filter lets pass."""
    byte, bit = _place(bits, hashes)
    return np.flatnonzero(bits.take(byte, mode="clip") >> bit & np.uint8(1))


def _place(bits: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n], uint8 [n]: in which byte of a filter the bits of these hashes are, and where in it."""
    number = hashes >> hashes.dtype.type(8 * hashes.itemsize - (8 * len(bits)).bit_length() + 1)
    return (number >> number.dtype.type(3)).astype(np.int64), number.astype(np.uint8) & np.uint8(7)


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
        self._gram, self._group = _gram_and_group(self._shortest)
        self._block = max(1, _BLOCK // self._group) * self._group
        reach = self._group + self._shortest - 1
        self._powers = _powers(index.base, reach)
        self._inverses = _powers(pow(index.base, -1, 2**64), self._group) * np.uint64(index.base)

    def add(self, tokens: np.ndarray, ends: np.ndarray | Sequence[int]) -> None:
        """Counts what is in some documents.

        Args:
            tokens: int [C], the documents one after the other. No window reaches from one into the next.
            ends: int [D], ascending: where each document ends, exclusive; the last is C.
        """
        ends = np.asarray(ends, dtype=np.int64)
        for begin in range(0, len(tokens), self._block):
            self._count_tokens(tokens[begin : begin + self._block])
            self._count_windows(tokens[begin : begin + self._block + self._longest - 1], ends, begin)

    def _count_tokens(self, tokens: np.ndarray) -> None:
        V = len(self.token_counts)
        if tokens.min() < 0 or tokens.max() >= V:
            tokens = tokens[(tokens >= 0) & (tokens < V)]
        self.token_counts += np.bincount(tokens, minlength=V)

    def _count_windows(self, block: np.ndarray, ends: np.ndarray, offset: int) -> None:
        """Counts the windows that begin at the block's first `_block` places."""
        begins = self._candidates(block)
        if not len(begins):
            return
        room = ends[np.searchsorted(ends, offset + begins, side="right")] - offset - begins
        for windows, counts in zip(self._index.lengths, self.counts, strict=True):
            inside = begins[room >= windows.length]
            for part in _parts(len(inside), windows.length):
                self._compare(block[inside[part, None] + np.arange(windows.length)], windows, counts)

    def _candidates(self, block: np.ndarray) -> np.ndarray:
        """int64 [n], ascending: the places that pass both filters."""
        gram, group, shortest = self._gram, self._group, self._shortest
        if len(block) < shortest:
            return np.zeros(0, np.int64)
        last_places = block[group - 1 :].astype(np.uint32)
        grams = sliding_window_view(last_places, gram)[: self._block : group]
        groups = _passing(self._index.gram_filter, _hashes(grams, self._index.base, np.uint32)) * group
        passed = [np.zeros(0, np.int64)]
        for part in _parts(len(groups), group + shortest - 1):
            reach = groups[part, None] + np.arange(group + shortest - 1)
            tokens = block.take(reach, mode="clip").astype(np.uint64)  # beyond the block no window begins
            sums = np.cumsum(tokens * self._powers, axis=1)
            hashes = sums[:, shortest - 1 :].copy()
            hashes[:, 1:] -= sums[:, : group - 1]
            hashes *= self._inverses
            group_of, place = np.divmod(_passing(self._index.window_filter, hashes.reshape(-1)), group)
            passed.append(groups[part][group_of] + place)
        return np.concatenate(passed)

    def _compare(self, found: np.ndarray, windows: Windows, counts: np.ndarray) -> None:
        """Counts those of the places' tokens, int [n, L], that are a window."""
        hashes = _hashes(found, self._index.base)
        numbers, agree = _looked_up(hashes, windows.hashes)
        numbers = numbers[agree]
        columns = windows.starts[numbers, None] + np.arange(windows.length)
        same = (found[agree] == self._index.tokens[windows.rows[numbers, None], columns]).all(axis=1)
        np.add.at(counts, numbers[same], 1)


def _powers(base: int, count: int) -> np.ndarray:
    """uint64 [count]: base ** (i + 1) modulo 2 ** 64."""
    return np.cumprod(np.full(count, base, dtype=np.uint64), dtype=np.uint64)
