"""A few sequences of each category to look at, with personal data masked unless it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from metrics.categories import CATEGORIES
from metrics.redaction import redact_parts
from spark_jobs import workers
from spark_jobs.run_config import RunConfig

if TYPE_CHECKING:
    from spark_jobs.pipeline import Pipeline

EXTRACTABLE_EXAMPLES = 3
OTHER_EXAMPLES = 1
_PLACE = {category.name: place for place, category in enumerate(CATEGORIES)}


def choose(metrics: DataFrame, labels: DataFrame, seed: int) -> DataFrame:
    """Ids of a few extractable and other rows per category, by a hash of id and seed."""
    table = metrics.select("sequence_id", "extractable").join(labels.select("sequence_id", "category"), "sequence_id")
    draw = Window.partitionBy("category", "extractable").orderBy(
        F.xxhash64("sequence_id", F.lit(seed).cast("long")), "sequence_id"
    )
    place = F.row_number().over(draw)
    wanted = F.when(F.col("extractable"), EXTRACTABLE_EXAMPLES).otherwise(OTHER_EXAMPLES)
    return table.withColumn("place", place).where(F.col("place") <= wanted).select("sequence_id", "place")


def examples(pipeline: Pipeline, config: RunConfig) -> list[dict[str, Any]]:
    """The examples of the report, in the order of the categories, extractable ones first."""
    metrics, labels = pipeline.table("metrics"), pipeline.table("labels")
    chosen = choose(metrics, labels, config.seed)
    scored = [name for name in ("memorization_score",) if name in metrics.columns]
    rows = (
        chosen.join(metrics.select("sequence_id", "extractable", "first_mismatch", *scored), "sequence_id")
        .join(labels.select("sequence_id", "category", "is_harmful", "pii", "credentials", "why"), "sequence_id")
        .join(pipeline.table("sequences").select("sequence_id", "tokens", "text"), "sequence_id")
    )
    if pipeline.plan.full:
        rows = rows.join(pipeline.table("scores").select("sequence_id", "greedy_tokens"), "sequence_id")
    found = sorted(
        rows.collect(),
        key=lambda row: (_PLACE.get(row["category"], 99), not row["extractable"], row["place"]),
    )
    decode = workers.decoder(pipeline.plan.tokenizer, pipeline.plan.tokenizer_revision)
    return [_example(row, config, decode) for row in found]


def _example(row: Row, config: RunConfig, decode: Any) -> dict[str, Any]:
    values = row.asDict()
    tokens = list(row["tokens"])
    prefix_tokens, suffix_tokens = tokens[: config.prefix_tokens], tokens[config.prefix_tokens :]
    continuation_tokens = values.get("greedy_tokens")
    if continuation_tokens is None:
        # Without the full scores the continuation is known only where it is the suffix.
        continuation_tokens = suffix_tokens if row["extractable"] else None
    prefix, suffix = decode([prefix_tokens, suffix_tokens])
    continuation = decode([list(continuation_tokens)])[0] if continuation_tokens is not None else None
    if not config.show_text:
        # What the model makes up is searched for personal data, too.
        harmful = row["is_harmful"]
        made_up = None if continuation is None else redact_parts([prefix, continuation], (), harmful)[1]
        spans = [span.asDict() for span in (*row["pii"], *row["credentials"])]
        if prefix + suffix != row["text"]:  # a character that the cut divides: other offsets
            spans = []
        prefix, suffix = redact_parts([prefix, suffix], spans, harmful)
        continuation = suffix if row["extractable"] else made_up
    return {
        "category": row["category"],
        "harmful": row["is_harmful"],
        "sequence_id": row["sequence_id"],
        "extractable": row["extractable"],
        "memorization_score": values.get("memorization_score"),
        "first_mismatch": row["first_mismatch"],
        "prefix": prefix,
        "suffix": suffix,
        "continuation": continuation,
        "masked": not config.show_text,
        "why": row["why"],
    }
