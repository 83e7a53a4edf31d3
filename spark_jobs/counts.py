"""Count: duplicates of each sequence and frequencies of each token, from tables given or from the training corpus."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.dataset import FileSystemDataset, dataset
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
# Of the sequences that one pass over the corpus looks for, which are in this process with 300 bytes a row of hashes.
_TOKENS_A_PASS, _ROWS_A_PASS = 1 << 26, 1 << 20
_BATCH_ROWS = 4096  # read at once


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
    if config.corpus and not config.duplicates:
        writing.mkdir()
        for number, (counted, in_corpus) in enumerate(_counted(spark, folder, config, vocab_size, on_share)):
            pq.write_table(counted, writing / f"part-{number:05d}.parquet")
            tokens = in_corpus if tokens is None else tokens
    else:
        if config.corpus and tokens is None:
            _, tokens = next(_counted(spark, folder, config, vocab_size, on_share))
        only_in_corpus = [F.lit(None).cast("long").alias(column.name) for column in DUPLICATES[2:]]
        known = _known(spark, folder, config, sequences).select("sequence_id", "duplicates", *only_in_corpus)
        run_action(spark, "count: duplicates", lambda: known.write.parquet(str(writing)), on_share)
        shutil.rmtree(folder.writing("given"), ignore_errors=True)  # there only where a table was given
    folder.publish(writing, "duplicates")
    if tokens is not None:
        writing = folder.writing("token_counts")
        writing.mkdir()
        table = pa.table([np.arange(vocab_size), tokens], schema=arrow_schema(TOKEN_COUNTS))
        pq.write_table(table, writing / "part-00000.parquet")
        folder.publish(writing, "token_counts")


def _counted(
    spark: SparkSession, folder: RunFolder, config: RunConfig, vocab_size: int, on_share: Callable[[float], None]
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """For every pass over the training corpus, rows of table `duplicates` and, int64 [V], the corpus's token counts."""
    split, T = config.prefix_tokens, config.prefix_tokens + config.suffix_tokens
    slices = {"whole": slice(0, T), "prefix": slice(0, split), "suffix": slice(split, T)}
    pieces = open_corpus(config.corpus)
    rows = dataset(folder.table("sequences"))
    passes = max(1, -(-rows.count_rows() // _rows_a_pass(T)))
    for number, (ids, tokens) in enumerate(_ids_and_tokens(rows, T)):
        counts, token_counts = count_in_corpus(
            spark,
            tokens,
            slices,
            pieces,
            vocab_size,
            folder.writing("windows"),
            lambda share, number=number: on_share((number + share) / passes),
        )
        columns = [ids, *(counts[name] for name in ("whole", "prefix", "suffix"))]
        yield pa.table(columns, schema=arrow_schema(DUPLICATES)), token_counts


def _rows_a_pass(T: int) -> int:
    return max(1, min(_ROWS_A_PASS, _TOKENS_A_PASS // T))


def _ids_and_tokens(rows: FileSystemDataset, T: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """int64 [n] and int32 [n, T], as many rows as one pass looks for; the next ones take the memory of the last."""
    N, most = rows.count_rows(), _rows_a_pass(T)
    ids, tokens = np.empty(min(N, most), np.int64), np.empty((min(N, most), T), np.int32)
    filled = 0
    for batch in _batches(rows.files):
        while batch.num_rows:
            taken = batch.slice(0, most - filled)
            batch = batch.slice(taken.num_rows)
            place = slice(filled, filled := filled + taken.num_rows)
            ids[place], tokens[place] = taken["sequence_id"], workers.matrix(taken["tokens"], taken.num_rows)
            if filled == most:
                yield ids, tokens
                filled = 0
    if filled or not N:
        yield ids[:filled], tokens[:filled]


def _batches(files: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """`sequence_id` and `tokens`, page by page: a scan of the whole data set would read some row groups ahead."""
    for name in files:
        with pq.ParquetFile(name, buffer_size=1 << 20, pre_buffer=False) as file:
            yield from file.iter_batches(_BATCH_ROWS, columns=["sequence_id", "tokens"], use_threads=False)


def _known(spark: SparkSession, folder: RunFolder, config: RunConfig, sequences: DataFrame) -> DataFrame:
    """`sequence_id`, `duplicates` from a table or a column; rows of which nothing is known are left out."""
    if config.duplicates:
        # In a file, since a table handed over stays in the heap of this machine's Java.
        writing = folder.writing("given")
        writing.mkdir()
        pq.write_table(read_duplicates(config.duplicates), writing / "part-00000.parquet")
        given = spark.read.parquet(str(writing))
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
