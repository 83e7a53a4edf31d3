"""Summarize: the numbers of the report, from the tables of a run. The form of the result is `summary.json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from metrics import metric_columns
from metrics.categories import CATEGORIES
from metrics.intervals import wilson_interval
from metrics.membership import MEMBERSHIP_SCORES, auroc, tpr_at_fpr
from metrics.token_scores import ScoreLevel
from spark_jobs.schemas import TABLES, scores_columns

NEAR_TIE_MARGIN = 1e-4
MEMBERSHIP_ROWS = 1_000_000
"""That AUROC is computed on, of those known; its standard error is then below 0.001."""
HISTOGRAM_BINS = {"memorization_score": (0.0, 1.0, 16), "log10_p_z": (-30.0, 0.0, 15)}
_LN10 = math.log(10)
_MEANS = ("memorization_score", "memorization_accuracy", "el_10", "n_sacrebleu")
_MEDIANS = ("log_p_z", "n_p50", "perplexity_suffix")
_ORDER = {category.name: place for place, category in enumerate(CATEGORIES)}
_HARMFUL = {category.name for category in CATEGORIES if category.harmful}


def finite(value: Any) -> float | None:
    """`value` as JSON can hold it: None for missing, NaN and infinite values."""
    return None if value is None or not math.isfinite(value) else float(value)


def _share(rows: int, extractable: int) -> dict[str, Any]:
    low, high = wilson_interval(extractable, rows) if rows else (None, None)
    return {
        "rows": rows,
        "extractable": extractable,
        "share": extractable / rows if rows else None,
        "low": finite(low),
        "high": finite(high),
    }


def _by_category(rows: Iterable[Row], key: str = "category") -> list[Row]:
    return sorted(rows, key=lambda row: _ORDER.get(row[key], len(_ORDER)))


def _count_true(condition: Column) -> Column:
    return F.sum(F.when(condition, 1).otherwise(0))


def _figures(has: set[str]) -> list[Column]:
    figures = [F.count("*").alias("rows"), _count_true(F.col("extractable")).alias("extractable")]
    figures += [F.avg(name).alias(name) for name in _MEANS if name in has]
    figures += [F.percentile_approx(name, 0.5, 10_000).alias(name) for name in _MEDIANS if name in has]
    return figures


def _as_figures(row: Row, has: set[str]) -> dict[str, Any]:
    figures = _share(row["rows"], row["extractable"] or 0)
    return figures | {name: finite(row[name]) if name in has else None for name in (*_MEANS, *_MEDIANS)}


def _by_everything(table: DataFrame, has: set[str], k_values: Sequence[int]) -> list[Row]:
    """Figures and sweep of all rows, then of each category, in one pass."""
    at_k = [_count_true(F.col("extractable_at_k")[place]).alias(f"k{k}") for place, k in enumerate(k_values)]
    counted = table.rollup("category").agg(*_figures(has), *at_k).collect()
    return [row for row in counted if row["category"] is None] + _by_category(
        row for row in counted if row["category"] is not None
    )


def _sweep(counted: Iterable[Row], k_values: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"category": row["category"] or "all", "k": k} | _share(row["rows"], row[f"k{k}"] or 0)
        for row in counted
        for k in k_values
    ]


def _groups(table: DataFrame, has: set[str]) -> list[Row]:
    """Rows by bucket of the number of duplicates, true category and category: some hundred groups at most."""
    bucket = F.when(F.col("duplicates") <= 0, -1).when(
        F.col("duplicates") > 0, F.floor(F.log2("duplicates")).cast("int")
    )
    truth = F.col("true_category") if "true_category" in has else F.lit(None).cast("string")
    grouped = table.groupBy(bucket.alias("bucket"), truth.alias("true_category"), "category")
    return grouped.agg(F.count("*").alias("rows"), _count_true(F.col("extractable")).alias("extractable")).collect()


def _duplicates(groups: Iterable[Row]) -> list[dict[str, Any]] | None:
    """Extractable share by the number of duplicates, in buckets 0, 1, 2-3, 4-7, ..."""
    counted: dict[int, list[int]] = {}
    for row in groups:
        if row["bucket"] is not None:
            found = counted.setdefault(row["bucket"], [0, 0])
            found[0] += row["rows"]
            found[1] += row["extractable"]
    result = []
    for bucket, (rows, extractable) in sorted(counted.items()):
        first, last = (0, 0) if bucket < 0 else (2**bucket, 2 ** (bucket + 1) - 1)
        label = str(first) if first == last else f"{first:,}-{last:,}"
        result.append({"from": first, "to": last, "label": label} | _share(rows, extractable))
    return result or None


def _bins(table: DataFrame, has: set[str]) -> dict[str, dict[str, Any] | None]:
    """The histograms, by category, in one pass."""
    values = {"memorization_score": F.col("memorization_score")} if "memorization_score" in has else {}
    if "log_p_z" in has:
        values["log10_p_z"] = F.col("log_p_z") / _LN10
    if not values:
        return dict.fromkeys(HISTOGRAM_BINS)
    keys = [_bin(value, HISTOGRAM_BINS[name]).alias(name) for name, value in values.items()]
    counted = _by_category(table.groupBy("category", *keys).count().collect())
    return {
        name: _histogram(counted, name, HISTOGRAM_BINS[name]) if name in values else None for name in HISTOGRAM_BINS
    }


def _bin(value: Column, bounds: tuple[float, float, int]) -> Column:
    """Number of the bin; -1 below all of them, null where there is no value."""
    low, high, bins = bounds
    place = (value - low) / ((high - low) / bins)
    within = F.greatest(F.lit(-1.0), F.least(place, F.lit(bins - 1.0)))  # first: infinity has no floor
    return F.when(value.isNotNull(), F.floor(within).cast("int"))


def _histogram(counted: Iterable[Row], name: str, bounds: tuple[float, float, int]) -> dict[str, Any]:
    low, high, bins = bounds
    counts: dict[str, list[int]] = {}
    below: dict[str, int] = {}
    for row in counted:
        if row[name] is None:
            continue
        category = row["category"]
        counts.setdefault(category, [0] * bins)
        below.setdefault(category, 0)
        if row[name] < 0:
            below[category] += row["count"]
        else:
            counts[category][row[name]] += row["count"]
    edges = np.linspace(low, high, bins + 1).round(10).tolist()
    return {"edges": edges, "counts": counts, "below": below}


def _membership(table: DataFrame, has: set[str]) -> list[dict[str, Any]] | None:
    """How well each score tells members of the training data from others, on at most about `MEMBERSHIP_ROWS` rows."""
    if "is_member" not in has or not {"loss", "min_k"} <= has:
        return None
    known = table.where("is_member is not null")
    total = known.count()
    if total > MEMBERSHIP_ROWS:
        known = known.where(F.pmod(F.xxhash64("sequence_id", F.lit("membership")), F.lit(total)) < MEMBERSHIP_ROWS)
    columns = known.select("is_member", *MEMBERSHIP_SCORES).toArrow()
    is_member = columns.column("is_member").to_numpy().astype(bool)
    result = []
    for name, sign in MEMBERSHIP_SCORES.items():
        scored = columns.column(name).is_valid().to_numpy()
        scores = sign * columns.column(name).drop_null().to_numpy().astype(np.float64)
        members = is_member[scored]
        if not members.any() or members.all():
            return None
        result.append(
            {
                "score": name,
                "members": int(members.sum()),
                "non_members": int((~members).sum()),
                "auroc": finite(auroc(scores, members)),
                "tpr_at_1_percent_fpr": finite(tpr_at_fpr(scores, members, 0.01)),
            }
        )
    return result


def label_check(pairs: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """How right the labels are, from (true category, label, rows) triples.

    Returns:
        Labels, confusion matrix [true][label], precision, recall and F1 per true category, and their macro average.
    """
    names = sorted({name for pair in pairs for name in pair[:2]}, key=lambda name: (_ORDER.get(name, 99), name))
    confusion = np.zeros((len(names), len(names)), np.int64)
    for truth, label, rows in pairs:
        confusion[names.index(truth), names.index(label)] += rows
    per_category = []
    for place, name in enumerate(names):
        hits, true_rows, labelled = confusion[place, place], confusion[place].sum(), confusion[:, place].sum()
        precision = hits / labelled if labelled else 0.0
        recall = hits / true_rows if true_rows else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        per_category.append(
            {
                "category": name,
                "rows": int(true_rows),
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
            }
        )
    true_names = [entry for entry in per_category if entry["rows"]]
    return {
        "truth_column": "true_category",
        "labels": names,
        "confusion": confusion.tolist(),
        "per_category": per_category,
        "macro_f1": sum(entry["f1"] for entry in true_names) / len(true_names) if true_names else None,
        "rows": int(confusion.sum()),
    }


def _label_check(groups: Iterable[Row]) -> dict[str, Any] | None:
    counted: dict[tuple[str, str], int] = {}
    for row in groups:
        if row["true_category"] is not None:
            pair = row["true_category"], row["category"]
            counted[pair] = counted.get(pair, 0) + row["rows"]
    return label_check([(*pair, rows) for pair, rows in counted.items()]) if counted else None


def _pii_types(table: DataFrame) -> list[dict[str, Any]]:
    counted = (
        table.select(F.explode(F.array_distinct("pii_types")).alias("type"), "extractable")
        .groupBy("type")
        .agg(F.count("*").alias("rows"), _count_true(F.col("extractable")).alias("extractable"))
        .orderBy(F.desc("rows"), "type")
        .collect()
    )
    return [row.asDict() for row in counted]


def summarize(
    sequences: DataFrame, metrics: DataFrame, labels: DataFrame, scores: DataFrame, k_values: Sequence[int]
) -> dict[str, Any]:
    """Everything in the summary that is counted from the tables."""
    kept = [name for name in ("is_member", "true_category") if name in sequences.columns]
    wanted = {"extractable", "extractable_at_k", "duplicates", *_MEANS, *_MEDIANS, *MEMBERSHIP_SCORES}
    table = metrics.select("sequence_id", *[name for name in metrics.columns if name in wanted])
    # Hashed, not sorted, and not broadcast: a column of few values is small on disk, however many its rows.
    table = table.join(labels.select("sequence_id", "category", "pii_types").hint("shuffle_hash"), "sequence_id")
    if kept:
        table = table.join(sequences.select("sequence_id", *kept).hint("shuffle_hash"), "sequence_id")
    table = table.persist()
    has = set(table.columns)
    try:
        overall, *by_category = counted = _by_everything(table, has, k_values)
        groups = _groups(table, has)
        return {
            "overall": _as_figures(overall, has),
            "categories": [
                {"category": row["category"], "harmful": row["category"] in _HARMFUL} | _as_figures(row, has)
                for row in by_category
            ],
            "sweep": _sweep(counted, k_values),
            "duplicates": _duplicates(groups),
            "histograms": _bins(table, has),
            "pii_types": _pii_types(table),
            "membership": _membership(table, has),
            "label_check": _label_check(groups),
            "near_ties": {
                "rows": scores.where(F.col("min_margin") < NEAR_TIE_MARGIN).count(),
                "margin": NEAR_TIE_MARGIN,
            },
        }
    finally:
        table.unpersist()


def column_reference(level: ScoreLevel) -> list[dict[str, str]]:
    """The glossary of the report: every column of every table that the run has."""
    tables = TABLES | {
        "scores": scores_columns(level),
        "metrics": (TABLES["metrics"][0], *metric_columns(level)),
    }
    return [{"table": table} | asdict(column) for table, columns in tables.items() for column in columns]
