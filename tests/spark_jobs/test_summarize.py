"""The summary's numbers against hand-computed ones."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from metrics.token_scores import ScoreLevel
from spark_jobs.examples import choose
from spark_jobs.partitions import set_shuffle_partitions
from spark_jobs.schemas import TABLES, arrow_schema
from spark_jobs.summarize import column_reference, finite, label_check, summarize

LN10 = math.log(10)
METRICS = pa.table(
    {
        "sequence_id": [1, 2, 3, 4, 5, 6],
        "extractable": [True, True, False, False, False, True],
        "extractable_at_k": [[True, True], [False, True], [False, False], [True, False], [False, False], [True, True]],
        "memorization_score": [1.0, 1.0, 0.5, 0.25, 0.0, 1.0],
        "memorization_accuracy": [1.0, 0.5, 0.5, 0.5, 0.5, 0.0],
        "el_10": pa.array([1.0, None, None, 0.5, None, None], pa.float64()),
        "n_sacrebleu": [0.0, 0.0, 50.0, 70.0, 90.0, 0.0],
        "log_p_z": [-LN10 / 2, -1.5 * LN10, -29.5 * LN10, -31.0 * LN10, -math.inf, -LN10 / 2],
        "n_p50": [1.0, 3.0, 9.0, math.inf, math.inf, 1.0],
        "perplexity_suffix": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "duplicates": pa.array([0, 1, 2, 3, 4, None], pa.int64()),
        "loss": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "zlib_ratio": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        "min_k": [-1.0, -4.0, -3.0, -2.0, -5.0, -6.0],
        "min_k_plus_plus": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    }
)
LABELS = pa.table(
    {
        "sequence_id": [6, 5, 4, 3, 2, 1],
        "category": ["text", "text", "text", "pii", "pii", "pii"],
        "pii_types": pa.array([[], [], [], ["EMAIL"], ["EMAIL", "EMAIL"], ["EMAIL", "PHONE"]], pa.list_(pa.string())),
    }
)
SEQUENCES = pa.table(
    {
        "sequence_id": [1, 2, 3, 4, 5, 6],
        "is_member": pa.array([True, True, False, False, False, None], pa.bool_()),
        "true_category": ["pii", "pii", "text", "text", None, "code"],
    }
)
SCORES = pa.table({"sequence_id": [1, 2, 3, 4, 5, 6], "min_margin": [1.0, 5e-5, 2.0, 2e-4, 9e-5, 3.0]})


def summary(spark: SparkSession, sequences: pa.Table = SEQUENCES) -> dict:
    tables = [spark.createDataFrame(table) for table in (sequences, METRICS, LABELS, SCORES)]
    return summarize(*tables, (8, 32))


def test_summary_by_hand(spark: SparkSession) -> None:
    found = summary(spark)
    overall = found["overall"]
    assert (overall["rows"], overall["extractable"], overall["share"]) == (6, 3, 0.5)
    assert overall["memorization_score"] == pytest.approx(3.75 / 6)
    assert (overall["memorization_accuracy"], overall["el_10"], overall["n_sacrebleu"]) == (0.5, 0.75, 35)
    assert (overall["log_p_z"], overall["n_p50"], overall["perplexity_suffix"]) == (-29.5 * LN10, 3, 3)
    pii, text = found["categories"]
    assert (pii["category"], pii["harmful"], pii["rows"], pii["extractable"]) == ("pii", True, 3, 2)
    assert (text["category"], text["harmful"], text["rows"], text["extractable"]) == ("text", False, 3, 1)
    assert (pii["perplexity_suffix"], text["perplexity_suffix"], text["n_p50"]) == (2, 5, None)
    assert [(entry["category"], entry["k"], entry["extractable"]) for entry in found["sweep"]] == [
        ("all", 8, 3), ("all", 32, 3), ("pii", 8, 1), ("pii", 32, 2), ("text", 8, 2), ("text", 32, 1),
    ]  # fmt: skip
    assert [(e["label"], e["from"], e["to"], e["rows"], e["extractable"]) for e in found["duplicates"]] == [
        ("0", 0, 0, 1, 1), ("1", 1, 1, 1, 1), ("2-3", 2, 3, 2, 0), ("4-7", 4, 7, 1, 0),
    ]  # fmt: skip
    assert found["pii_types"] == [
        {"type": "EMAIL", "rows": 3, "extractable": 2},
        {"type": "PHONE", "rows": 1, "extractable": 1},
    ]
    assert found["near_ties"]["rows"] == 2


def test_histograms_by_hand(spark: SparkSession) -> None:
    found = summary(spark)["histograms"]
    score, p_z = found["memorization_score"], found["log10_p_z"]
    # 16 bins of 1/16: the highest value belongs to the last.
    assert score["counts"] == {"pii": [0] * 8 + [1] + [0] * 6 + [2], "text": [1, 0, 0, 0, 1] + [0] * 10 + [1]}
    assert score["below"] == {"pii": 0, "text": 0}
    # 15 bins of 2 from -30 on; 10^-31 and 0 lie below.
    assert p_z["counts"] == {"pii": [1] + [0] * 13 + [2], "text": [0] * 14 + [1]}
    assert p_z["below"] == {"pii": 0, "text": 2}
    assert p_z["edges"][:2] == [-30, -28]


def test_membership_by_hand(spark: SparkSession) -> None:
    found = {entry["score"]: entry for entry in summary(spark)["membership"]}
    assert all((entry["members"], entry["non_members"]) == (2, 3) for entry in found.values())
    # Members have losses 1 and 2, others 3, 4, 5; by Min-K% -1 and -4 against -3, -2, -5: 4 of 6 pairs.
    assert found["loss"]["auroc"] == 1
    assert found["min_k"]["auroc"] == pytest.approx(4 / 6)
    assert found["min_k_plus_plus"]["auroc"] == 0.5
    assert found["min_k"]["tpr_at_1_percent_fpr"] == 0.5


def test_label_check_of_the_tables(spark: SparkSession) -> None:
    found = summary(spark)["label_check"]
    assert (found["labels"], found["rows"]) == (["pii", "code", "text"], 5)
    assert found["confusion"] == [[2, 0, 0], [0, 0, 1], [1, 0, 1]]


def test_nothing_is_said_of_what_is_not_known(spark: SparkSession) -> None:
    found = summary(spark, SEQUENCES.select(["sequence_id"]))
    assert (found["membership"], found["label_check"]) == (None, None)
    assert found["overall"]["rows"] == 6


def test_membership_is_told_from_a_sample_of_many_rows(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 2000
    ids = list(range(rows))
    scores = {name: [float(i % 7) for i in ids] for name in ("loss", "zlib_ratio", "min_k", "min_k_plus_plus")}
    metrics = pa.table(
        {"sequence_id": ids, "extractable": [False] * rows, "extractable_at_k": [[False]] * rows, "duplicates": ids}
        | scores
    )
    labels = pa.table({"sequence_id": ids, "category": ["text"] * rows, "pii_types": pa.array([["A"]] * rows)})
    known = pa.table({"sequence_id": ids, "is_member": [i % 2 == 0 for i in ids]})
    margins = pa.table({"sequence_id": ids, "min_margin": [1.0] * rows})
    tables = [spark.createDataFrame(table) for table in (known, metrics, labels, margins)]
    monkeypatch.setattr("spark_jobs.summarize.MEMBERSHIP_ROWS", 500)
    found = summarize(*tables, (8,))["membership"][0]
    sampled = found["members"] + found["non_members"]
    assert 400 <= sampled <= 600  # 500 drawn by hash: 5 standard deviations are 97
    again = [table.repartition(5) for table in tables]
    assert summarize(*again, (8,))["membership"][0] == found


def test_examples_are_the_same_whatever_the_partitioning(spark: SparkSession) -> None:
    ids = list(range(400))
    metrics = spark.createDataFrame(pa.table({"sequence_id": ids, "extractable": [i % 3 == 0 for i in ids]}))
    labels = spark.createDataFrame(pa.table({"sequence_id": ids, "category": [("pii", "text")[i % 2] for i in ids]}))
    one = choose(metrics.coalesce(1), labels.coalesce(1), seed=7).collect()
    many = choose(metrics.repartition(9), labels.repartition(5), seed=7).collect()
    assert sorted(one) == sorted(many)
    kinds = [(row.sequence_id % 2, row.sequence_id % 3 == 0, row.place) for row in one]
    # Of either category three extractable rows and one other.
    wanted = [(category, True, place) for category in (0, 1) for place in (1, 2, 3)] + [(0, False, 1), (1, False, 1)]
    assert sorted(kinds) == sorted(wanted)


def test_what_is_small_on_disk_only_is_not_broadcast(spark: SparkSession, tmp_path) -> None:
    spark.range(300_000).selectExpr("id as sequence_id", "'text' as category").write.parquet(str(tmp_path / "labels"))
    table = spark.read.parquet(str(tmp_path / "labels"))
    threshold = spark.conf.get("spark.sql.autoBroadcastJoinThreshold")
    try:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "10MB")  # Spark's default; other tests have changed it
        joined = table.join(table, "sequence_id")
        assert "BroadcastHashJoin" in joined._jdf.queryExecution().executedPlan().toString()
        set_shuffle_partitions(spark, 300_000)
        joined = table.join(table, "sequence_id")
        assert "Broadcast" not in joined._jdf.queryExecution().executedPlan().toString()
    finally:
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", threshold)


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
    full = {(c["table"], c["name"]) for c in column_reference(ScoreLevel.FULL)}
    label_only = {(c["table"], c["name"]) for c in column_reference(ScoreLevel.EXTRACTABLE)}
    assert label_only < full
    assert ("scores", "logprob") in full - label_only
    assert ("metrics", "log_p_z") in full - label_only
    assert ("metrics", "extractable") in label_only
