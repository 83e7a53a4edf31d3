"""Similarity of the greedy continuation: hand-computed, and against sacreBLEU and a textbook Levenshtein."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metrics.batch import ScoredBatch
from metrics.similarity import SIMILARITY, normalized_edit_distance
from metrics.token_scores import TokenScores

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def batch(greedy: list[list[int]], suffix: list[list[int]], decode=None) -> ScoredBatch:
    greedy_tokens = np.array(greedy, dtype=np.int32)
    tokens = np.concatenate([np.zeros((len(suffix), 1)), np.array(suffix)], axis=1).astype(np.int32)
    return ScoredBatch(
        tokens=tokens,
        text=[""] * len(suffix),
        prefix_tokens=1,
        k_values=(1,),
        scores=TokenScores(
            first_mismatch=np.zeros((len(suffix), 1), dtype=np.int32),
            min_margin=np.ones(len(suffix), dtype=np.float32),
            greedy_tokens=greedy_tokens,
        ),
        decode=decode or (lambda rows: [" ".join(WORDS[token] for token in row) for row in rows]),
    )


def levenshtein(a: Sequence[int], b: Sequence[int]) -> int:
    """The textbook table."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            substitution = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, substitution)
    return table[-1][-1]


def test_columns_of_a_matching_a_partly_matching_and_a_foreign_row():
    suffix = [[1, 2, 3, 4, 5, 6]] * 3
    greedy = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 7], [7, 8, 9, 0, 8, 9]]
    result = SIMILARITY.compute(batch(greedy, suffix))
    bleu = sacrebleu.sentence_bleu("one two three four six seven", ["one two three four five six"]).score
    # n-gram precisions 5/6, 3/5, 2/4, 1/3; no brevity penalty.
    assert bleu == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    np.testing.assert_allclose(result["sacrebleu"], [100, bleu, 0])
    np.testing.assert_allclose(result["n_sacrebleu"], [0, 100 - bleu, 100])
    # Row 1: delete the 5, append the 7.
    np.testing.assert_allclose(result["edit_distance"], [0, 2 / 6, 1])


def test_matching_rows_are_not_decoded():
    def decode(rows):
        raise AssertionError("decoded a row that matches")

    result = SIMILARITY.compute(batch([[1, 2], [3, 4]], [[1, 2], [3, 4]], decode))
    assert result["sacrebleu"].tolist() == [100, 100]
    assert result["edit_distance"].tolist() == [0, 0]


def test_text_decides_and_not_tokens():
    # Tokens differ, text does not: two tokens that decode to the same word.
    result = SIMILARITY.compute(batch([[1, 2]], [[1, 3]], lambda rows: ["one two"] * len(rows)))
    assert result["sacrebleu"].tolist() == [100]
    assert result["edit_distance"].tolist() == [0.5]


def test_a_suffix_of_one_token():
    result = SIMILARITY.compute(batch([[1], [2]], [[1], [1]]))
    assert result["n_sacrebleu"].tolist() == [0, 100]
    assert result["edit_distance"].tolist() == [0, 1]


@given(
    st.integers(1, 8).flatmap(
        lambda S: st.tuples(
            hnp.arrays(np.int32, (3, S), elements=st.integers(0, 3)),
            hnp.arrays(np.int32, (3, S), elements=st.integers(0, 3)),
        )
    )
)
def test_edit_distance_equals_the_textbook(pair: tuple[np.ndarray, np.ndarray]):
    a, b = pair
    expected = [levenshtein(x, y) / a.shape[1] for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    assert normalized_edit_distance(a, b).tolist() == expected
