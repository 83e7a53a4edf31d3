"""Windows counted by their hashes, against a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import occurrences
from metrics.occurrences import Occurrences, index_windows

SLICES = {"prefix": slice(0, 3), "suffix": slice(3, 6), "whole": slice(0, 6)}
ONE = {"one": slice(2, 3)}
APART = {"short": slice(4, 6), "long": slice(0, 4)}  # the long ones begin as no short one does
TOKENS = st.integers(0, 2)


def found(rows: np.ndarray, documents: list[list[int]], slices: dict[str, slice] = SLICES) -> dict[str, list[int]]:
    """What the code counts."""
    index, numbers = index_windows(rows, slices)
    counted = Occurrences(index, 3)
    counted.add(
        np.array([token for document in documents for token in document], int), np.cumsum([len(d) for d in documents])
    )
    return {name: counted.counts[order][mine].tolist() for name, (order, mine) in numbers.items()}


def searched(rows: np.ndarray, documents: list[list[int]], slices: dict[str, slice] = SLICES) -> dict[str, list[int]]:
    """What a look at every place counts."""

    def count(window: list[int]) -> int:
        size = len(window)
        return sum(d[at : at + size] == window for d in documents for at in range(len(d) - size + 1))

    return {name: [count(row[part].tolist()) for row in rows] for name, part in slices.items()}


@pytest.mark.parametrize("slices", [SLICES, SLICES | ONE, APART], ids=["of three", "of one", "apart"])
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(TOKENS, min_size=6, max_size=6), min_size=1, max_size=8),
    st.lists(st.lists(TOKENS, max_size=30), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_as_a_search(slices: dict, rows: list[list[int]], documents: list[list[int]], gram: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(occurrences, "_GRAM", gram)
        assert found(np.array(rows), documents, slices) == searched(np.array(rows), documents, slices)


@pytest.mark.parametrize("gram", [1, 2, 3, 16])
@pytest.mark.parametrize("block", [1, 15, 16])
def test_across_blocks(monkeypatch: pytest.MonkeyPatch, block: int, gram: int) -> None:
    monkeypatch.setattr(occurrences, "_BLOCK", block)
    monkeypatch.setattr(occurrences, "_COMPARED", 8)
    monkeypatch.setattr(occurrences, "_GRAM", gram)
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 3, size).tolist() for size in (200, 1, 0, 17, 16, 15, 6, 5, 300)]
    rows = rng.integers(0, 3, (30, 6))
    assert found(rows, documents) == searched(rows, documents)


@pytest.mark.parametrize("length", [1, 8, 32, 64])
def test_filters_pass_few_places_beside_those_of_windows(length: int) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50_000, (1000, length), dtype=np.int32)
    corpus = rng.integers(0, 50_000, 200_000, dtype=np.uint16)
    at = rng.integers(0, len(corpus) - length, 500)
    rows[:500] = corpus[at[:, None] + np.arange(length)]
    index, _ = index_windows(rows, {"whole": slice(0, length)})
    candidates = Occurrences(index, 50_000)._candidates(corpus[: occurrences._BLOCK])
    assert set(at) <= set(candidates.tolist())
    same = np.isin(corpus[candidates], rows[:, 0]).sum() if length == 1 else len(set(at))
    assert len(candidates) - same < len(corpus) / 500
    assert np.unpackbits(index.gram_filter).mean() < 1 / occurrences._GRAM_BITS


def test_tokens_beyond_16_bits_and_negative_ones() -> None:
    rows = np.array([[70_000, 5], [-1, 5], [70_000 - 2**16, 5]])
    index, _ = index_windows(rows, {"whole": slice(0, 2)})
    for dtype in (np.int32, np.int64):
        counted = Occurrences(index, 8)
        counted.add(np.array([70_000, 5, -1, 5, -1, 5, 2**16 + 5], dtype), [7])
        assert sorted(counted.counts[0].tolist()) == [0, 1, 2]


def test_pieces_add_up_and_unknown_tokens_are_no_tokens() -> None:
    index, _ = index_windows(np.array([[1, 2]]), {"whole": slice(0, 2)})
    counted = Occurrences(index, 3)
    for _ in range(2):
        counted.add(np.array([1, 2, -1, 1, 2, 7, 2]), [7])
    assert counted.counts[0].tolist() == [4]
    assert counted.token_counts.tolist() == [0, 4, 6]


def test_what_agrees_in_its_hash_only_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occurrences, "_bases", lambda seed, count: [1])  # a hash that is the sum of the tokens
    index, _ = index_windows(np.array([[1, 5]]), {"whole": slice(0, 2)})
    counted = Occurrences(index, 8)
    counted.add(np.array([5, 1, 5, 2, 4, 3, 3]), [7])
    assert counted.counts[0].tolist() == [1]


def test_windows_that_share_a_hash_get_another_base(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, slices = np.array([[1, 5], [5, 1]]), {"whole": slice(0, 2)}
    monkeypatch.setattr(occurrences, "_bases", lambda seed, count: [1, 3])
    assert index_windows(rows, slices)[0].base == 3
    monkeypatch.setattr(occurrences, "_bases", lambda seed, count: [1])
    with pytest.raises(ValueError, match="shared hashes"):
        index_windows(rows, slices)


@pytest.mark.parametrize("part", [slice(1, 1), slice(0, 3), slice(0, 2, 2)])
def test_slices_that_make_no_sense(part: slice) -> None:
    with pytest.raises(ValueError, match="expected a part of the 2 tokens"):
        index_windows(np.array([[1, 5]]), {"whole": part})
