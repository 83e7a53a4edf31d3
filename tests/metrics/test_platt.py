"""Platt scaling gives known curves back."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.platt import Platt, fit_platt, sigmoid


def test_a_known_curve_comes_back() -> None:
    random = np.random.default_rng(0)
    score = random.normal(3, 2, 40_000)
    outcome = random.random(40_000) < sigmoid(0.5 * score - 1)
    curve = fit_platt(score, outcome)
    assert curve.slope == pytest.approx(0.5, abs=0.03)  # standard error .008
    assert curve.intercept == pytest.approx(-1, abs=0.09)


def test_the_mean_probability_is_the_share_of_smoothed_outcomes() -> None:
    """What the first-order condition of the intercept says."""
    random = np.random.default_rng(1)
    score, outcome = random.normal(size=200) * 8, random.random(200) < 0.2
    positives = outcome.sum()
    smoothed = np.where(outcome, (positives + 1) / (positives + 2), 1 / (200 - positives + 2))
    assert fit_platt(score, outcome).probability(score).mean() == pytest.approx(smoothed.mean(), abs=1e-4)


def test_separable_scores_keep_a_finite_slope() -> None:
    score = np.r_[np.full(50, -500.0), np.full(50, 500.0)]
    curve = fit_platt(score, score > 0)
    # With 50 rows a side the smoothed outcomes are 1/52 and 51/52.
    assert curve.probability(score)[[0, -1]] == pytest.approx([1 / 52, 51 / 52], abs=1e-4)


def test_equal_scores_give_the_share() -> None:
    curve = fit_platt(np.full(30, 4.0), np.arange(30) < 10)
    target = (10 * 11 / 12 + 20 * 1 / 22) / 30
    assert curve.probability(np.array([4.0]))[0] == pytest.approx(target, abs=1e-6)


def test_order_is_kept_and_nothing_overflows() -> None:
    curve = Platt(0.7, -2.0)
    probability = curve.probability(np.array([-1e6, -3.0, 0.0, 3.0, 1e6]))
    assert (np.diff(probability) > 0).all()
    assert probability[0] == 0 and probability[-1] == 1
