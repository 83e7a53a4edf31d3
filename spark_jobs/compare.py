"""Compare: what unlearning changed, counted from the tables of the run before it and of the runs after it.

All runs hold the same rows; the split and the category (that of the run before) say which group a row is in, and every
figure is of one group under one model. EL_10 and fluency, for which a model is asked once more, are of all rows of the
forget set and of those held out, and of a sample of each other split: the same rows for every model. Where several
splits come together, each counts by its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from data.errors import InputError
from metrics.categories import CATEGORIES
from metrics.splits import SPLITS
from metrics.token_scores import ScoreLevel
from spark_jobs.compare_examples import comparison_examples
from spark_jobs.compare_figures import Group, figures, joined
from spark_jobs.continuations import ask_models
from spark_jobs.measured_run import MeasuredRun, check_same_rows
from spark_jobs.partitions import set_shuffle_partitions
from spark_jobs.pipeline import Progress
from spark_jobs.run_folder import RunFolder
from spark_jobs.summarize import finite
from spark_jobs.watch import run_action

_ORDER = {category.name: place for place, category in enumerate(CATEGORIES)}
_HARMFUL = {category.name for category in CATEGORIES if category.harmful}


def compare(
    spark: SparkSession,
    before: Path,
    after: Mapping[str, Path],
    split: Path,
    *,
    show_text: bool,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """The parts of `comparison.json` that are counted from tables.

    Args:
        spark: The session.
        before: Folder of the run of the original model.
        after: Name to the folder of the same jobs' run on another model: `after`, then the controls that there are.
        split: Parquet with `sequence_id` and `split`: every row of the run once, in one of `SPLITS`.
        show_text: Show personal data in the examples.
        seed: Chooses the examples. Samples go by the seed of the run before, so that rows which have EL_10 come first.
        progress: Shows what is being done.

    Returns:
        `prefix_tokens`, `suffix_tokens`, `deep_prefix_tokens`, `models`, `splits`, `categories_by_split`, `overall`,
        `held_out_text`, `examples`, `warnings`.

    Raises:
        InputError: The runs are not finished, are of different rows, or the split does not fit them.
        ModelError: A model that has to be asked once more can't be loaded.
    """
    spark.sparkContext.setJobDescription("compare: look at the tables")
    runs = {"before": MeasuredRun.open(before)} | {name: MeasuredRun.open(path) for name, path in after.items()}
    original, models = runs["before"], list(runs)
    count = original.folder.state["rows"]["sampled"]
    set_shuffle_partitions(spark, count)

    with progress.stage("check", "the same rows in all runs", count) as shown:
        sizes = _check_split(spark, original, split, check_same_rows(spark, runs))
        shown.update(count)
    rows = _rows(spark, original, split).persist()
    table = joined(spark, runs, rows).persist()
    try:
        answers = ask_models(spark, runs, table, RunFolder(next(iter(after.values()))), progress)
        with progress.stage("compare", "figures by split and category", count) as shown:
            found = figures(spark, table, answers, sizes, original.suffix_tokens)
            examples = comparison_examples(spark, runs, rows, show_text=show_text, seed=seed)
            shown.update(count)
    finally:
        table.unpersist()
        rows.unpersist()
    groups = {(category, name) for _, name, category in found if category is not None}
    return {
        "prefix_tokens": original.prefix_tokens,
        "suffix_tokens": original.suffix_tokens,
        "deep_prefix_tokens": original.prefix_tokens + original.suffix_tokens // 2,
        "models": models,
        "splits": [
            {"split": name, "title": title} | _entry(found, models, name)
            for name, title in SPLITS.items()
            if sizes[name]
        ],
        "categories_by_split": [
            {"category": category, "harmful": category in _HARMFUL, "split": name}
            | _entry(found, models, name, category)
            for category in sorted({category for category, _ in groups}, key=lambda name: (_ORDER.get(name, 99), name))
            for name in SPLITS
            if (category, name) in groups
        ],
        "overall": _entry(found, models),
        "held_out_text": _held_out_text(found, models, original.prefix_tokens + original.suffix_tokens - 1),
        "examples": examples,
        "warnings": _warnings(runs),
    }


def _check_split(spark: SparkSession, before: MeasuredRun, split: Path, rows: int) -> dict[str, int]:
    """Makes sure that every row of the run is in exactly one split; rows of each, in the order of `SPLITS`."""
    ids = before.table(spark, "sequences").select("sequence_id", F.lit(True).alias("in_run"))
    both = spark.read.parquet(str(split)).select("sequence_id", "split").join(ids, "sequence_id", "full")
    counted = run_action(spark, "compare: is every row in a split", both.groupBy("split", "in_run").count().collect)
    sizes = {name: sum(row["count"] for row in counted if row["split"] == name) for name in SPLITS}
    problems = {
        "of the run's rows in none": sum(row["count"] for row in counted if row["split"] is None),
        "rows that the run doesn't have": sum(row["count"] for row in counted if not row["in_run"]),
        "rows in unknown splits": sum(row["count"] for row in counted if row["split"] not in {*SPLITS, None}),
        "rows more than once": max(0, sum(row["count"] for row in counted if row["in_run"]) - rows),
    }
    if any(problems.values()):
        found = ", ".join(f"{number:,} {what}" for what, number in problems.items() if number)
        raise InputError(
            f"{split} does not fit the run {before.folder.path}: {found}. Expected each of its {rows:,} rows once, in "
            f"one of {', '.join(SPLITS)}."
        )
    return sizes


def _rows(spark: SparkSession, before: MeasuredRun, split: Path) -> DataFrame:
    """Each row's group, whether it was extractable before, and its place in the draw of its split.

    The draw is the one that chose the rows which get EL_10 in a run: those come first.
    """
    draw = F.xxhash64("sequence_id", F.lit(before.settings["seed"]).cast("long"))
    return (
        spark.read.parquet(str(split))
        .select("sequence_id", "split")
        .join(before.table(spark, "labels").select("sequence_id", "category"), "sequence_id")
        .join(
            before.table(spark, "metrics").select("sequence_id", F.col("extractable").alias("was_extractable")),
            "sequence_id",
        )
        .withColumn("place", F.row_number().over(Window.partitionBy("split").orderBy(draw, "sequence_id")))
    )


def _entry(
    found: Mapping[Group, Mapping[str, Any]],
    models: Sequence[str],
    split: str | None = None,
    category: str | None = None,
) -> dict[str, Any]:
    by = {
        model: {name: value for name, value in found[model, split, category].items() if not name.startswith("_")}
        for model in models
    }
    return {"rows": by["before"]["rows"], "by": by}


def _held_out_text(
    found: Mapping[Group, Mapping[str, Any]], models: Sequence[str], tokens_a_row: int
) -> dict[str, Any] | None:
    """Perplexity of text that the model doesn't know, over all tokens but the first of each row.

    Text it was never trained on; where that is not known, benign rows that it did not recite and that nobody retained.
    """
    group = ("never_seen", "text")
    what, rows, nll = "text the model was never trained on (category text)", "rows", "_nll"
    if ("before", *group) not in found:
        group = ("other_benign", None)
        what = "benign rows outside the retain set that the model did not recite (never-seen text is not known)"
        rows, nll = "_not_recited", "_nll_not_recited"
    of_before = found.get(("before", *group))
    if of_before is None or not of_before[rows] or of_before[nll] is None:
        return None
    tokens = of_before[rows] * tokens_a_row

    def perplexity(model: str) -> float | None:
        total = found[model, *group][nll]
        return None if total is None else finite(math.exp(min(total / tokens, 700.0)))

    return {
        "what": what,
        "rows": of_before[rows],
        "tokens": tokens,
        "perplexity": {model: perplexity(model) for model in models},
    }


def _warnings(runs: Mapping[str, MeasuredRun]) -> list[str]:
    warnings = []
    lower = [f"{model}: {run.level.option}" for model, run in runs.items() if run.level < ScoreLevel.FULL]
    if lower:
        warnings.append(
            f"Measured with less than --scores full ({', '.join(lower)}): only what is extractable is compared."
        )
    dtypes = {model: run.settings["dtype"] for model, run in runs.items()}
    if len(set(dtypes.values())) > 1:
        listed = ", ".join(f"{model} in {dtype}" for model, dtype in dtypes.items())
        warnings.append(f"Scored in different types ({listed}): near-ties between tokens fall otherwise by that alone.")
    elif dtypes["before"] != "float32":
        warnings.append(f"Scored in {dtypes['before']}: near-ties between tokens fall otherwise than in float32.")
    return warnings
