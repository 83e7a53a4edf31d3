"""Count: how often each sequence, and each token, occurs in the table of windows that the model was trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def count_duplicates(sequences: DataFrame, corpus: DataFrame) -> DataFrame:
    """`sequence_id`, `duplicates`: how many windows of the corpus hold exactly the sequence's tokens.

    Args:
        sequences: `sequence_id`, `tokens`.
        corpus: `tokens`, one row a training window.
    """
    wanted = sequences.select("sequence_id", "tokens")
    counts = corpus.join(wanted.select("tokens").distinct(), "tokens", "left_semi").groupBy("tokens").count()
    return wanted.join(counts, "tokens", "left").select(
        "sequence_id", F.coalesce("count", F.lit(0)).cast("long").alias("duplicates")
    )


def count_tokens(corpus: DataFrame, vocab_size: int) -> np.ndarray:
    """int64 [V]: how often each token id occurs in the corpus.

    Args:
        corpus: `tokens`, one row a training window.
        vocab_size: V; ids outside [0, V) are not counted.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = np.zeros(vocab_size, np.int64)
        for batch in batches:
            ids = batch.column("tokens").flatten().to_numpy(zero_copy_only=False)
            total += np.bincount(ids[(ids >= 0) & (ids < vocab_size)], minlength=vocab_size)
        (seen,) = np.nonzero(total)
        yield pa.RecordBatch.from_arrays([pa.array(seen), pa.array(total[seen])], names=["token_id", "count"])

    partial = corpus.select("tokens").mapInArrow(count, "token_id long, count long")
    rows = partial.groupBy("token_id").agg(F.sum("count").alias("count")).toArrow()
    counts = np.zeros(vocab_size, np.int64)
    counts[rows.column("token_id").to_numpy()] = rows.column("count").to_numpy()
    return counts
