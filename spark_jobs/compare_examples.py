"""A few sequences with what the model said before and after, personal data masked unless it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.examples import shown_texts
from spark_jobs.measured_run import MeasuredRun
from spark_jobs.watch import run_action

EXAMPLES = {"forget": 4, "held_out": 2, "retain": 2, "other_benign": 2}
"""How many of each split."""


def choose(rows: DataFrame, seed: int) -> DataFrame:
    """A few rows of each split by a hash of id and seed, those that were extractable before first.

    Args:
        rows: `sequence_id`, `split`, `category`, `was_extractable`.
        seed: Another seed, other rows.
    """
    wanted = F.create_map(*[F.lit(value) for pair in EXAMPLES.items() for value in pair])
    draw = Window.partitionBy("split").orderBy(
        F.desc("was_extractable"), F.xxhash64("sequence_id", F.lit(seed).cast("long")), "sequence_id"
    )
    return (
        rows.where(F.col("split").isin(*EXAMPLES))
        .withColumn("place", F.row_number().over(draw))
        .where(F.col("place") <= wanted[F.col("split")])
        .select("sequence_id", "split", "category", "place")
    )


def comparison_examples(
    spark: SparkSession, runs: Mapping[str, MeasuredRun], rows: DataFrame, *, show_text: bool, seed: int
) -> list[dict[str, Any]]:
    """The examples of the report, by split.

    Args:
        spark: The session.
        runs: Model to its run, `before` first.
        rows: As for `choose`.
        show_text: Mask nothing.
        seed: Chooses the rows.
    """
    before = runs["before"]
    chosen = (
        choose(rows, seed)
        .join(before.table(spark, "sequences").select("sequence_id", "tokens", "text"), "sequence_id")
        .join(
            before.table(spark, "labels").select("sequence_id", "is_harmful", "pii", "credentials"),
            "sequence_id",
        )
    )
    suffix = F.slice("tokens", before.prefix_tokens + 1, before.suffix_tokens)
    for model, run in runs.items():
        if run.level >= ScoreLevel.MEMORIZATION:
            greedy = run.table(spark, "scores").select("sequence_id", F.col("greedy_tokens").alias(f"{model}_tokens"))
            chosen = chosen.join(greedy, "sequence_id")
        else:
            # Where only the label was asked for, the continuation is known only where it is the suffix.
            label = run.table(spark, "metrics").select("sequence_id", F.col("extractable").alias(f"{model}_label"))
            chosen = chosen.join(label, "sequence_id").withColumn(
                f"{model}_tokens", F.when(F.col(f"{model}_label"), suffix)
            )
    found = run_action(spark, "compare: choose examples", chosen.collect)
    places = {split: place for place, split in enumerate(EXAMPLES)}
    decode = workers.decoder(before.settings["tokenizer"], before.settings["tokenizer revision"])
    result = []
    for row in sorted(found, key=lambda row: (places[row["split"]], row["place"])):
        continuations: Sequence[Sequence[int] | None] = [row[f"{model}_tokens"] for model in runs]
        prefix, true, texts = shown_texts(row, continuations, before.prefix_tokens, decode, show_text)
        true_tokens = list(row["tokens"])[before.prefix_tokens :]
        result.append(
            {
                "split": row["split"],
                "category": row["category"],
                "harmful": row["is_harmful"],
                "sequence_id": row["sequence_id"],
                "prefix": prefix,
                "suffix": true,
                **dict(zip(runs, texts, strict=True)),
                # Two texts can be the same but for what is masked in them.
                "extractable": {
                    model: tokens is not None and list(tokens) == true_tokens
                    for model, tokens in zip(runs, continuations, strict=True)
                },
                "masked": not show_text,
            }
        )
    return result
