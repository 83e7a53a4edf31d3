"""Count: how often windows of the sequences, and each token, occur anywhere in the training corpus.

The windows are written beside the run's tables, as files that the processes of a machine map into memory together;
every task reads its own pieces of the corpus. What comes back are the counts that are not zero.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from data.corpus import Piece, read_corpus
from metrics.occurrences import Occurrences, WindowIndex, Windows, index_windows
from spark_jobs import workers
from spark_jobs.watch import run_action

_TASKS_A_CORE = 16  # enough that no core waits long for the last task, few enough that tables of tokens stay few
_TOKENS = -1  # `which` of the counts of single tokens
_COUNTED = "which int, number long, count long"


@dataclass(frozen=True)
class _Shipped:
    """An index in files: their folder, and what is in no file."""

    folder: Path
    base: int
    lengths: tuple[int, ...]


def count_in_corpus(
    spark: SparkSession,
    tokens: np.ndarray,
    slices: Mapping[str, slice],
    pieces: Sequence[Piece],
    vocab_size: int,
    folder: Path,
    on_share: Callable[[float], None] = lambda share: None,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Counts windows and tokens in one pass over the corpus.

    Args:
        spark: The session.
        tokens: int [N, T], the sequences.
        slices: Windows by name, such as prefix, suffix and whole: from where to where in each sequence.
        pieces: The corpus. No window reaches from one of its documents (rows) into the next.
        vocab_size: V; token ids outside [0, V) are not counted.
        folder: Where to keep the windows as long as this takes; workers must see it, too.
        on_share: Called now and then with the share of tasks done.

    Returns:
        For each name int64 [N], how often the window of each sequence occurs, overlapping occurrences included; and
        int64 [V], how often each token id occurs.

    Raises:
        ValueError: A slice is empty or reaches beyond the sequences.
    """
    index, numbers = index_windows(tokens, slices)
    shipped = _ship(index, folder)
    tasks = min(len(pieces), _TASKS_A_CORE * spark.sparkContext.defaultParallelism)
    partial = spark.range(0, len(pieces), 1, tasks).mapInArrow(_count_pieces(pieces, shipped, vocab_size), _COUNTED)
    counted = partial.groupBy("which", "number").agg(F.sum("count").alias("count"))
    try:
        table = run_action(spark, "count: windows and tokens in the corpus", counted.toArrow, on_share)
    finally:
        shutil.rmtree(folder)
    which, number, count = (table.column(name).to_numpy() for name in ("which", "number", "count"))
    sums = {_TOKENS: np.zeros(vocab_size, np.int64)}
    sums |= {order: np.zeros(len(one.hashes), np.int64) for order, one in enumerate(index.lengths)}
    for order, into in sums.items():
        mine = which == order
        into[number[mine]] = count[mine]
    return {name: sums[numbers[name][0]][numbers[name][1]] for name in slices}, sums[_TOKENS]


def _count_pieces(pieces: Sequence[Piece], shipped: _Shipped, vocab_size: int) -> workers.ArrowFunction:
    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        occurrences = Occurrences(_received(shipped), vocab_size)
        for batch in batches:
            for number in batch.column(0).to_pylist():
                for tokens, ends in read_corpus(pieces[number]):
                    occurrences.add(tokens, ends)
        for which, counts in enumerate((occurrences.token_counts, *occurrences.counts), start=_TOKENS):
            seen = np.flatnonzero(counts)
            columns = [pa.array(np.full(len(seen), which, np.int32)), pa.array(seen), pa.array(counts[seen])]
            yield pa.RecordBatch.from_arrays(columns, names=["which", "number", "count"])

    return run


def _ship(index: WindowIndex, folder: Path) -> _Shipped:
    folder.mkdir()
    arrays = {"tokens": index.tokens, "filter": index.filter}
    for order, one in enumerate(index.lengths):
        arrays |= {f"hashes{order}": one.hashes, f"rows{order}": one.rows, f"starts{order}": one.starts}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return _Shipped(folder.absolute(), index.base, tuple(one.length for one in index.lengths))


def _received(shipped: _Shipped) -> WindowIndex:
    def array(name: str) -> np.ndarray:
        return np.asarray(np.load(shipped.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

    lengths = tuple(
        Windows(length, *(array(f"{name}{order}") for name in ("hashes", "rows", "starts")))
        for order, length in enumerate(shipped.lengths)
    )
    return WindowIndex(shipped.base, array("tokens"), lengths, array("filter"))
