"""Between Arrow and NumPy without pandas: the same values as pyarrow's own conversion, and no import of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from spark_jobs import workers

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.int32).reshape(6, 4),
        np.arange(24, dtype=np.float32).reshape(6, 4)[:, ::2],
        np.asfortranarray(np.arange(24, dtype=np.int64).reshape(6, 4)),
        np.arange(24).reshape(6, 4) % 3 == 0,
        np.zeros((6, 0), np.float64),
        np.zeros((0, 4), np.int32),
    ],
)
def test_lists_are_the_rows(array: np.ndarray) -> None:
    column = workers.lists(array)
    column.validate(full=True)
    assert column.type == pa.list_(pa.from_numpy_dtype(array.dtype))
    assert column.to_pylist() == array.tolist()


def test_numbers_hold_null_for_nan() -> None:
    for array in (np.array([1, np.nan, -np.inf] * 5, np.float32), np.ones(3), np.arange(20, dtype=np.int32)[::3]):
        column = workers.numbers(array)
        column.validate(full=True)
        assert column.equals(pa.array(array, from_pandas=True))


def test_matrix_reads_slices_and_chunks() -> None:
    rows = [[1, 2], [3, 4], [5, 6], [7, 8]]
    column = pa.array(rows, pa.list_(pa.int32()))
    np.testing.assert_array_equal(workers.matrix(column[1:3], 2), rows[1:3])
    np.testing.assert_array_equal(workers.matrix(pa.chunked_array([column[:1], column[2:]]), 3), [rows[0], *rows[2:]])
    missing = pa.array([[1.5, None], [None, 2.5]], pa.list_(pa.float32()))
    np.testing.assert_array_equal(workers.matrix(missing, 2), np.array([[1.5, np.nan], [np.nan, 2.5]], np.float32))
    assert workers.flags(pa.array([True, False, True, True])[1:]).tolist() == [False, True, True]


def test_no_conversion_imports_pandas() -> None:
    code = """
import sys, numpy as np
from spark_jobs import workers
column = workers.lists(np.ones((3, 2), np.float32))
workers.matrix(column, 3), workers.numbers(np.array([1, np.nan])), workers.flags(workers.lists(np.eye(2) > 0).flatten())
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0
