"""Prepare: the source's rows become the `sequences` table; rows that cannot be measured go to `rejected`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from data import DUPLICATE_ID, Source, output_schema, prepare, read_shard
from data.errors import InputError
from spark_jobs import workers
from spark_jobs.draw import is_drawn
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import REJECTED
from spark_jobs.watch import run_action


@dataclass(frozen=True)
class PrepareSettings:
    """What a worker needs to know to prepare a row."""

    tokenizer: str
    tokenizer_revision: str | None
    prefix_tokens: int
    suffix_tokens: int
    vocab_size: int
    sample: int | None
    seed: int


def _prepare_shards(source: Source, settings: PrepareSettings) -> workers.ArrowFunction:
    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tokenizer = workers.tokenizer(settings.tokenizer, settings.tokenizer_revision)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                shard = source.shards[number]
                for rows in read_shard(shard):
                    yield prepare(
                        rows,
                        source,
                        shard,
                        tokenizer,
                        prefix_tokens=settings.prefix_tokens,
                        suffix_tokens=settings.suffix_tokens,
                        vocab_size=settings.vocab_size,
                    )

    return run


def _repeated_ids(prepared: DataFrame) -> DataFrame:
    """`sequence_id` of several accepted rows, and `first`, the `input_order` of the first of them."""
    counted = prepared.where("reason is null").groupBy("sequence_id")
    counted = counted.agg(F.count("*").alias("times"), F.min("input_order").alias("first"))
    return counted.where("times > 1").select("sequence_id", "first")


def _without_repeated_ids(prepared: DataFrame, repeated: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The accepted rows, each id once (the first in input order), and the rows that repeat an id."""
    joined = prepared.where("reason is null").join(repeated, "sequence_id", "left")
    is_first = F.col("first").isNull() | (F.col("first") == F.col("input_order"))
    return joined.where(is_first).drop("first"), joined.where(~is_first).drop("first")


def _rejected(prepared: DataFrame, repeats: DataFrame) -> DataFrame:
    columns = [column.name for column in REJECTED]
    as_came = F.to_json(F.struct(*[F.col(f"`{c}`") for c in prepared.columns if c not in {*columns, "input_order"}]))
    again = repeats.withColumns(
        {
            "reason": F.lit(DUPLICATE_ID),
            "detail": F.concat(F.lit("sequence_id "), "sequence_id", F.lit(" was in an earlier row")),
            "raw": as_came,
        }
    )
    return prepared.where("reason is not null").select(columns).unionByName(again.select(columns))


def prepare_tables(
    spark: SparkSession,
    folder: RunFolder,
    source: Source,
    settings: PrepareSettings,
    on_share: Callable[[float], None],
) -> dict[str, int]:
    """Writes tables `sequences` and `rejected`.

    Returns:
        Rows `read`, `accepted`, `rejected`, and `sampled` (what is in `sequences`).

    Raises:
        InputError: Not one row can be measured; `rejected` says why.
    """
    shards = len(source.shards)
    staging = folder.writing("prepared")
    schema = from_arrow_schema(output_schema(source))
    frame = spark.range(0, shards, 1, shards).mapInArrow(_prepare_shards(source, settings), schema)
    run_action(spark, "prepare: read, tokenize, check", lambda: frame.write.parquet(str(staging)), on_share)

    prepared = spark.read.schema(schema).parquet(str(staging))
    read = run_action(spark, "prepare: count rows", prepared.count)
    if read == 0:
        raise InputError(f"{source.name} has no rows; expected at least one sequence.")
    # In a file they are found once for both joins, and Spark knows how many they are before it broadcasts them.
    ids = folder.writing("repeated")
    repeated = _repeated_ids(prepared)
    run_action(spark, "prepare: find repeated ids", lambda: repeated.write.parquet(str(ids)))
    accepted, repeats = _without_repeated_ids(prepared, spark.read.schema(repeated.schema).parquet(str(ids)))
    rejected = _rejected(prepared, repeats)
    writing = folder.writing("rejected")
    run_action(
        spark,
        "prepare: set rejected rows aside",
        lambda: rejected.sort("source", "row").coalesce(1).write.parquet(str(writing)),
    )
    folder.publish(writing, "rejected")
    set_aside = spark.read.parquet(str(folder.table("rejected"))).count()
    if set_aside == read:
        rejects = spark.read.parquet(str(folder.table("rejected")))
        counted = rejects.groupBy("reason").agg(F.count("*").alias("rows"), F.first("detail").alias("detail"))
        reasons = [f"{row['rows']:,} {row['reason']} ({row['detail']})" for row in counted.orderBy("reason").collect()]
        raise InputError(
            f"none of the {read:,} rows of {source.name} can be measured: {'; '.join(reasons)}. Rows and reasons are "
            f"in {folder.table('rejected')}; what is too short for one window may do for a smaller one "
            "(--prefix-tokens, --suffix-tokens)."
        )
    kept = accepted.drop(*[column.name for column in REJECTED])
    if settings.sample is not None and settings.sample < read - set_aside:
        drawn = run_action(spark, "prepare: draw a sample", lambda: is_drawn(kept, settings.sample, settings.seed))
        kept = kept.where(drawn)
    writing = folder.writing("sequences")
    run_action(
        spark,
        "prepare: write sequences",
        lambda: kept.sort("input_order").drop("input_order").write.parquet(str(writing)),
    )
    folder.publish(writing, "sequences")
    for finished in (staging, ids):
        shutil.rmtree(finished)
    accepted_rows = read - set_aside
    sampled = accepted_rows if settings.sample is None else min(settings.sample, accepted_rows)
    return {"read": read, "accepted": accepted_rows, "rejected": set_aside, "sampled": sampled}


def rejected_by_reason(spark: SparkSession, folder: RunFolder) -> dict[str, int]:
    """Rows set aside, by reason, most frequent first."""
    counted = spark.read.parquet(str(folder.table("rejected"))).groupBy("reason").count()
    return {row["reason"]: row["count"] for row in counted.orderBy(F.desc("count"), "reason").collect()}
