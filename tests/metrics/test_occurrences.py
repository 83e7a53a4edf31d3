"""Windows counted by their hashes, against a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import occurrences
from metrics.occurrences import Occurrences, index_windows

SLICES = {"prefix": slice(0, 3), "suffix": slice(3, 6), "whole": slice(0, 6), "one": slice(2, 3)}
TOKENS = st.integers(0, 2)


def found(rows: np.ndarray, documents: list[list[int]]) -> dict[str, list[int]]:
    """What the code counts."""
    index, numbers = index_windows(rows, SLICES)
    counted = Occurrences(index, 3)
    counted.add(
        np.array([token for document in documents for token in document], int), np.cumsum([len(d) for d in documents])
    )
    return {name: counted.counts[order][mine].tolist() for name, (order, mine) in numbers.items()}


def searched(rows: np.ndarray, documents: list[list[int]]) -> dict[str, list[int]]:
    """What a look at every place counts."""

    def count(window: list[int]) -> int:
        size = len(window)
        return sum(d[at : at + size] == window for d in documents for at in range(len(d) - size + 1))

    return {name: [count(row[part].tolist()) for row in rows] for name, part in SLICES.items()}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(TOKENS, min_size=6, max_size=6), min_size=1, max_size=8),
    st.lists(st.lists(TOKENS, max_size=30), min_size=1, max_size=12),
)
def test_as_a_search(rows: list[list[int]], documents: list[list[int]]) -> None:
    assert found(np.array(rows), documents) == searched(np.array(rows), documents)


def test_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occurrences, "_BLOCK", 16)
    monkeypatch.setattr(occurrences, "_COMPARED", 8)
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 3, size).tolist() for size in (200, 1, 0, 17, 16, 15, 6, 5, 300)]
    rows = rng.integers(0, 3, (30, 6))
    assert found(rows, documents) == searched(rows, documents)


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
