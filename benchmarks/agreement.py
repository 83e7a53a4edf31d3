"""How well given answers agree with true ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.intervals import wilson_interval

FOLDS = 5
DRAWS = 1000


@dataclass(frozen=True)
class Agreement:
    """Precision, recall and F1 in [0, 1] with 95 % intervals; 0 where they are not defined.

    Attributes:
        positives: Rows whose true answer is yes.
    """

    positives: int
    precision: float
    recall: float
    f1: float
    precision_interval: tuple[float, float]
    recall_interval: tuple[float, float]
    f1_interval: tuple[float, float]


def f1(hits: np.ndarray, said: np.ndarray, true: np.ndarray) -> np.ndarray:
    """2 hits / (said + true), 0 where nothing was said and nothing is true."""
    return 2 * hits / np.maximum(1, said + true)


def agreement(truth: np.ndarray, said: np.ndarray, groups: np.ndarray | None = None) -> Agreement:
    """How well N answers agree with the truth.

    Args:
        truth: bool [N].
        said: bool [N].
        groups: int [N]; the bootstrap of F1 draws rows of one group together, since copies are one observation.
    """
    hits, given, true = int((truth & said).sum()), int(said.sum()), int(truth.sum())
    _, inverse = np.unique(np.arange(len(truth)) if groups is None else groups, return_inverse=True)
    sums = np.stack([np.bincount(inverse, weights) for weights in (truth & said, said, truth)]) if len(truth) else None
    bounds = (0.0, 0.0)
    if sums is not None:
        number = sums.shape[1]
        drawn = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), DRAWS)
        low, high = np.percentile(f1(*(sums @ drawn.T)), [2.5, 97.5])
        bounds = (float(low), float(high))
    return Agreement(
        positives=true,
        precision=hits / max(1, given),
        recall=hits / max(1, true),
        f1=float(f1(np.array(hits), np.array(given), np.array(true))),
        precision_interval=wilson_interval(hits, given),
        recall_interval=wilson_interval(hits, true),
        f1_interval=bounds,
    )


def fold_of(text: str, folds: int = FOLDS) -> int:
    """The fold of a text: a hash of it without its spaces, so copies are never on both sides of a split."""
    plain = re.sub(r"\s+", "", text).encode("utf-8", "replace")
    return int.from_bytes(hashlib.sha256(plain).digest()[:8], "big") % folds


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """The threshold t with the best F1 of `score >= t`: midway between two scores; of several, the median."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(truth[order])
    said = np.arange(1, len(scores) + 1)
    last = np.append(ranked[1:] < ranked[:-1], True)  # a threshold cannot part equal scores
    value = np.where(last, f1(hits, said, np.full(len(scores), truth.sum())), -1.0)
    best = np.flatnonzero(value == value.max())
    place = best[len(best) // 2]
    return float(ranked[place] + ranked[place + 1]) / 2 if place + 1 < len(ranked) else float(ranked[place])


def out_of_fold(truth: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Answers by thresholds that were chosen without the row's fold.

    Args:
        truth: bool [N].
        scores: float [N].
        groups: int [N]; the fold is the group modulo 5.

    Returns:
        bool [N], and the five thresholds.
    """
    said = np.zeros(len(truth), bool)
    thresholds = []
    for fold in range(FOLDS):
        inside = groups % FOLDS == fold
        thresholds.append(best_threshold(truth[~inside], scores[~inside]))
        said[inside] = scores[inside] >= thresholds[-1]
    return said, thresholds


def confusion(truth: Sequence[str], said: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The names that occur, and how often each true one (rows) was given each name (columns)."""
    names = sorted({*truth, *said})
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, ([names.index(name) for name in truth], [names.index(name) for name in said]), 1)
    return names, counts
