"""What is measured. Adding a metric is one file that defines a `Metric`, and one line here."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.compression import HUFFMAN
from metrics.duplication import DUPLICATES
from metrics.extraction import K_EXTRACTABILITY, MEMORIZATION, PROBABILISTIC_EXTRACTION, RECALL
from metrics.frequency import TOKEN_FREQUENCY
from metrics.likelihood import PERPLEXITY, SUFFIX_PERPLEXITY
from metrics.membership import MEMBERSHIP
from metrics.metric import Column, Metric
from metrics.similarity import SIMILARITY
from metrics.token_scores import ScoreLevel

METRICS: tuple[Metric, ...] = (
    K_EXTRACTABILITY,
    MEMORIZATION,
    RECALL,
    PROBABILISTIC_EXTRACTION,
    SUFFIX_PERPLEXITY,
    PERPLEXITY,
    SIMILARITY,
    MEMBERSHIP,
    TOKEN_FREQUENCY,
    DUPLICATES,
    HUFFMAN,
)


def metric_columns(level: ScoreLevel) -> tuple[Column, ...]:
    """The columns of the metrics table, in order.

    Args:
        level: Of the scores that they are computed from; what needs more is left out.
    """
    return tuple(column for metric in METRICS if metric.needs <= level for column in metric.columns)


def compute_all(batch: ScoredBatch, level: ScoreLevel) -> dict[str, np.ndarray]:
    """Every metric of a batch.

    Args:
        batch: N sequences with their scores.
        level: Metrics that need more are left out.

    Returns:
        One array of length N per column of `metric_columns(level)`, by name and in that order. Missing values
        are NaN in float columns and masked in integer columns; a list column is a [N, K] array.

    Raises:
        ValueError: The batch was scored at a lower level.
    """
    found = batch.scores.level
    if found < level:
        raise ValueError(
            f"the sequences were scored with `--scores {found.option}`: score them with `--scores {level.option}`, "
            f"or ask for the metrics of `{found.option}` only"
        )
    results: dict[str, np.ndarray] = {}
    for metric in METRICS:
        if metric.needs <= level:
            results.update(metric.compute(batch))
    return results
