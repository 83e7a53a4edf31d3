"""How common a sequence's tokens are in the training corpus."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel

_SOURCE = (
    "Prashanth et al. 2024, Recite, Reconstruct, Recollect: Memorization in LMs as a Multifaceted "
    "Phenomenon, arXiv:2406.17746"
)


def occurrences(tokens: np.ndarray, token_counts: np.ndarray) -> np.ndarray:
    """Look up how often each token occurs in the training corpus.

    Args:
        tokens: int [N, T], ids in [0, V).
        token_counts: int64 [V].

    Returns:
        int64 [N, T].

    Raises:
        ValueError: The table is too short for the ids.
    """
    if tokens.size and tokens.max() >= len(token_counts):
        raise ValueError(
            f"the token-count table ends at id {len(token_counts) - 1}, but the sequences go up to id "
            f"{tokens.max()}: give the counts of the tokenizer these sequences were made with, a 0 for ids "
            f"that never occur"
        )
    return token_counts[tokens]


def quantile_of_sorted(values: np.ndarray, q: float) -> np.ndarray:
    """Quantile of each row by linear interpolation between order statistics, numpy's default.

    Args:
        values: int or float [N, T], each row ascending, T >= 1.
        q: In [0, 1].

    Returns:
        float64 [N].

    >>> quantile_of_sorted(np.array([[1, 2, 3, 10]]), 0.75)
    array([4.75])
    """
    position = q * (values.shape[1] - 1)
    low = int(position)
    high = min(low + 1, values.shape[1] - 1)
    return values[:, low] + (position - low) * (values[:, high] - values[:, low])


def _token_frequency(batch: ScoredBatch) -> dict[str, np.ndarray]:
    if batch.token_counts is None:
        N = len(batch.tokens)
        unknown_count = np.ma.masked_all(N, dtype=np.int64)
        unknown = np.full(N, np.nan)
        return {column.name: unknown_count if column.type == "int64" else unknown for column in TOKEN_FREQUENCY.columns}
    counts = np.sort(occurrences(batch.tokens, batch.token_counts), axis=1)
    return {
        "token_count_min": counts[:, 0],
        "token_count_max": counts[:, -1],
        "token_count_mean": counts.mean(axis=1),
        "token_count_median": quantile_of_sorted(counts, 0.5),
        "token_count_p25": quantile_of_sorted(counts, 0.25),
        "token_count_p75": quantile_of_sorted(counts, 0.75),
    }


def _column(statistic: str, type_: str, words: str) -> Column:
    return Column(
        name=f"token_count_{statistic}",
        type=type_,
        description=f"{words} of the training-corpus counts of the sequence's tokens; missing without a count table.",
        unit="occurrences",
        range="[0, inf)",
        formula=f"{statistic}_{{t=1..T}} count(x_t)",
        source=_SOURCE,
    )


TOKEN_FREQUENCY = Metric(
    name="token frequency",
    columns=(
        _column("min", "int64", "Smallest"),
        _column("max", "int64", "Largest"),
        _column("mean", "float64", "Mean"),
        _column("median", "float64", "Median"),
        _column("p25", "float64", "25th percentile (linear interpolation)"),
        _column("p75", "float64", "75th percentile (linear interpolation)"),
    ),
    compute=_token_frequency,
    needs=ScoreLevel.EXTRACTABLE,
)
