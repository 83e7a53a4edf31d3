"""What PySpark's daemon collects after each task does not hold all that a worker has imported."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pyarrow as pa

from spark_jobs import workers


def test_modules_are_looked_at_once(spark):
    """The objects that the collector of one worker sees: before the first task ends, and in the tasks after it."""

    @workers.settled
    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pandas  # noqa: F401

        if not hasattr(sys, "unfrozen_for_test"):  # the worker may have served other tests
            gc.unfreeze()
            workers._hidden_modules = 0
            sys.unfrozen_for_test = True
        for batch in batches:
            yield pa.RecordBatch.from_pydict(
                {"number": batch.column("id"), "seen": [len(gc.get_objects())], "frozen": [gc.get_freeze_count()]}
            )

    table = spark.range(0, 12, 1, 12).mapInArrow(count, "number long, seen long, frozen long").toPandas()
    first, later = table[table.frozen == 0], table[table.frozen > 0]
    assert len(first) >= 1 and len(later) >= 4
    assert first.seen.min() > 20_000
    assert later.seen.max() < first.seen.min() / 2
    assert later.frozen.min() > 20_000


def test_a_settled_function_gives_what_it_gave_and_keeps_its_name():
    @workers.settled
    def twice(batches: Iterator[int]) -> Iterator[int]:
        for batch in batches:
            yield 2 * batch

    try:
        assert list(twice(iter([1, 2]))) == [2, 4]
        assert twice.__name__ == "twice"
    finally:
        gc.unfreeze()
