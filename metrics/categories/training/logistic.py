"""Logistic regression on sparse features, the same to the last printed digit on every machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = 200
_RATE = 0.05


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix of N rows and F columns.

    Attributes:
        rows: int64 [M], the row of each entry.
        columns: int64 [M], its column.
        values: float64 [M].
        shape: N and F.
    """

    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]

    def times(self, weights: np.ndarray) -> np.ndarray:
        """float64 [N]: the matrix times a vector of F weights."""
        return np.bincount(self.rows, weights=weights[self.columns] * self.values, minlength=self.shape[0])

    def transposed_times(self, errors: np.ndarray) -> np.ndarray:
        """float64 [F]: the transposed matrix times a vector of N numbers."""
        return np.bincount(self.columns, weights=errors[self.rows] * self.values, minlength=self.shape[1])


def fit(
    features: Sparse, labels: np.ndarray, l2: float, *, importance: np.ndarray | None = None, positive: bool = False
) -> tuple[float, np.ndarray]:
    """Fits by Adam on all rows at once: 200 steps, the second half with a rate that falls to nothing.

    Sums run in a fixed order (bincount), so what differs between processors is the last bit of an exponential.

    Args:
        features: N rows, F columns.
        labels: [N], 0 or 1.
        l2: Weight of half the squared norm of the weights, the bias left out.
        importance: float [N], how much each row counts; all alike by default.
        positive: Keep all weights but the bias at 0 or above.

    Returns:
        The bias and float64 [F] weights, that minimise the mean cross-entropy plus the penalty.
    """
    count = np.ones(len(labels)) if importance is None else importance
    count = count / count.sum()
    weights = np.zeros(features.shape[1] + 1)  # the bias last
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    penalty = np.full_like(weights, l2)
    penalty[-1] = 0.0
    for step in range(1, _STEPS + 1):
        error = count * (probability(features.times(weights[:-1]) + weights[-1]) - labels)
        gradient = np.append(features.transposed_times(error), np.cumsum(error)[-1]) + penalty * weights
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient * gradient
        rate = _RATE * min(1.0, 2.0 * (1.0 - step / _STEPS))
        weights = weights - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
        if positive:
            weights[:-1] = np.maximum(0.0, weights[:-1])
    return float(weights[-1]), weights[:-1]


def probability(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)), without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -40, 40)))


def balanced(labels: np.ndarray) -> np.ndarray:
    """float [N]: importance that gives both classes the same sum."""
    positive = float(np.mean(labels == 1))
    return np.where(labels == 1, 0.5 / positive, 0.5 / (1.0 - positive))


def f1(said: np.ndarray, labels: np.ndarray) -> float:
    """F1 of the class 1; `said` is bool [N]."""
    hits = float((said & (labels == 1)).sum())
    return 2 * hits / max(1.0, float(said.sum() + (labels == 1).sum()))
