"""Token-frequency statistics by hand and against numpy's quantiles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metrics.batch import ScoredBatch
from metrics.frequency import TOKEN_FREQUENCY, occurrences, quantile_of_sorted
from metrics.token_scores import TokenScores


def compute(tokens: list[list[int]], token_counts: np.ndarray | None) -> dict[str, np.ndarray]:
    N = len(tokens)
    scores = TokenScores(np.zeros((N, 1), dtype=np.int32), np.ones(N, dtype=np.float32))
    return TOKEN_FREQUENCY.compute(
        ScoredBatch(
            tokens=np.array(tokens, dtype=np.int32),
            text=[""] * N,
            prefix_tokens=2,
            k_values=(2,),
            scores=scores,
            decode=lambda rows: [""] * len(rows),
            token_counts=token_counts,
        )
    )


def test_statistics_of_the_looked_up_counts():
    # Counts of row 0: 40, 10, 0, 20, 20; of row 1: five times 10.
    result = compute([[3, 1, 0, 2, 2], [1, 1, 1, 1, 1]], np.array([0, 10, 20, 40]))
    assert {name: values.tolist() for name, values in result.items()} == {
        "token_count_min": [0, 10],
        "token_count_max": [40, 10],
        "token_count_mean": [18, 10],
        "token_count_median": [20, 10],
        "token_count_p25": [10, 10],
        "token_count_p75": [20, 10],
    }


def test_counts_beyond_32_bits():
    result = compute([[0, 0, 0]], np.array([3_000_000_000]))
    assert result["token_count_max"].tolist() == [3_000_000_000]
    assert result["token_count_mean"].tolist() == [3e9]


def test_without_a_table_all_is_missing():
    result = compute([[0, 1, 2], [0, 1, 2]], None)
    assert list(result) == [column.name for column in TOKEN_FREQUENCY.columns]
    assert result["token_count_min"].tolist() == [None, None]
    assert result["token_count_max"].tolist() == [None, None]
    assert np.isnan(result["token_count_median"]).all()


def test_a_table_of_another_tokenizer_is_refused():
    with pytest.raises(ValueError, match=r"ends at id 2, but the sequences go up to id 7"):
        occurrences(np.array([[1, 7]]), np.array([1, 2, 3]))


@given(
    hnp.arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(1, 9)), elements=st.integers(0, 10**6)),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
)
def test_quantiles_equal_numpys(values: np.ndarray, q: float):
    ordered = np.sort(values, axis=1)
    np.testing.assert_allclose(quantile_of_sorted(ordered, q), np.quantile(ordered, q, axis=1), rtol=1e-12)
