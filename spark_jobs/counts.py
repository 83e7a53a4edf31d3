"""Count: duplicates of each sequence and frequencies of each token, from tables given or from the training corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.dataset import dataset
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from data.corpus import open_corpus
from data.counts import read_duplicates, read_token_counts
from spark_jobs import workers
from spark_jobs.duplicates import count_in_corpus
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import DUPLICATES, TOKEN_COUNTS, arrow_schema
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
    tokens = read_token_counts(config.token_counts, vocab_size) if config.token_counts else None
    writing = folder.writing("duplicates")
    if config.corpus and not (config.duplicates and config.token_counts):
        counted, in_corpus = _counted(spark, folder, config, vocab_size, on_share)
        tokens = in_corpus if tokens is None else tokens
    if config.corpus and not config.duplicates:
        writing.mkdir()
        pq.write_table(counted, writing / "part-00000.parquet")
    else:
        only_in_corpus = [F.lit(None).cast("long").alias(column.name) for column in DUPLICATES[2:]]
        known = _known(spark, config, sequences).select("sequence_id", "duplicates", *only_in_corpus)
        run_action(spark, "count: duplicates", lambda: known.write.parquet(str(writing)), on_share)
    folder.publish(writing, "duplicates")
    if tokens is not None:
        writing = folder.writing("token_counts")
        writing.mkdir()
        table = pa.table([np.arange(vocab_size), tokens], schema=arrow_schema(TOKEN_COUNTS))
        pq.write_table(table, writing / "part-00000.parquet")
        folder.publish(writing, "token_counts")


def _counted(
    spark: SparkSession, folder: RunFolder, config: RunConfig, vocab_size: int, on_share: Callable[[float], None]
) -> tuple[pa.Table, np.ndarray]:
    """Table `duplicates` and, int64 [V], the token counts of the training corpus."""
    split, T = config.prefix_tokens, config.prefix_tokens + config.suffix_tokens
    ids, tokens = _ids_and_tokens(folder.table("sequences"), T)
    slices = {"whole": slice(0, T), "prefix": slice(0, split), "suffix": slice(split, T)}
    counts, token_counts = count_in_corpus(
        spark, tokens, slices, open_corpus(config.corpus), vocab_size, folder.writing("windows"), on_share
    )
    columns = [ids, *(counts[name] for name in ("whole", "prefix", "suffix"))]
    return pa.table(columns, schema=arrow_schema(DUPLICATES)), token_counts


def _ids_and_tokens(table: Path, T: int) -> tuple[np.ndarray, np.ndarray]:
    """int64 [N] and int32 [N, T]: 4 T + 8 bytes a row in this process, and no second copy while it is read."""
    rows = dataset(table)
    N = rows.count_rows()
    ids, tokens = np.empty(N, np.int64), np.empty((N, T), np.int32)
    start = 0
    for batch in rows.to_batches(columns=["sequence_id", "tokens"]):
        place = slice(start, start := start + batch.num_rows)
        ids[place], tokens[place] = batch.column("sequence_id"), workers.matrix(batch.column("tokens"), batch.num_rows)
    return ids, tokens


def _known(spark: SparkSession, config: RunConfig, sequences: DataFrame) -> DataFrame:
    """`sequence_id`, `duplicates` from a table or a column; rows of which nothing is known are left out."""
    if config.duplicates:
        given = spark.createDataFrame(read_duplicates(config.duplicates))
        return given.join(sequences.select("sequence_id"), "sequence_id", "left_semi")
    column = next((name for name in _COUNT_COLUMNS if name in sequences.columns), None)
    if column:
        return sequences.select("sequence_id", F.col(column).cast("long").alias("duplicates"))
    return sequences.select("sequence_id", F.lit(None).cast("long").alias("duplicates")).limit(0)


def duplicates_table(spark: SparkSession, folder: RunFolder) -> DataFrame:
    """`sequence_id`, `duplicates`; rows with an unknown count are missing."""
    return spark.read.parquet(str(folder.table("duplicates"))).select("sequence_id", "duplicates")


def token_counts(folder: RunFolder, vocab_size: int) -> np.ndarray | None:
    """int64 [V], or None where nothing was counted."""
    path = folder.table("token_counts")
    if not path.is_dir():
        return None
    counts = np.zeros(vocab_size, np.int64)
    table = pq.read_table(path)
    counts[table.column("token_id").to_numpy()] = table.column("count").to_numpy()
    return counts
