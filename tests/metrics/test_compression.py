"""Huffman code length against a textbook tree, the entropy bound, and a code book written out."""

from __future__ import annotations

import heapq
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metrics.compression import _ABSENT, huffman_code_length, token_multiplicities

ROWS = hnp.arrays(np.int32, st.tuples(st.integers(0, 4), st.integers(1, 70)), elements=st.integers(0, 12))


def textbook_code_lengths(symbols: list[int]) -> dict[int, int]:
    """Length of each symbol's codeword, from a tree built with a heap."""
    heap = [(count, i, {symbol: 0}) for i, (symbol, count) in enumerate(Counter(symbols).items())]
    heapq.heapify(heap)
    while len(heap) > 1:
        count_a, _, a = heapq.heappop(heap)
        count_b, tie, b = heapq.heappop(heap)
        deeper = {symbol: depth + 1 for symbol, depth in {**a, **b}.items()}
        heapq.heappush(heap, (count_a + count_b, tie, deeper))
    return heap[0][2]


def test_a_code_book_by_hand():
    # Counts 5, 2, 1, 1 -> codewords 0, 10, 110, 111: 5 + 4 + 3 + 3 = 15 bits for 9 tokens.
    assert huffman_code_length(np.array([[7] * 5 + [8] * 2 + [9, 4]])).tolist() == [15 / 9]
    # Eight different tokens: 3 bits each.
    assert huffman_code_length(np.arange(8)[None, :]).tolist() == [3.0]


def test_one_repeated_token_needs_no_bits():
    assert huffman_code_length(np.full((2, 64), 3)).tolist() == [0.0, 0.0]
    assert huffman_code_length(np.array([[3]])).tolist() == [0.0]


def test_no_rows():
    assert huffman_code_length(np.zeros((0, 64), dtype=np.int32)).shape == (0,)


def test_rows_do_not_depend_on_their_neighbours():
    rows = np.stack([np.full(64, 1), np.arange(64), np.arange(64) % 5])
    assert huffman_code_length(rows).tolist() == [huffman_code_length(row[None])[0] for row in rows]


def test_multiplicities():
    expected = [[1, 1, 2, _ABSENT], [4, _ABSENT, _ABSENT, _ABSENT]]
    assert token_multiplicities(np.array([[5, 9, 5, 7], [2, 2, 2, 2]])).tolist() == expected


@given(ROWS)
def test_equals_the_textbook_tree(rows: np.ndarray):
    for row, length in zip(rows.tolist(), huffman_code_length(rows), strict=True):
        lengths = textbook_code_lengths(row)
        assert length == sum(lengths[symbol] for symbol in row) / len(row)


@given(ROWS)
def test_lies_within_one_bit_of_the_entropy(rows: np.ndarray):
    for row, length in zip(rows.tolist(), huffman_code_length(rows), strict=True):
        shares = np.array(list(Counter(row).values())) / len(row)
        entropy = -np.sum(shares * np.log2(shares))
        assert entropy - 1e-9 <= length < entropy + 1


@pytest.mark.parametrize("T", [1, 2, 3, 64, 65])
def test_the_stated_range_is_reached_by_distinct_tokens_only(T: int):
    distinct = huffman_code_length(np.arange(T)[None, :])[0]
    assert np.log2(T) <= distinct <= np.ceil(np.log2(T))
