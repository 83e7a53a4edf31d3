"""Count: how often windows of the sequences, and each token, occur anywhere in the training corpus.

The windows are written beside the run's tables, as files that the processes of a machine map into memory together;
every task reads its own pieces of the corpus. What comes back are the counts that are not zero, as bytes: Java would
take longer to add them up as rows than the tasks take to count.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from data.corpus import Piece, read_corpus
from metrics.occurrences import Occurrences, WindowIndex, Windows, index_windows
from spark_jobs import workers
from spark_jobs.watch import run_action

_TASKS_A_CORE = 16  # enough that no core waits long for the last task, few enough that tables of tokens stay few
_TOKENS = -1  # `which` of the counts of single tokens
# Counts that are added up together: 48 KB of each task at most, of which 2,048 can come in one batch.
_SLAB = 1 << 12
# Which counts; how many slabs are before them; their places in the slab, int32; the counts, int64.
_PACKED = pa.schema([("which", pa.int32()), ("slab", pa.int32()), ("numbers", pa.binary()), ("counts", pa.binary())])


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
    schema = from_arrow_schema(_PACKED)
    partial = spark.range(0, len(pieces), 1, tasks).mapInArrow(_count_pieces(pieces, shipped, vocab_size), schema)
    counted = partial.groupBy("which", "slab").applyInArrow(_add_up, schema)
    try:
        table = run_action(spark, "count: windows and tokens in the corpus", counted.toArrow, on_share)
    finally:
        shutil.rmtree(folder)
    sums = {_TOKENS: np.zeros(vocab_size, np.int64)}
    sums |= {order: np.zeros(len(one.hashes), np.int64) for order, one in enumerate(index.lengths)}
    for row in table.to_pylist():
        places, counts = _unpacked(row["numbers"], row["counts"])
        sums[row["which"]][row["slab"] * _SLAB + places] = counts
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
            for slab, begin in enumerate(range(0, len(counts), _SLAB)):
                if (packed := _packed(which, slab, counts[begin : begin + _SLAB])).num_rows:
                    yield packed

    return run


def _add_up(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row of the rows that tasks made of one slab."""
    total = np.zeros(_SLAB, np.int64)
    for batch in batches:
        which, slab = batch["which"][0].as_py(), batch["slab"][0].as_py()
        for row in range(batch.num_rows):
            numbers, counts = _unpacked(batch["numbers"][row].as_buffer(), batch["counts"][row].as_buffer())
            total[numbers] += counts
    yield _packed(which, slab, total)


def _packed(which: int, slab: int, counts: np.ndarray) -> pa.RecordBatch:
    """The counts of a slab that are not zero, as a row of `_PACKED`; no row where all are."""
    seen = np.flatnonzero(counts)
    row = {"which": which, "slab": slab, "numbers": seen.astype(np.int32).tobytes(), "counts": counts[seen].tobytes()}
    return pa.RecordBatch.from_pylist([row] if len(seen) else [], _PACKED)


def _unpacked(numbers: bytes | pa.Buffer, counts: bytes | pa.Buffer) -> tuple[np.ndarray, np.ndarray]:
    """int32 [n], int64 [n]."""
    return np.frombuffer(numbers, np.int32), np.frombuffer(counts, np.int64)


def _ship(index: WindowIndex, folder: Path) -> _Shipped:
    folder.mkdir()
    arrays = {"tokens": index.tokens, "gram_filter": index.gram_filter, "window_filter": index.window_filter}
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
    return WindowIndex(shipped.base, array("tokens"), lengths, array("gram_filter"), array("window_filter"))
