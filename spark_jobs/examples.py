"""A few sequences of each category to look at, with personal data masked unless it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, Row, Window
from pyspark.sql import functions as F

from metrics.categories import CATEGORIES
from metrics.redaction import redact_parts
from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.run_config import RunConfig

if TYPE_CHECKING:
    from spark_jobs.pipeline import Pipeline

EXTRACTABLE_EXAMPLES = 3
OTHER_EXAMPLES = 1
_PLACE = {category.name: place for place, category in enumerate(CATEGORIES)}


def choose(metrics: DataFrame, labels: DataFrame, seed: int) -> DataFrame:
    """Ids of a few extractable and other rows per category, by a hash of id and seed."""
    categories = labels.select("sequence_id", "category")
    table = metrics.select("sequence_id", "extractable").join(categories.hint("shuffle_hash"), "sequence_id")
    draw = Window.partitionBy("category", "extractable").orderBy(
        F.xxhash64("sequence_id", F.lit(seed).cast("long")), "sequence_id"
    )
    # The first condition lets every task drop all but its first rows before they are gathered by category.
    table = table.withColumn("place", F.row_number().over(draw)).where(F.col("place") <= EXTRACTABLE_EXAMPLES)
    wanted = F.when(F.col("extractable"), EXTRACTABLE_EXAMPLES).otherwise(OTHER_EXAMPLES)
    return table.where(F.col("place") <= wanted).select("sequence_id", "place")


def examples(pipeline: Pipeline, config: RunConfig) -> list[dict[str, Any]]:
    """The examples of the report, in the order of the categories, extractable ones first."""
    metrics = pipeline.table("metrics")
    places = dict(choose(metrics, pipeline.table("labels"), config.seed).collect())
    columns = {
        "metrics": ["extractable", "first_mismatch", *({"memorization_score"} & set(metrics.columns))],
        "labels": ["category", "is_harmful", "pii", "credentials", "why"],
        "sequences": ["tokens", "text"],
    } | ({"scores": ["greedy_tokens"]} if pipeline.plan.level >= ScoreLevel.MEMORIZATION else {})
    rows = {number: {"place": place} for number, place in places.items()}
    for name, wanted in columns.items():
        # A few ids are looked for in each table: a join would send all of every table around.
        table = pipeline.table(name).select("sequence_id", *wanted)
        for row in table.where(F.col("sequence_id").isin(list(places))).collect():
            rows[row["sequence_id"]] |= row.asDict()
    found = sorted(
        rows.values(),
        key=lambda row: (_PLACE.get(row["category"], 99), not row["extractable"], row["place"]),
    )
    decode = workers.decoder(pipeline.plan.tokenizer, pipeline.plan.tokenizer_revision)
    return [_example(row, config, decode) for row in found]


def shown_texts(
    row: Mapping[str, Any] | Row,
    continuations: Sequence[Sequence[int] | None],
    prefix_tokens: int,
    decode: Callable[[Sequence[Sequence[int]]], list[str]],
    show_text: bool,
) -> tuple[str, str, list[str | None]]:
    """A sequence and what models make of its prefix, masked unless the text was asked for.

    Args:
        row: With `tokens` and `text` of the sequence, and `is_harmful`, `pii` and `credentials` of its label.
        continuations: Token lists; None where a continuation is not known.
        prefix_tokens: P.
        decode: Token lists -> texts.
        show_text: Mask nothing.

    Returns:
        Prefix, suffix, and the continuations.
    """
    tokens = list(row["tokens"])
    true = tokens[prefix_tokens:]
    known = [None if tokens is None else list(tokens) for tokens in continuations]
    prefix, suffix = decode([tokens[:prefix_tokens], true])
    texts = [None if tokens is None else decode([tokens])[0] for tokens in known]
    if show_text:
        return prefix, suffix, texts
    harmful = row["is_harmful"]
    spans = [span.asDict() for span in (*row["pii"], *row["credentials"])]
    if prefix + suffix != row["text"]:  # a character that the cut divides: other offsets
        spans = []
    masked_prefix, masked_suffix = redact_parts([prefix, suffix], spans, harmful)
    # What the model makes up is searched for personal data, too.
    masked = [
        None if text is None else masked_suffix if tokens == true else redact_parts([prefix, text], (), harmful)[1]
        for tokens, text in zip(known, texts, strict=True)
    ]
    return masked_prefix, masked_suffix, masked


def _example(row: Mapping[str, Any], config: RunConfig, decode: Any) -> dict[str, Any]:
    greedy = row.get("greedy_tokens")
    if greedy is None and row["extractable"]:
        # Where only the label was asked for, the continuation is known only where it is the suffix.
        greedy = row["tokens"][config.prefix_tokens :]
    prefix, suffix, [continuation] = shown_texts(row, [greedy], config.prefix_tokens, decode, config.show_text)
    return {
        "category": row["category"],
        "harmful": row["is_harmful"],
        "sequence_id": row["sequence_id"],
        "extractable": row["extractable"],
        "memorization_score": row.get("memorization_score"),
        "first_mismatch": row["first_mismatch"],
        "prefix": prefix,
        "suffix": suffix,
        "continuation": continuation,
        "masked": not config.show_text,
        "why": row["why"],
    }
