"""A number of rows chosen by a hash of their ids: the same whatever the order and the partitioning."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def is_drawn(table: DataFrame, rows: int, seed: int) -> Column:
    """Whether a row of `table` is one of the `rows` with the smallest hashes of `sequence_id` and seed.

    Runs a job that sorts hashes and ids alone, on disk where they are many.

    Args:
        table: With at least one row and a column `sequence_id`.
        rows: At least 1.
        seed: Another one draws other rows.
    """
    draw = F.xxhash64("sequence_id", F.lit(seed).cast("long"))
    smallest = table.select(draw.alias("draw"), "sequence_id").orderBy("draw", "sequence_id").limit(rows)
    last = smallest.agg(F.max(F.struct("draw", "sequence_id")).alias("last")).first()["last"]
    return (draw < last["draw"]) | ((draw == last["draw"]) & (F.col("sequence_id") <= last["sequence_id"]))
