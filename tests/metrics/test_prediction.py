"""The figures of predicted probabilities, by hand and by counting pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metrics.membership import auroc
from metrics.prediction import (
    bins_of,
    brier,
    calibration_error,
    compared,
    figures,
    log_loss,
    ranking,
    reliability,
)


def test_ranking_by_hand() -> None:
    probability = np.array([0.9, 0.7, 0.7, 0.4, 0.1])
    outcome = np.array([True, True, False, False, True])
    # Pairs (positive, negative): .9 wins twice, .7 wins once and ties once, .1 loses twice: 3.5 of 6.
    # Thresholds: .9 gives R 1/3, P 1; .7 gives R 2/3, P 2/3; .1 gives R 1, P 3/5.
    area, average_precision = ranking(probability, outcome)
    assert area == pytest.approx(3.5 / 6)
    assert average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


def test_ranking_is_the_auroc_of_membership() -> None:
    random = np.random.default_rng(0)
    score, outcome = random.integers(0, 30, 500) / 30, random.random(500) < 0.3
    assert ranking(score, outcome)[0] == pytest.approx(auroc(score, outcome), abs=1e-12)


def test_weights_count_as_copies() -> None:
    random = np.random.default_rng(1)
    probability, outcome = random.integers(1, 20, 300) / 20, random.random(300) < 0.4
    copies = random.integers(0, 4, 300)
    places = bins_of(probability)
    weighted = figures(probability, outcome, copies.astype(float), places)
    repeated = figures(np.repeat(probability, copies), np.repeat(outcome, copies), None, np.repeat(places, copies))
    assert weighted == pytest.approx(repeated)


def test_one_outcome_has_no_ranking() -> None:
    assert all(map(math.isnan, ranking(np.array([0.1, 0.2]), np.array([True, True]))))
    assert all(map(math.isnan, ranking(np.array([0.1, 0.2]), np.array([True, False]), np.array([1.0, 0.0]))))


def test_losses_by_hand() -> None:
    probability, outcome = np.array([0.5, 0.25, 1.0]), np.array([True, False, True])
    assert log_loss(probability, outcome) == pytest.approx((math.log(2) + math.log(4 / 3)) / 3)
    assert brier(probability, outcome) == pytest.approx((0.25 + 0.0625) / 3)
    assert log_loss(np.array([0.0]), np.array([True])) == pytest.approx(12 * math.log(10))  # not infinite


def test_calibration_error_by_hand() -> None:
    probability = np.array([0.1, 0.3, 0.6, 0.8])
    outcome = np.array([False, False, True, True])
    # Two bins: |0.2 - 0| and |0.7 - 1|, half of the rows each.
    assert calibration_error(probability, outcome, None, np.array([0, 0, 1, 1])) == pytest.approx(0.25)


def test_bins_hold_equally_many_and_never_part_equals() -> None:
    probability = np.random.default_rng(2).permutation(np.linspace(0.001, 1, 1000))
    assert np.bincount(bins_of(probability)).tolist() == [100] * 10
    same = bins_of(np.r_[np.zeros(95), np.linspace(0.5, 1, 5)])
    assert set(same[:95]) == {0}
    assert bins_of(np.empty(0)).shape == (0,)
    assert bins_of(np.full(7, 0.3)).tolist() == [0] * 7


def test_calibrated_predictions_have_little_calibration_error() -> None:
    random = np.random.default_rng(3)
    probability = random.random(20_000)
    outcome = random.random(20_000) < probability
    assert calibration_error(probability, outcome) < 0.02  # noise: about sqrt(.17 / 2,000) = .009
    assert calibration_error(np.clip(2 * probability - 0.5, 0, 1), outcome) > 0.1


def test_reliability_by_hand() -> None:
    assert reliability(np.full(4, 0.25), np.array([True, False, False, False])) == [
        {"rows": 4, "positives": 1, "probability": 0.25}
    ]


def test_compared_has_the_values_and_paired_differences() -> None:
    random = np.random.default_rng(4)
    outcome = random.random(600) < 0.5
    good = np.clip(0.5 + 0.35 * np.where(outcome, 1, -1) + random.normal(0, 0.1, 600), 0.01, 0.99)
    predictions = {"coin": np.full(600, 0.5), "good": good, "the same": good}
    result = compared(predictions, outcome, np.arange(600), "good", draws=100)
    assert result["good"]["brier"]["value"] == brier(good, outcome)
    assert result["coin"]["brier"]["value"] == 0.25
    assert result["coin"]["brier"]["difference_low"] > 0.1
    same = result["the same"]["auroc"]
    assert same["difference_value"] == same["difference_low"] == same["difference_high"] == 0
    assert result["good"]["log_loss"]["low"] < result["good"]["log_loss"]["value"] < result["good"]["log_loss"]["high"]


def test_intervals_are_over_groups_not_rows() -> None:
    """A hundred copies of each row must not make the interval ten times narrower."""
    random = np.random.default_rng(5)
    outcome, probability = random.random(80) < 0.5, random.random(80)
    alone = compared({"p": probability}, outcome, np.arange(80), "p")["p"]["brier"]
    copied = compared({"p": np.repeat(probability, 100)}, np.repeat(outcome, 100), np.repeat(np.arange(80), 100), "p")
    copied = copied["p"]["brier"]
    assert copied["value"] == pytest.approx(alone["value"])
    assert copied["high"] - copied["low"] == pytest.approx(alone["high"] - alone["low"])
