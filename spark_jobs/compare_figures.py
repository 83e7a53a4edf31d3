"""The figures of a group of rows under a model, for every model and every group in one pass over the joined tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from metrics.diversity import unique_ngrams
from metrics.intervals import wilson_interval
from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.continuations import EL_10, FLUENCY
from spark_jobs.measured_run import MeasuredRun
from spark_jobs.partitions import tasks_for
from spark_jobs.summarize import finite
from spark_jobs.watch import run_action

Group = tuple[str, str | None, str | None]
"""Model, split, category; None is all of them."""

_KEYS = ("model", "split", "category")
_GROUPS = [_KEYS, ("model", "split"), ("model",)]
_NGRAMS = (1, 2, 3)
_PLACES = ("first", "second", "third")  # of an n-gram; -1 where it is shorter
_NGRAM_SCHEMA = "model string, split string, category string, n int, first int, second int, third int"
_LN_LN2 = math.log(math.log(2))
_MEANS = ("memorization_score", "memorization_accuracy", "n_sacrebleu")
# Below `--scores full` none of these is compared.
_FULL = {
    "log_p_z": "double",
    "log_tries_p50": "double",
    **dict.fromkeys(_MEANS, "double"),
    "el_10": "double",
    "deep_extractable": "boolean",
    "nll": "double",
    "greedy_tokens": "array<int>",
}


def joined(spark: SparkSession, runs: Mapping[str, MeasuredRun], rows: DataFrame) -> DataFrame:
    """One row for each model and sequence, with what the tables of the runs say.

    Args:
        spark: The session.
        runs: Model to its run, `before` first.
        rows: `sequence_id`, `split`, `category`, `was_extractable`, `place`.
    """
    table = reduce(DataFrame.unionAll, [_of_run(spark, model, run) for model, run in runs.items()])
    before = runs["before"]
    if before.level == ScoreLevel.FULL:
        logprob = F.slice("logprob", -before.suffix_tokens, before.suffix_tokens)
        nll = F.greatest(-_sum(logprob) / before.suffix_tokens, F.lit(0.0)).alias("suffix_nll")
        rows = rows.join(before.table(spark, "scores").select("sequence_id", nll), "sequence_id")
    else:
        rows = rows.withColumn("suffix_nll", F.lit(None).cast("double"))
    return table.join(rows, "sequence_id")


def _with_answers(table: DataFrame, answers: Mapping[str, DataFrame | None]) -> DataFrame:
    """The table with EL_10 of all rows chosen for it (and no others), and `continuation_nll` of those chosen for that.

    Args:
        table: From `joined`.
        answers: From `ask_models`.
    """
    for name, frame in answers.items():
        if frame is None:
            table = table.withColumn(name, F.lit(None).cast("double"))
        else:
            value = frame.select("sequence_id", "model", F.col("value").alias(name))
            table = table.join(value, ["sequence_id", "model"], "left")
    el_10 = F.when(EL_10.chosen(), F.coalesce("el_10", EL_10.name))
    # A continuation is the true suffix exactly where the row is extractable.
    nll = F.when(F.col("extractable"), F.col("suffix_nll")).otherwise(F.col(FLUENCY.name))
    nll = F.when(FLUENCY.chosen() & F.col("greedy_tokens").isNotNull(), nll)
    return table.withColumn("el_10", el_10).withColumn("continuation_nll", nll)


def _of_run(spark: SparkSession, model: str, run: MeasuredRun) -> DataFrame:
    metrics = run.table(spark, "metrics")
    id_and_model = ("sequence_id", F.lit(model).alias("model"), "extractable")
    if run.level < ScoreLevel.FULL:
        return metrics.select(*id_and_model, *[F.lit(None).cast(kind).alias(name) for name, kind in _FULL.items()])
    # ln n grows on where n itself is beyond float64: there ceil is nothing, and n = ln 2 / p_z.
    log_tries = F.when(F.col("n_p50") < F.lit(math.inf), F.log("n_p50")).otherwise(_LN_LN2 - F.col("log_p_z"))
    last = run.suffix_tokens - run.suffix_tokens // 2
    scores = run.table(spark, "scores").select(
        "sequence_id",
        F.forall(F.slice("rank", -last, last), lambda rank: rank == 0).alias("deep_extractable"),
        (-_sum(F.col("logprob"))).alias("nll"),
        "greedy_tokens",
    )
    table = metrics.withColumn("log_tries_p50", log_tries).join(scores, "sequence_id")
    return table.select(*id_and_model, *_FULL)


def _sum(values: Column) -> Column:
    return F.aggregate(values, F.lit(0.0), lambda total, value: total + value.cast("double"))


def figures(
    spark: SparkSession,
    table: DataFrame,
    answers: Mapping[str, DataFrame | None],
    sizes: Mapping[str, int],
    suffix_tokens: int,
) -> dict[Group, dict[str, Any]]:
    """The figures of every group: each category within each split, each split, and all rows, under each model.

    Args:
        spark: The session.
        table: From `joined`.
        answers: From `ask_models`.
        sizes: Rows of each split; where splits come together, a sampled row stands for as many of its split.
        suffix_tokens: S.

    Returns:
        Group to what `comparison.json` says of it, and `_nll`, `_not_recited`, `_nll_not_recited`: the negative
        log-likelihood of all rows, how many were not extractable before, and theirs.
    """
    counted = run_action(
        spark,
        "compare: figures by split and category",
        _with_answers(table, answers).groupingSets(_GROUPS, *_KEYS).agg(*_aggregates(sizes)).collect,
    )
    ngrams = _distinct_ngrams(spark, table, sum(sizes.values()))
    return {
        tuple(row[key] for key in _KEYS): _as_figures(
            row, {n: ngrams.get((*(row[key] for key in _KEYS), n)) for n in _NGRAMS}, suffix_tokens
        )
        for row in counted
    }


def _aggregates(sizes: Mapping[str, int]) -> list[Column]:
    def median(name: str) -> Column:
        return F.percentile_approx(name, 0.5, 10_000)

    def rows(condition: Column) -> Column:
        return F.sum(condition.cast("int"))

    def weighted(name: str, weights: Mapping[str, float]) -> Column:
        weight = F.create_map(*[F.lit(value) for pair in weights.items() for value in pair])[F.col("split")]
        return F.sum(weight * F.col(name)) / F.sum(F.when(F.col(name).isNotNull(), weight))

    was, extractable = F.col("was_extractable"), F.col("extractable")
    named = {
        "rows": F.count("*"),
        "extractable": rows(extractable),
        "was_extractable": rows(was),
        "still_extractable": rows(was & extractable),
        "deep_extractable": rows(F.col("deep_extractable")),
        "log_p_z": median("log_p_z"),
        "log_p_z_mean": F.avg("log_p_z"),
        "log_tries_p50": median("log_tries_p50"),
        **{name: F.avg(name) for name in _MEANS},
        "el_10": weighted("el_10", EL_10.rows_each_stands_for(sizes)),
        "el_10_rows": F.count("el_10"),
        "fluency": F.exp(weighted("continuation_nll", FLUENCY.rows_each_stands_for(sizes))),
        "greedy_rows": F.count("greedy_tokens"),
        "_nll": F.sum("nll"),
        "_not_recited": rows(~was),
        "_nll_not_recited": F.sum(F.when(~was, F.col("nll"))),
    }
    return [column.alias(name) for name, column in named.items()]


def _as_figures(row: Row, ngrams: Mapping[int, int | None], suffix_tokens: int) -> dict[str, Any]:
    rows, was, deep = row["rows"], row["was_extractable"], row["deep_extractable"]
    share = _share(row["extractable"], rows)
    kept = _share(row["still_extractable"], was)
    deeper = _share(deep, rows) if deep is not None else (None, None, None)
    figures = {
        "rows": rows,
        "extractable": row["extractable"],
        **dict(zip(("share", "low", "high"), share, strict=True)),
        "was_extractable": was,
        **dict(zip(("kept", "kept_low", "kept_high"), kept, strict=True)),
        "deep_extractable": deep,
        **dict(zip(("deep_share", "deep_low", "deep_high"), deeper, strict=True)),
    }
    for name in ("log_p_z", "log_p_z_mean", "log_tries_p50", "memorization_score", "memorization_accuracy", "el_10"):
        figures[name] = finite(row[name])
    figures |= {"el_10_rows": row["el_10_rows"], "n_sacrebleu": finite(row["n_sacrebleu"])}
    for n, distinct in ngrams.items():
        total = row["greedy_rows"] * max(suffix_tokens - n + 1, 0)
        figures[f"distinct_{n}"] = distinct / total if total and distinct else None
    figures["fluency"] = finite(row["fluency"])
    return figures | {name: row[name] for name in ("_nll", "_not_recited", "_nll_not_recited")}


def _share(part: int, rows: int) -> tuple[float | None, float | None, float | None]:
    """Share and its Wilson interval; None of nothing."""
    return (part / rows, *wilson_interval(part, rows)) if rows else (None, None, None)


def _distinct_ngrams(spark: SparkSession, table: DataFrame, rows: int) -> dict[tuple[str | int | None, ...], int]:
    """How many different n-grams the greedy continuations of each group hold, by model, split, category and n."""
    part = F.pmod(F.xxhash64("sequence_id"), F.lit(tasks_for(rows))).alias("part")
    ngrams = (
        table.where("greedy_tokens is not null")
        .select(*_KEYS, part, "greedy_tokens")
        .groupBy(*_KEYS, "part")
        .applyInArrow(_ngrams_of_part, _NGRAM_SCHEMA)
    )
    keys = (*_KEYS, "n")
    counted = ngrams.groupingSets([(*group, "n") for group in _GROUPS], *keys).agg(
        F.countDistinct(*_PLACES).alias("distinct")
    )
    found = run_action(spark, "compare: distinct n-grams of the continuations", counted.collect)
    return {tuple(row[key] for key in keys): row["distinct"] for row in found}


def _ngrams_of_part(table: pa.Table) -> pa.Table:
    tokens = workers.matrix(table.column("greedy_tokens"), table.num_rows)
    parts = []
    for n in _NGRAMS:
        ngrams = unique_ngrams(tokens, n).astype(np.int32)
        keys = [pa.array([table.column(key)[0].as_py()] * len(ngrams), pa.string()) for key in _KEYS]
        # Integers side by side are counted many times faster than lists.
        places = np.full((len(_PLACES), len(ngrams)), -1, np.int32)
        places[:n] = ngrams.T
        columns = [*keys, pa.array(np.full(len(ngrams), n, np.int32)), *map(pa.array, places)]
        parts.append(pa.Table.from_arrays(columns, names=[*_KEYS, "n", *_PLACES]))
    return pa.concat_tables(parts)
