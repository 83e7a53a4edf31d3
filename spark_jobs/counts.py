"""Count: duplicates of each sequence and frequencies of each token, from tables given or from the training corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from data.counts import read_duplicates, read_token_counts
from spark_jobs.duplicates import count_duplicates, count_tokens
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import TOKEN_COUNTS, arrow_schema
from spark_jobs.watch import run_action

_COUNT_COLUMNS = ("duplicates", "copies")


def count_tables(
    spark: SparkSession,
    folder: RunFolder,
    config: RunConfig,
    sequences: DataFrame,
    vocab_size: int,
    on_share: Callable[[float], None],
) -> None:
    """Writes table `duplicates`, and `token_counts` where there is something to count from.

    A table given wins over the training corpus, and that over a column `duplicates` or `copies` of the sequences.
    """
    corpus = _corpus(spark, config.corpus) if config.corpus else None
    given = next((name for name in _COUNT_COLUMNS if name in sequences.columns), None)
    if config.duplicates:
        counts = spark.createDataFrame(read_duplicates(config.duplicates)).join(
            sequences.select("sequence_id"), "sequence_id", "left_semi"
        )
    elif corpus is not None:
        counts = count_duplicates(sequences, corpus)
    elif given:
        counts = sequences.select("sequence_id", F.col(given).cast("long").alias("duplicates"))
    else:
        counts = sequences.select("sequence_id", F.lit(None).cast("long").alias("duplicates")).limit(0)
    writing = folder.writing("duplicates")
    run_action(spark, "count: duplicates", lambda: counts.write.parquet(str(writing)), on_share)
    folder.publish(writing, "duplicates")

    tokens: np.ndarray | None = None
    if config.token_counts:
        tokens = read_token_counts(config.token_counts, vocab_size)
    elif corpus is not None:
        tokens = run_action(spark, "count: token frequencies", lambda: count_tokens(corpus, vocab_size))
    if tokens is not None:
        writing = folder.writing("token_counts")
        writing.mkdir()
        table = pa.table([np.arange(vocab_size), tokens], schema=arrow_schema(TOKEN_COUNTS))
        pq.write_table(table, writing / "part-00000.parquet")
        folder.publish(writing, "token_counts")


def _corpus(spark: SparkSession, spec: str) -> DataFrame:
    corpus = spark.read.parquet(str(Path(spec).expanduser().resolve()))
    return corpus.select(F.col("tokens").cast("array<int>").alias("tokens"))


def duplicates_table(spark: SparkSession, folder: RunFolder) -> DataFrame:
    """`sequence_id`, `duplicates`; rows with an unknown count are missing."""
    return spark.read.parquet(str(folder.table("duplicates")))


def token_counts(folder: RunFolder, vocab_size: int) -> np.ndarray | None:
    """int64 [V], or None where nothing was counted."""
    path = folder.table("token_counts")
    if not path.is_dir():
        return None
    counts = np.zeros(vocab_size, np.int64)
    table = pq.read_table(path)
    counts[table.column("token_id").to_numpy()] = table.column("count").to_numpy()
    return counts
