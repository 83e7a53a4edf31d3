"""How good predicted probabilities are: ranking, sharpness, calibration; with intervals from resampled groups.

Every figure takes weights, so that a resample is a weight for each row and nothing is copied or sorted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from metrics.metric import Column

COLUMNS: tuple[Column, ...] = (
    Column(
        "memorization_probability",
        "float32",
        "Calibrated probability that the row is extractable, by the model of its class of the taxonomy; the models "
        "and their calibration saw neither the row nor its near-duplicates.",
        unit="probability",
        range="[0, 1]",
        direction="higher = more memorized",
        source="Prashanth et al. 2024, Recite, Reconstruct, Recollect, arXiv:2406.17746; Platt 1999",
    ),
    Column("fold", "int32", "The fold that the models which gave the probability were not fitted on.", range="[0, 4]"),
)

BINS = 10
_TINY = 1e-12  # a probability of exactly 0 or 1 that is wrong costs 27.6 nats, not infinity


def ranking(probability: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """AUROC and average precision.

    AUROC is the probability that a positive row has a larger probability than a negative one, ties counting half
    (Hanley and McNeil 1982). Average precision is sum_i (R_i - R_i-1) P_i over the distinct thresholds, descending,
    with precision P and recall R of the rows at or above the threshold; nothing is interpolated (Davis and Goadrich
    2006, The Relationship Between Precision-Recall and ROC Curves, ICML).

    Args:
        probability: float [N]; any score will do.
        outcome: bool [N].
        weights: float [N], at least 0; None weighs all alike.

    Returns:
        Both in [0, 1], higher is better. AUROC 0.5 and an average precision that is the share of positives say nothing.
        NaN where all the weight lies on one outcome.

    >>> ranking(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, True, False, False]))
    (0.875, 0.8333333333333333)
    """
    weights = np.ones(len(outcome)) if weights is None else weights
    order = np.argsort(-probability, kind="stable")  # linear where the rows come sorted
    ranked, weights = probability[order], weights[order]
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    positives = np.cumsum(weights * outcome[order])[ends]
    negatives = np.cumsum(weights * ~outcome[order])[ends]
    if not positives[-1] or not negatives[-1]:
        return float("nan"), float("nan")
    gained = np.diff(positives, prepend=0.0)
    above = np.r_[0.0, negatives[:-1]]
    outranked = gained @ (negatives[-1] - (above + negatives) / 2)
    taken = positives + negatives
    precision = np.divide(positives, taken, out=np.zeros_like(taken), where=taken > 0)
    return float(outranked / (positives[-1] * negatives[-1])), float(gained @ precision / positives[-1])


def log_loss(probability: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> float:
    """-mean(y ln p + (1 - y) ln(1 - p)).

    Args:
        probability: float [N], in [0, 1].
        outcome: bool [N].
        weights: float [N] or None.

    Returns:
        Nats per row, in [0, 27.6], lower is better. Good 1952, Rational Decisions.

    >>> round(log_loss(np.array([0.5, 0.25]), np.array([True, False])), 4)  # (ln 2 + ln 4/3) / 2
    0.4904
    """
    right = np.where(outcome, probability, 1 - probability)
    return float(np.average(-np.log(np.clip(right, _TINY, 1.0)), weights=weights))


def brier(probability: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> float:
    """mean((p - y)^2).

    Args:
        probability: float [N], in [0, 1].
        outcome: bool [N].
        weights: float [N] or None.

    Returns:
        In [0, 1], lower is better. Brier 1950, Verification of Forecasts Expressed in Terms of Probability.

    >>> brier(np.array([0.5, 0.25]), np.array([True, False]))
    0.15625
    """
    return float(np.average((probability - outcome) ** 2, weights=weights))


def bins_of(probability: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The bin of each row; bins of equally many rows, equal probabilities never apart.

    Args:
        probability: float [N].
        bins: At most this many.

    Returns:
        int [N], ascending with the probability, from 0 on without gaps.

    >>> bins_of(np.array([0.1, 0.9, 0.2, 0.2]), 2).tolist()
    [0, 1, 0, 0]
    """
    if not len(probability):
        return np.empty(0, dtype=np.int64)
    edges = np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(np.searchsorted(edges, probability, side="left"), return_inverse=True)[1]


def calibration_error(
    probability: np.ndarray,
    outcome: np.ndarray,
    weights: np.ndarray | None = None,
    bin_of_row: np.ndarray | None = None,
) -> float:
    """Expected calibration error: sum_b (w_b / W) |mean probability of b - share of positives in b|.

    Args:
        probability: float [N], in [0, 1].
        outcome: bool [N].
        weights: float [N] or None.
        bin_of_row: int [N]; None makes ten bins of equally many rows.

    Returns:
        In [0, 1], lower is better; a few rows a bin leave an error of their own, about sqrt(p (1 - p) / rows of a bin).
        Naeini, Cooper and Hauskrecht 2015, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI.

    >>> outcome, bins = np.array([False, True, True, True]), np.array([0, 0, 1, 1])
    >>> calibration_error(np.array([0.2, 0.4, 0.9, 0.7]), outcome, None, bins)
    0.2
    """
    weights = np.ones(len(outcome)) if weights is None else weights
    places = bins_of(probability) if bin_of_row is None else bin_of_row
    return float(np.abs(np.bincount(places, weights=weights * (probability - outcome))).sum() / weights.sum())


def figures(
    probability: np.ndarray,
    outcome: np.ndarray,
    weights: np.ndarray | None = None,
    bin_of_row: np.ndarray | None = None,
) -> dict[str, float]:
    """All figures of this file by name; see each of them."""
    auroc, average_precision = ranking(probability, outcome, weights)
    return {
        "auroc": auroc,
        "average_precision": average_precision,
        "log_loss": log_loss(probability, outcome, weights),
        "brier": brier(probability, outcome, weights),
        "calibration_error": calibration_error(probability, outcome, weights, bin_of_row),
    }


def compared(
    probabilities: Mapping[str, np.ndarray],
    outcome: np.ndarray,
    group: np.ndarray,
    baseline: str,
    draws: int = 200,
    seed: int = 0,
) -> dict[str, dict[str, dict[str, float]]]:
    """The figures of several predictions of the same rows, and how far each is from the baseline's.

    Intervals are the 2.5 and 97.5 percentiles over bootstrap resamples of whole groups, since rows of a group are
    copies of each other (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13). All
    predictions are judged on the same resamples, so a difference has an interval of its own.

    Args:
        probabilities: Predictions by name, float [N] each, in [0, 1].
        outcome: bool [N].
        group: [N], which rows belong together.
        baseline: One of the names.
        draws: Resamples.
        seed: Of the resamples.

    Returns:
        For each name and figure `value`, `low`, `high`, and with `difference_` before them the same of the difference
        to the baseline. NaN where a figure is undefined.
    """
    _, places = np.unique(group, return_inverse=True)
    count = int(places.max(initial=-1)) + 1
    judges = {name: _judge(probability, outcome, places) for name, probability in probabilities.items()}
    whole = {name: judge(np.ones(count)) for name, judge in judges.items()}
    random = np.random.default_rng(seed)
    resampled: dict[str, list[dict[str, float]]] = {name: [] for name in probabilities}
    for _ in range(draws):
        drawn = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
        for name, judge in judges.items():
            resampled[name].append(judge(drawn))
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name in probabilities:
        result[name] = {}
        for figure, value in whole[name].items():
            values = np.array([draw[figure] for draw in resampled[name]])
            differences = values - [draw[figure] for draw in resampled[baseline]]
            result[name][figure] = {
                "value": value,
                **_interval(values, ""),
                "difference_value": value - whole[baseline][figure],
                **_interval(differences, "difference_"),
            }
    return result


def reliability(probability: np.ndarray, outcome: np.ndarray) -> list[dict[str, float]]:
    """Predicted against observed shares in ten bins of equally many rows.

    Args:
        probability: float [N], in [0, 1].
        outcome: bool [N].

    Returns:
        For each bin, ascending: `rows`, `positives`, and the mean `probability`.

    >>> reliability(np.array([0.25, 0.25, 0.75]), np.array([False, True, True]))[0]
    {'rows': 2, 'positives': 1, 'probability': 0.25}
    """
    places = bins_of(probability)
    rows = np.bincount(places)
    positives = np.bincount(places, weights=outcome)
    means = np.bincount(places, weights=probability) / rows
    return [
        {"rows": int(n), "positives": int(hits), "probability": float(mean)}
        for n, hits, mean in zip(rows, positives, means, strict=True)
    ]


def _judge(
    probability: np.ndarray, outcome: np.ndarray, places: np.ndarray
) -> Callable[[np.ndarray], dict[str, float]]:
    """A function from a weight for each group to the figures, with the rows sorted once."""
    order = np.argsort(-probability, kind="stable")
    ranked, hits, group = probability[order], outcome[order], places[order]
    bin_of_row = bins_of(ranked)
    return lambda drawn: figures(ranked, hits, drawn[group], bin_of_row)


def _interval(values: Sequence[float], prefix: str) -> dict[str, float]:
    known = np.asarray(values)[~np.isnan(values)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (float("nan"), float("nan"))
    return {f"{prefix}low": float(low), f"{prefix}high": float(high)}
