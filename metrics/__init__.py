"""What is measured. Adding a metric is one file that defines a `Metric`, and one line here."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.compression import HUFFMAN
from metrics.duplication import DUPLICATES
from metrics.extraction import K_EXTRACTABILITY, MEMORIZATION, PROBABILISTIC_EXTRACTION
from metrics.frequency import TOKEN_FREQUENCY
from metrics.likelihood import PERPLEXITY
from metrics.membership import MEMBERSHIP
from metrics.metric import Column, Metric
from metrics.similarity import SIMILARITY

METRICS: tuple[Metric, ...] = (
    K_EXTRACTABILITY,
    MEMORIZATION,
    PROBABILISTIC_EXTRACTION,
    PERPLEXITY,
    SIMILARITY,
    MEMBERSHIP,
    TOKEN_FREQUENCY,
    DUPLICATES,
    HUFFMAN,
)


def metric_columns(full: bool) -> tuple[Column, ...]:
    """The columns of the metrics table, in order.

    Args:
        full: Whether the full token scores are there; without them only what the label and the tokens give.
    """
    return tuple(column for metric in METRICS if full or not metric.needs_full_scores for column in metric.columns)


def compute_all(batch: ScoredBatch, full: bool) -> dict[str, np.ndarray]:
    """Every metric of a batch.

    Args:
        batch: N sequences with their scores.
        full: Whether `batch.scores` holds the full token scores.

    Returns:
        One array of length N per column of `metric_columns(full)`, by name and in that order. Missing values
        are NaN in float columns and masked in integer columns; a list column is a [N, K] array.

    Raises:
        ValueError: `full` is asked for, but the batch was scored for the label only.
    """
    if full and batch.scores.logprob is None:
        raise ValueError(
            "the sequences were scored with `--scores extractable`, which keeps no token probabilities: "
            "score them with `--scores full`, or ask for the metrics of `extractable` only"
        )
    results: dict[str, np.ndarray] = {}
    for metric in METRICS:
        if full or not metric.needs_full_scores:
            results.update(metric.compute(batch))
    return results
