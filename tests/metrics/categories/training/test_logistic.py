"""Logistic regression on sparse features, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from metrics.categories.training.logistic import Sparse, balanced, f1, fit, probability


def test_one_feature_reaches_the_odds() -> None:
    # With the feature 3 of 4 are positive, without it 1 of 4: bias ln(1/3), weight ln 3 - ln(1/3).
    labels = np.array([1, 1, 1, 0, 1, 0, 0, 0])
    features = Sparse(np.arange(4), np.zeros(4, dtype=np.int64), np.ones(4), (8, 1))
    bias, weights = fit(features, labels, 0.0)
    assert bias == pytest.approx(math.log(1 / 3), abs=0.01)
    assert weights[0] == pytest.approx(2 * math.log(3), abs=0.01)


def test_the_gradient_vanishes_at_the_solution() -> None:
    source = np.random.default_rng(2)
    dense = source.random((60, 3)) * (source.random((60, 3)) < 0.7)
    labels = (dense @ [3.0, -2.0, 0.5] + source.normal(size=60) > 0.4).astype(int)
    rows, columns = np.nonzero(dense)
    bias, weights = fit(Sparse(rows, columns, dense[rows, columns], (60, 3)), labels, 0.01)
    error = (probability(dense @ weights + bias) - labels) / 60
    np.testing.assert_allclose(dense.T @ error + 0.01 * weights, 0, atol=2e-4)
    assert abs(error.sum()) < 2e-4


def test_positive_keeps_weights_at_zero_or_above() -> None:
    features = Sparse(np.arange(4), np.array([0, 0, 1, 1]), np.ones(4), (4, 2))
    _, weights = fit(features, np.array([0, 0, 1, 1]), 0.01, positive=True)
    assert weights[0] == 0
    assert weights[1] > 0


def test_balanced_and_f1() -> None:
    labels = np.array([1, 0, 0, 0])
    np.testing.assert_allclose(balanced(labels), [2, 2 / 3, 2 / 3, 2 / 3])
    assert f1(np.array([True, True, False, False]), labels) == pytest.approx(2 / 3)  # precision 1/2, recall 1
