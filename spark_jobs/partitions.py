"""How many pieces Spark cuts a table into: enough to keep every core busy, few enough not to be all scheduling."""

from __future__ import annotations

from pyspark.sql import SparkSession

from metrics.loading import resolve_device
from spark_jobs.session import is_local

ROWS_PER_TASK = 16_384
# Rows that a model reads: what a CPU is busy with for a while, and what fills a GPU for one pass.
_MODEL_ROWS = 1024


def tasks_for(rows: int) -> int:
    """Pieces of at most `ROWS_PER_TASK` rows, at least one."""
    return max(1, -(-rows // ROWS_PER_TASK))


def spread(spark: SparkSession, rows: int) -> int:
    """Pieces for `rows` rows on this session: as `tasks_for`, and two for each core at least."""
    return max(2 * spark.sparkContext.defaultParallelism, tasks_for(rows))


def model_tasks(spark: SparkSession, rows: int, device: str) -> int:
    """Pieces for `rows` rows that a model reads, each in a task with the model on its device.

    A local Spark knows of no GPU: there one task at a time reads them all, else every core would hold a model on the
    card. On a cluster with GPUs a piece has rows enough for a pass, and some `ROWS_PER_TASK` at most.

    Args:
        spark: The session.
        rows: How many.
        device: What was asked for, as in `RunConfig`.
    """
    context, conf = spark.sparkContext, spark.sparkContext.getConf()
    plenty = 4 * context.defaultParallelism
    if is_local(context.master) and not resolve_device(device).startswith("cpu"):
        return 1
    if device.startswith("cuda") or (device == "auto" and conf.contains("spark.task.resource.gpu.amount")):
        return max(min(plenty, rows // _MODEL_ROWS), tasks_for(rows))
    return max(plenty, -(-rows // _MODEL_ROWS))


def set_shuffle_partitions(spark: SparkSession, rows: int) -> None:
    """Lets shuffles make so many pieces: Spark's fixed 200 cost a small run seconds a job.

    And lets a table be broadcast only once it has been seen to be small: what Spark makes of a file's size is off by
    orders of magnitude where a column compresses well, and the driver would hold all of it. For the same reason pieces
    are put together up to 16 MB of what is shuffled only: with Spark's 64 MB, the hash map of one piece of 5 million
    rows found no room in a heap of 2 GB. Of a table that is kept in memory they are put together, too.
    """
    spark.conf.set("spark.sql.shuffle.partitions", spread(spark, rows))
    spark.conf.set("spark.sql.adaptive.advisoryPartitionSizeInBytes", "16MB")
    spark.conf.set("spark.sql.optimizer.canChangeCachedPlanOutputPartitioning", True)
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", -1)
    spark.conf.set("spark.sql.adaptive.autoBroadcastJoinThreshold", "10MB")
