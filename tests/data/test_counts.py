"""Tables of counts, and what is said of those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.counts import read_duplicates, read_token_counts
from data.errors import InputError


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_duplicates_of_any_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"Index": [9, 2, 5], "Counts": pa.array([1, 0, 30], pa.uint32())}), path)
    elif kind == "csv":
        path.write_text("sequence_id,other,copies\n9,x,1\n2,x,0\n5,x,30\n")
    else:
        path.write_text('{"index": 9, "count": 1}\n{"index": 2, "count": 0}\n{"index": 5, "count": 30}\n')
    table = read_duplicates(path)
    assert table.schema == pa.schema([("sequence_id", pa.int64()), ("duplicates", pa.int64())])
    assert table.to_pydict() == {"sequence_id": [2, 5, 9], "duplicates": [0, 30, 1]}


def test_duplicates_in_several_files(tmp_path: Path) -> None:
    for name, first in (("a", 10), ("b", 0)):
        pq.write_table(pa.table({"index": [first, first + 1], "count": [1, 2]}), tmp_path / f"{name}.parquet")
    assert read_duplicates(tmp_path).to_pydict() == {
        "sequence_id": [0, 1, 10, 11],
        "duplicates": [1, 2, 1, 2],
    }


def test_token_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("TokenID,Token,Frequency\n3,the,7\n0,a,9999999999\n")
    assert read_token_counts(path, 5).tolist() == [9_999_999_999, 0, 0, 7, 0]
    assert read_token_counts(path, 5).dtype == np.int64


def test_token_counts_in_an_array(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([4, 0, 6, 0, 0], np.uint32))
    assert read_token_counts(path, 4).tolist() == [4, 0, 6, 0], "zeros beyond the vocabulary are padding"
    assert read_token_counts(path, 7).tolist() == [4, 0, 6, 0, 0, 0, 0]
    with pytest.raises(InputError, match="found token id 2, but the model's vocabulary has 2"):
        read_token_counts(path, 2)


def test_bad_duplicates(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, message in (
        ("key,count\n1,2\n", r"no column for the sequence_id; expected one of sequence_id, Index, index"),
        ("index,cuont\n1,2\n", r"no column for the count.*Did you mean 'cuont'\?"),
        ("index,count\n1,2\n2,-1\n", "negative count in row 1"),
        ("index,count\n1,2\n1,3\n", "sequence_id 1 appears twice"),
        ("index,count\n1,2\n2,many\n", "row 1 .* has no integer in column 'count'"),
        ("index,count\n1,2\n2\n", "row 1 .* has no integer"),
        ("index,count\n", "found no rows"),
        ("", r"empty \(0 bytes\)"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_duplicates(path)
    with pytest.raises(InputError, match="does not exist"):
        read_duplicates(tmp_path / "none.parquet")


def test_bad_token_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for text, message in (
        ("TokenID,Frequency\n5,1\n", r"found token id 5, but the model's vocabulary has 5 \(ids 0 to 4\)"),
        ("TokenID,Frequency\n-1,1\n", "found token id -1"),
        ("TokenID,Frequency\n1,1\n1,1\n", "token id 1 appears twice"),
        ("TokenID,Frequency\n1,-1\n", "negative count"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_token_counts(path, 5)
    array = tmp_path / "a.npy"
    np.save(array, np.zeros((2, 2), np.int64))
    with pytest.raises(InputError, match=r"found int64 \[2, 2\]; expected one integer count per token id"):
        read_token_counts(array, 5)
    np.save(array, np.array([1, -1]))
    with pytest.raises(InputError, match="negative count in row 1"):
        read_token_counts(array, 5)
    array.write_bytes(b"noise")
    with pytest.raises(InputError, match="cannot be read as a npy array"):
        read_token_counts(array, 5)
