"""Duplicate counts keep unknown apart from never."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.duplication import DUPLICATES
from metrics.token_scores import TokenScores


def compute(duplicates: np.ndarray | None) -> list[int | None]:
    batch = ScoredBatch(
        tokens=np.zeros((3, 4), dtype=np.int32),
        text=["", "", ""],
        prefix_tokens=2,
        k_values=(2,),
        scores=TokenScores(np.zeros((3, 1), dtype=np.int32), np.ones(3, dtype=np.float32)),
        decode=lambda rows: [""] * len(rows),
        duplicates=duplicates,
    )
    return DUPLICATES.compute(batch)["duplicates"].tolist()


def test_minus_one_is_missing_and_zero_is_never():
    assert compute(np.array([5, 0, -1])) == [5, 0, None]


def test_without_counts_all_is_missing():
    assert compute(None) == [None, None, None]
