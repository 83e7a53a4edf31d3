"""The predictor on generated rows whose outcomes follow known logistic models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.linalg import Vectors
from pyspark.sql import DataFrame, SparkSession

from metrics.platt import sigmoid
from metrics.prediction import calibration_error
from spark_jobs import predict as module
from spark_jobs.predict import predict
from spark_jobs.predictor_features import described, feature_columns, scaling_of
from spark_jobs.predictor_fit import PENALTY, Task, fit_all

Tables = tuple[DataFrame, DataFrame]


def generated(spark: SparkSession, rows: int = 2500, seed: int = 0, **columns: object) -> tuple[Tables, pd.DataFrame]:
    """Tables `metrics` and `labels`: recitations follow the copies, the others the code probability, reversed."""
    random = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "sequence_id": random.permutation(10 * rows)[:rows],
            "duplicates": np.floor(np.exp(random.normal(2, 1, rows))).astype(int),
            "perplexity_prefix": np.exp(random.normal(3, 1, rows)),
            "perplexity_suffix": np.exp(random.normal(2, 1, rows)),
            "code_probability": random.random(rows).astype(np.float32),
            "repetition_kind": np.where(random.random(rows) < 0.3, "repeating", ""),
            "has_pii": random.random(rows) < 0.5,
        }
    )
    data["near_duplicate_group"] = data.sequence_id
    recited = data.duplicates > 7
    data["taxonomy"] = np.where(recited, "recitation", "recollection")
    log_odds = np.where(
        recited,
        3 * (np.log1p(data.duplicates) - 2.7) - 1.0 * (np.log(data.perplexity_suffix) - 2),
        8 * (data.code_probability - 0.5),
    )
    data["truth"] = sigmoid(log_odds)
    data["extractable"] = random.random(rows) < data.truth
    data = data.assign(**columns)
    in_metrics = ["sequence_id", "extractable", "duplicates", "perplexity_prefix", "perplexity_suffix"]
    metrics = data[in_metrics]
    labels = data.drop(columns=[*in_metrics[1:], "truth"])
    frames = [
        spark.createDataFrame(pa.Table.from_pandas(part, preserve_index=False)).coalesce(2)
        for part in (metrics, labels)
    ]
    return (frames[0], frames[1]), data


@pytest.fixture(scope="module")
def fitted(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, pd.DataFrame]:
    """The section of the summary, and the generated rows beside their predictions."""
    (metrics, labels), data = generated(spark)
    path = tmp_path_factory.mktemp("predict") / "predictions"
    section = predict(spark, metrics, labels, path, seed=0)
    written = pq.read_table(path).to_pandas()
    assert len(written) == len(data)
    return section, data.merge(written, on="sequence_id", validate="one_to_one")


def test_signs_come_back(fitted: tuple) -> None:
    coefficients = {row["input"]: row["models"] for row in fitted[0]["coefficients"]}
    assert coefficients["duplicates"]["recitation"]["low"] > 0.5
    assert coefficients["perplexity_suffix"]["recitation"]["high"] < -0.5
    assert coefficients["code_probability"]["recollection"]["low"] > 1
    for name, model in (
        ("code_probability", "recitation"),
        ("duplicates", "recollection"),
        ("has_pii", "all"),
        ("repeating", "all"),
    ):
        assert abs(coefficients[name][model]["value"]) < 0.3, name


def test_probabilities_are_calibrated_and_near_the_truth(fitted: tuple) -> None:
    _, rows = fitted
    probability = rows.memorization_probability.to_numpy(np.float64)
    assert calibration_error(probability, rows.extractable.to_numpy()) < 0.03
    assert np.abs(probability - rows.truth).mean() < 0.03


def test_a_model_for_each_class_beats_one_for_all_where_they_differ(fitted: tuple) -> None:
    section, _ = fitted
    for row in section["comparison"]:
        if row["model"] == "by class":
            assert row["log_loss"]["difference_high"] < 0
            assert row["auroc"]["difference_low"] > 0
    by = {(row["features"], row["model"]): row["log_loss"]["value"] for row in section["comparison"]}
    assert by["with suffix perplexity", "by class"] < by["without suffix perplexity", "by class"]


def test_what_the_section_says(fitted: tuple) -> None:
    section, rows = fitted
    assert section["skipped"] is None
    assert section["rows"] == section["rows_of_run"] == section["groups"] == len(rows)
    assert section["extractable"] == rows.extractable.sum()
    counted = rows.groupby("taxonomy").size()
    assert {row["class"]: row["rows"] for row in section["classes"]} == counted.to_dict()
    assert all(row["why_no_model"] is None for row in section["classes"])
    assert sum(row["rows"] for row in section["reliability"]["by class"]) == len(rows)


def test_copies_are_never_on_both_sides(spark: SparkSession, tmp_path: Path) -> None:
    """Each group of 40 copies has an outcome of its own and a feature that names it: only a leak could predict it."""
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(60), 40)
    named = sigmoid(random.normal(size=60))[group]
    outcome = (random.random(60) < 0.5)[group]
    columns = {"near_duplicate_group": group, "extractable": outcome, "code_probability": named.astype(np.float32)}
    (metrics, labels), _ = generated(spark, 2400, **columns)
    section = predict(spark, metrics, labels, tmp_path / "predictions", seed=0)
    written = pq.read_table(tmp_path / "predictions").to_pandas().merge(labels.toPandas(), on="sequence_id")
    assert (written.groupby("near_duplicate_group").fold.nunique() == 1).all()
    assert set(written.fold) == set(range(5))
    assert section["groups"] == 60
    assert section["comparison"][0]["auroc"]["value"] < 0.7


def test_a_fold_is_predicted_without_its_outcomes(spark: SparkSession, tmp_path: Path) -> None:
    """Turning every outcome of one fold round changes the predictions of the others and none of its own."""
    (metrics, labels), data = generated(spark, 1200)
    predict(spark, metrics, labels, tmp_path / "one", seed=0)
    one = pq.read_table(tmp_path / "one").to_pandas()
    turned = data.merge(one, on="sequence_id")
    turned = np.where(turned.fold == 2, ~turned.extractable, turned.extractable)
    (metrics, labels), _ = generated(spark, 1200, extractable=turned)
    predict(spark, metrics, labels, tmp_path / "other", seed=0)
    both = one.merge(pq.read_table(tmp_path / "other").to_pandas(), on="sequence_id")
    moved = (both.memorization_probability_x - both.memorization_probability_y).abs()
    # Not 0: all models are one fit, which ends where the mean of their losses stands still.
    assert moved[both.fold_x == 2].max() < 5e-4
    assert moved[both.fold_x != 2].mean() > 0.01


def test_too_few_rows_of_an_outcome(spark: SparkSession, tmp_path: Path) -> None:
    (metrics, labels), _ = generated(spark, 300, extractable=np.arange(300) < 99)
    section = predict(spark, metrics, labels, tmp_path / "predictions", seed=0)
    assert section == {"skipped": "99 rows are extractable and 201 are not; a predictor needs at least 100 of either"}
    assert not (tmp_path / "predictions").exists()


def test_an_outcome_within_one_group_cannot_be_held_out(spark: SparkSession, tmp_path: Path) -> None:
    hits = np.arange(400) < 150
    group = np.where(hits, 0, np.arange(400))
    (metrics, labels), _ = generated(spark, 400, extractable=hits, near_duplicate_group=group)
    section = predict(spark, metrics, labels, tmp_path / "predictions", seed=0)
    assert "they cannot be held out" in section["skipped"]


def test_unknown_counts_missing_values_and_a_class_of_one_outcome(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    duplicates = np.where(random.random(900) < 0.5, np.nan, 3.0)
    taxonomy = np.where(np.isnan(duplicates), None, "recollection")
    taxonomy[:60] = "reconstruction"
    outcome = random.random(900) < 0.5
    outcome[:60] = True
    suffix = np.where(random.random(900) < 0.1, np.inf, 9.0)  # a token of probability 0
    columns = {"duplicates": duplicates, "taxonomy": taxonomy, "extractable": outcome, "perplexity_suffix": suffix}
    (metrics, labels), _ = generated(spark, 900, **columns)
    section = predict(spark, metrics, labels, tmp_path / "predictions", seed=0)
    classes = {row["class"]: row for row in section["classes"]}
    assert classes["unknown"]["why_no_model"] is None
    assert classes["reconstruction"]["why_no_model"].startswith("60 of its rows are extractable and 0 are not")
    assert classes["reconstruction"]["figures"] is None
    inputs = {row["input"] for row in section["coefficients"]}
    assert {"duplicates is missing", "perplexity_suffix is missing"} <= inputs
    assert "duplicates" not in inputs  # where it is known it is always 3
    probability = pq.read_table(tmp_path / "predictions").column("memorization_probability").to_numpy()
    assert np.isfinite(probability).all()


def test_a_sample_is_fitted_and_every_row_predicted(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 1000)
    (metrics, labels), data = generated(spark, 3000)
    section = predict(spark, metrics, labels, tmp_path / "predictions", seed=0)
    assert 850 < section["rows"] < 1150
    assert section["rows_of_run"] == 3000
    rows = pq.read_table(tmp_path / "predictions").to_pandas().merge(data, on="sequence_id")
    assert len(rows) == 3000
    assert np.abs(rows.memorization_probability - rows.truth).mean() < 0.06


def test_one_block_diagonal_fit_is_many_fits(spark: SparkSession) -> None:
    random = np.random.default_rng(6)
    inputs = random.normal(size=(600, 3))
    inputs[:, 1] = 0.8 * inputs[:, 0] + 0.6 * inputs[:, 1]
    outcome = random.random(600) < sigmoid(inputs @ [2.0, -1.0, 0.5] - 1)
    tasks = [
        Task(np.ones(600, dtype=bool), np.array([True, True, True])),
        Task(np.arange(600) < 250, np.array([True, True, True])),
        Task(np.arange(600) % 5 != 0, np.array([True, False, True])),
    ]
    for task, model in zip(tasks, fit_all(spark, inputs, outcome, tasks), strict=True):
        rows = [
            (float(y), Vectors.dense(x))
            for x, y in zip(inputs[task.rows][:, task.inputs], outcome[task.rows], strict=True)
        ]
        alone = LogisticRegression(regParam=PENALTY, standardization=False, tol=1e-10)
        alone = alone.fit(spark.createDataFrame(rows, ["label", "features"]))
        assert model.weights[task.inputs] == pytest.approx(alone.coefficients.toArray(), abs=0.02)
        assert model.intercept == pytest.approx(alone.intercept, abs=0.02)
        assert (model.weights[~task.inputs] == 0).all()


def test_features_by_hand(spark: SparkSession) -> None:
    metrics = spark.createDataFrame(
        [(1, True, 7, 1.0, 0.9), (2, False, None, float("inf"), 0.1)],
        "sequence_id long, extractable boolean, duplicates long, perplexity_suffix double, memorization_score double",
    )
    labels = spark.createDataFrame(
        [(1, "text", False, -2, True, "repeating", None, 1), (2, "pii", True, 0, None, "", "recitation", 1)],
        "sequence_id long, category string, is_harmful boolean, repetition_step long, has_pii boolean, "
        "repetition_kind string, taxonomy string, near_duplicate_group long",
    )
    names = list(feature_columns(metrics, labels))
    assert names == ["perplexity_suffix", "duplicates", "repetition_step", "has_pii", "repeating", "incrementing"]
    one, two = described(metrics, labels, seed=0, folds=5).orderBy("sequence_id").collect()
    assert one["features"] == pytest.approx([0.0, np.log(8), -np.log(3), 1.0, 1.0, 0.0])
    assert two["features"] == [float("inf"), None, 0.0, None, 0.0, 0.0]
    assert one["fold"] == two["fold"]
    assert (one["class"], two["class"]) == ("unknown", "recitation")


def test_scaling_by_hand() -> None:
    features = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0], [np.inf, 5.0, 4.0]])
    scaling = scaling_of(features, ("a", "constant", "c"))
    assert scaling.names == ("a", "c", "a is missing", "c is missing")
    # Filled with the medians 2 and 3: means 2 and 3, standard deviations sqrt(2/3); flags (0, 0, 1), (1, 0, 0).
    step = np.sqrt(1.5)
    flag = (np.array([0, 0, 1]) - 1 / 3) / np.sqrt(2 / 9)
    expected = np.column_stack([[-step, step, 0], [0, -step, step], flag, flag[::-1]])
    assert scaling(features) == pytest.approx(expected)
