"""distinct-n against counting by hand."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

import metrics.diversity
from metrics.diversity import distinct_n, unique_ngrams


def test_by_hand() -> None:
    rows = np.array([[1, 2, 1, 2], [1, 2, 3, 3]])
    assert distinct_n(rows, 1) == 3 / 8  # 1 2 3
    assert distinct_n(rows, 2) == 4 / 6  # 12 21 23 33; nothing reaches from one row into the next (2 1 would)
    assert distinct_n(rows, 3) == 4 / 4  # 121 212 123 233


def test_saying_the_same_everywhere_is_one_over_the_rows() -> None:
    rows = np.tile(np.arange(6), (5, 1))
    assert [distinct_n(rows, n) for n in (1, 2, 3)] == [1 / 5] * 3


def test_too_short_for_an_ngram() -> None:
    assert math.isnan(distinct_n(np.ones((4, 2), int), 3))
    assert math.isnan(distinct_n(np.ones((0, 5), int), 2))
    assert unique_ngrams(np.ones((4, 2), int), 3).shape == (0, 3)
    assert unique_ngrams(np.ones((0, 5), int), 3).shape == (0, 3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_equals_a_set_of_tuples(n: int) -> None:
    rows = np.random.default_rng(n).integers(0, 6, (40, 16))
    grams = [tuple(row[i : i + n]) for row in rows.tolist() for i in range(16 - n + 1)]
    assert distinct_n(rows, n) == len(set(grams)) / len(grams)
    assert {tuple(gram) for gram in unique_ngrams(rows, n).tolist()} == set(grams)


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(metrics.diversity).failed == 0
