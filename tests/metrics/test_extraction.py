"""Extraction metrics against hand-computed values and the definition of (n, p)-discoverable extraction."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.batch import ScoredBatch
from metrics.extraction import (
    K_EXTRACTABILITY,
    MEMORIZATION,
    PROBABILISTIC_EXTRACTION,
    RECALL,
    memorization_accuracy,
    memorization_score,
    min_prefix,
    sequence_logprob,
    tries_needed,
)
from metrics.token_scores import TokenScores

# P = 3, S = 2. Row 0 is reproduced from 3 prompt tokens and from 1 but not from 2, row 1 only from 3, row 2
# from none.
TOKENS = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]], dtype=np.int32)


def batch() -> ScoredBatch:
    half, quarter = np.log(0.5), np.log(0.25)
    return ScoredBatch(
        tokens=TOKENS,
        text=["a", "b", "c"],
        prefix_tokens=3,
        k_values=(1, 2, 3),
        scores=TokenScores(
            first_mismatch=np.array([[2, 1, 2], [0, 1, 2], [0, 0, 1]], dtype=np.int32),
            min_margin=np.ones(3, dtype=np.float32),
            logprob=np.array([[-9, -9, 0, 0], [-9, -9, half, quarter], [-9, -9, 0, -np.inf]], dtype=np.float32),
            rank=np.array([[0, 0, 0, 0], [3, 1, 0, 0], [7, 0, 0, 2]], dtype=np.int32),
            topk_logprob=np.array([[0, 0], [0, half], [0, -np.inf]], dtype=np.float32),
            logprob_mean=np.zeros((3, 4), dtype=np.float32),
            logprob_std=np.ones((3, 4), dtype=np.float32),
            greedy_tokens=np.array([[4, 5], [9, 10], [14, 99]], dtype=np.int32),
            extraction_likelihood=np.array([1.0, np.nan, 0.0], dtype=np.float32),
        ),
        decode=lambda rows: [" ".join(map(str, row)) for row in rows],
    )


def test_k_extractability_of_the_longest_prompt_and_of_the_sweep():
    result = K_EXTRACTABILITY.compute(batch())
    assert result["extractable"].tolist() == [True, True, False]
    assert result["first_mismatch"].tolist() == [2, 2, 1]
    assert result["extractable_at_k"].tolist() == [[True, False, True], [False, False, True], [False] * 3]
    assert result["min_prefix_tokens"].tolist() == [1, 3, None]


def test_min_prefix_of_no_rows():
    assert min_prefix(np.zeros((0, 2), dtype=bool), (8, 32)).tolist() == []


def test_memorization_score_counts_positions_after_a_mismatch_too():
    greedy = np.array([[1, 2, 3, 4], [1, 9, 3, 4], [2, 3, 4, 5], [1, 2, 3, 9]])
    suffix = np.tile([1, 2, 3, 4], (4, 1))
    assert memorization_score(greedy, suffix).tolist() == [1.0, 0.75, 0.0, 0.75]


def test_memorization_accuracy_is_over_all_predicted_positions():
    assert memorization_accuracy(np.array([[0, 0, 0, 0], [1, 0, 5, 0], [2, 2, 2, 2]])).tolist() == [1, 0.5, 0]


def test_memorization_columns():
    result = MEMORIZATION.compute(batch()) | RECALL.compute(batch())
    assert result["memorization_score"].tolist() == [1.0, 1.0, 0.5]
    assert result["memorization_accuracy"].tolist() == [1.0, 0.5, 0.5]
    np.testing.assert_array_equal(result["el_10"], [1.0, np.nan, 0.0])


def test_probability_of_the_suffix_takes_the_last_s_positions_only():
    result = PROBABILISTIC_EXTRACTION.compute(batch())
    # Row 1: 1/2 x 1/4 at temperature 1, 1 x 1/2 under top-k. Row 2 holds a token of probability 0.
    np.testing.assert_allclose(result["log_p_z"], [0, np.log(1 / 8), -np.inf], rtol=1e-6)
    np.testing.assert_allclose(result["log_p_z_top_40"], [0, np.log(1 / 2), -np.inf], rtol=1e-6)
    # 1 - (7/8)^n reaches 0.5 at n = 6 (0.551; 0.487 at 5), 0.9 at n = 18 (0.910; 0.897 at 17).
    assert result["n_p50"].tolist() == [1, 6, np.inf]
    assert result["n_p90"].tolist() == [1, 18, np.inf]
    # 1 - (1/2)^n reaches 0.9 at n = 4 (0.9375; 0.875 at 3).
    assert result["n_p50_top_40"].tolist()[::2] == [1, np.inf]
    assert result["n_p90_top_40"].tolist() == [1, 4, np.inf]
    assert all(values.dtype == np.float64 for values in result.values())


def test_sequence_logprob_is_summed_in_float64_and_never_positive():
    float32_third = np.float32(-1 / 3)
    row = np.full((1, 1000), float32_third)
    assert sequence_logprob(row)[0] == pytest.approx(1000 * float(float32_third), rel=1e-12)
    assert sequence_logprob(np.full((1, 3), 1e-7, dtype=np.float32)).tolist() == [0.0]


def test_sequence_logprob_of_a_suffix_of_one_token():
    assert sequence_logprob(np.array([[-0.25]])).tolist() == [-0.25]


@pytest.mark.parametrize(
    ("p_z", "p", "tries"),
    [
        (1.0, 0.9, 1),
        (0.5, 0.5, 1),  # exactly one try; a rounding error must not make it two
        (0.9, 0.9, 1),
        (0.9, 0.99, 2),
        (0.75, 0.9375, 2),
        (0.01, 0.5, 69),
        (0.01, 0.9, 230),
        (0.0, 0.5, np.inf),
    ],
)
def test_tries_needed(p_z: float, p: float, tries: float):
    log_p_z = np.log(p_z) if p_z > 0 else -np.inf
    assert tries_needed(np.array([log_p_z]), p).tolist() == [tries]


def test_tries_needed_for_a_vanishing_probability_keeps_its_digits():
    # 1 - exp(-600) is 1 in float64; the number of tries is ln 2 x e^600 all the same.
    assert tries_needed(np.array([-600.0]), 0.5)[0] == pytest.approx(np.log(2) * np.exp(600.0), rel=1e-12)
    assert tries_needed(np.array([-800.0]), 0.5)[0] == np.inf  # beyond float64


def test_tries_needed_next_to_certainty():
    assert tries_needed(np.array([-1e-300, -1e-12]), 0.9).tolist() == [1, 1]
    # 1 - p_z = 1e-12 (to first order): two tries reach 1 - 1e-24, one does not reach 1 - 1e-13.
    assert tries_needed(np.array([-1e-12]), 1 - 1e-13).tolist() == [2]


def test_tries_needed_of_an_unknown_probability_is_unknown():
    assert np.isnan(tries_needed(np.array([np.nan]), 0.5)).all()


@given(st.integers(1, 999), st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(99, 100)]))
def test_tries_needed_is_the_smallest_n_that_reaches_p(thousandths: int, p: Fraction):
    p_z = Fraction(thousandths, 1000)
    n = int(tries_needed(np.array([np.log(float(p_z))]), float(p))[0])
    assert 1 - (1 - p_z) ** n >= p
    assert n == 1 or 1 - (1 - p_z) ** (n - 1) < p


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.5])
def test_tries_needed_refuses_a_probability_that_is_certain_or_none(p: float):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        tries_needed(np.array([-1.0]), p)
