"""Perplexities by hand."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.likelihood import PERPLEXITY, SUFFIX_PERPLEXITY, mean_nll, perplexity
from metrics.token_scores import TokenScores


def batch(logprob: np.ndarray, prefix_tokens: int) -> ScoredBatch:
    N, positions = logprob.shape
    return ScoredBatch(
        tokens=np.zeros((N, positions + 1), dtype=np.int32),
        text=[""] * N,
        prefix_tokens=prefix_tokens,
        k_values=(prefix_tokens,),
        scores=TokenScores(
            first_mismatch=np.zeros((N, 1), dtype=np.int32),
            min_margin=np.ones(N, dtype=np.float32),
            logprob=logprob,
        ),
        decode=lambda rows: [""] * len(rows),
    )


def perplexities(scored: ScoredBatch) -> dict[str, np.ndarray]:
    return SUFFIX_PERPLEXITY.compute(scored) | PERPLEXITY.compute(scored)


def test_each_part_is_averaged_over_its_own_positions():
    # T = 5, P = 3: positions 2, 3 are the prompt's, 4, 5 the suffix's.
    logprob = np.log(np.array([[1 / 2, 1 / 8, 1 / 16, 1 / 4]]))
    result = perplexities(batch(logprob, prefix_tokens=3))
    np.testing.assert_allclose(result["perplexity_prefix"], [4.0])  # (2 x 8) ^ (1/2)
    np.testing.assert_allclose(result["perplexity_suffix"], [8.0])  # (16 x 4) ^ (1/2)
    np.testing.assert_allclose(result["perplexity_sequence"], [2**2.5])  # 2^(1+3+4+2) ^ (1/4)


def test_a_prompt_of_one_token_has_no_perplexity():
    result = perplexities(batch(np.log(np.array([[0.5, 0.5]])), prefix_tokens=1))
    assert np.isnan(result["perplexity_prefix"]).all()
    np.testing.assert_allclose(result["perplexity_suffix"], [2.0])


def test_a_suffix_of_one_token():
    result = perplexities(batch(np.log(np.array([[0.5, 0.125]])), prefix_tokens=2))
    np.testing.assert_allclose(result["perplexity_prefix"], [2.0])
    np.testing.assert_allclose(result["perplexity_suffix"], [8.0])


def test_an_impossible_token_makes_it_infinite():
    assert perplexity(np.array([[-1.0, -np.inf]])).tolist() == [np.inf]
    assert perplexity(np.full((1, 3), -np.inf)).tolist() == [np.inf]
    assert perplexity(np.full((1, 2), -1000.0)).tolist() == [np.inf]


def test_rounding_above_certainty_is_cut():
    assert perplexity(np.array([[1e-7, 1e-7]], dtype=np.float32)).tolist() == [1.0]


def test_mean_is_taken_in_float64():
    row = np.full((1, 4096), np.float32(0.1), dtype=np.float32)
    assert mean_nll(-row)[0] == float(np.float32(0.1))


def test_an_unknown_probability_stays_unknown():
    assert np.isnan(perplexity(np.array([[-1.0, np.nan]]))).all()
