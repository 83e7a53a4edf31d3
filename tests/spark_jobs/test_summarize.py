"""The summary's numbers against hand-computed ones."""

from __future__ import annotations

import pytest

from spark_jobs.schemas import TABLES, arrow_schema
from spark_jobs.summarize import column_reference, finite, label_check


def test_label_check_by_hand() -> None:
    # 10 true pii: 8 found, 2 called text. 10 true text: 9 found, 1 called pii.
    check = label_check([("pii", "pii", 8), ("pii", "text", 2), ("text", "text", 9), ("text", "pii", 1)])
    assert check["labels"] == ["pii", "text"]
    assert check["confusion"] == [[8, 2], [1, 9]]
    pii, text = check["per_category"]
    assert (pii["precision"], pii["recall"]) == (pytest.approx(8 / 9), 0.8)
    assert pii["f1"] == pytest.approx(2 * 8 / (2 * 8 + 1 + 2))
    assert text["f1"] == pytest.approx(2 * 9 / (2 * 9 + 2 + 1))
    assert check["macro_f1"] == pytest.approx((16 / 19 + 18 / 21) / 2)
    assert check["rows"] == 20


def test_a_label_that_is_never_true_does_not_count_in_the_average() -> None:
    check = label_check([("pii", "pii", 8), ("pii", "code", 2)])
    assert check["macro_f1"] == pytest.approx(2 * 8 / (2 * 8 + 2))


def test_finite() -> None:
    assert [finite(x) for x in (None, float("nan"), float("inf"), -float("inf"), 2)] == [None] * 4 + [2.0]


def test_every_column_is_described_and_has_a_type() -> None:
    for name, columns in TABLES.items():
        assert arrow_schema(columns).names == [column.name for column in columns]
        assert all(column.description for column in columns), name


def test_glossary_of_label_only_scores_is_shorter() -> None:
    full = {(c["table"], c["name"]) for c in column_reference(True)}
    label_only = {(c["table"], c["name"]) for c in column_reference(False)}
    assert label_only < full
    assert ("scores", "logprob") in full - label_only
    assert ("metrics", "log_p_z") in full - label_only
    assert ("metrics", "extractable") in label_only
