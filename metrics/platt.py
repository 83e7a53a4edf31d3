"""Platt scaling: scores -> probabilities that mean what they say, by a logistic curve with two parameters.

Two parameters can be fitted on a hundred rows, keep the order of the scores, and follow a score beyond those seen;
isotonic regression needs thousands of rows and predicts 0 and 1 at its ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROUNDS = 100
_CONVERGED = 1e-10


@dataclass(frozen=True)
class Platt:
    """p = 1 / (1 + exp(-(slope score + intercept))).

    Attributes:
        slope: Below 1 where scores taken for log-odds were too sure.
        intercept: In nats of log-odds.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def probability(self, score: np.ndarray) -> np.ndarray:
        """Probabilities in [0, 1] of scores, both float [N]."""
        return sigmoid(self.slope * score + self.intercept)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(log_odds))
    return np.where(log_odds >= 0, 1.0, small) / (1.0 + small)


def fit_platt(score: np.ndarray, outcome: np.ndarray) -> Platt:
    """The curve of least log loss against smoothed outcomes, by Newton's method.

    A positive counts as (P + 1) / (P + 2) and a negative as 1 / (N + 2), with P positives and N negatives: without
    that, scores which separate the two would have an infinite slope. Platt 1999, Probabilistic Outputs for Support
    Vector Machines; with the step halving of Lin, Lin and Weng 2007, A Note on Platt's Probabilistic Outputs.

    Args:
        score: float [N], log-odds.
        outcome: bool [N].

    Returns:
        The curve; a constant one where all scores are the same.
    """
    positives = int(outcome.sum())
    target = np.where(outcome, (positives + 1) / (positives + 2), 1 / (len(outcome) - positives + 2))
    centre, spread = float(score.mean()), float(score.std())
    design = np.column_stack([(score - centre) / (spread or 1.0), np.ones(len(score))])
    weights = np.zeros(2)
    loss = _loss(design @ weights, target)
    for _ in range(_ROUNDS):
        probability = sigmoid(design @ weights)
        slope = design.T @ (probability - target)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        length = 1.0
        while (better := _loss(design @ (weights - length * step), target)) > loss and length > 1e-8:
            length /= 2
        if better >= loss - _CONVERGED:
            break
        weights, loss = weights - length * step, better
    slope = weights[0] / (spread or 1.0)
    return Platt(float(slope), float(weights[1] - slope * centre))


def _loss(log_odds: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0.0, log_odds) - target * log_odds))
