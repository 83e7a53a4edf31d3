"""Counting how often windows of the sequences, and tokens, occur in the training corpus, against a plain search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.corpus_counts import write_pair
from data.corpus import open_corpus
from spark_jobs import duplicates
from spark_jobs.duplicates import count_in_corpus

SLICES = {"whole": slice(0, 4), "prefix": slice(0, 2), "suffix": slice(2, 4)}
SEQUENCES = np.array([[5, 6, 5, 6], [6, 5, 7, 7], [5, 6, 5, 6], [9, 9, 9, 9]])
DOCUMENTS = [[5, 6, 5, 6, 5, 6], [6, 5], [7, 7], [], [1, 6, 5, 7, 7], [7, 7, 7]]
EXPECTED = {"whole": [2, 1, 2, 0], "prefix": [3, 4, 3, 0], "suffix": [3, 4, 3, 0]}


@pytest.fixture(params=["bin", "parquet", "folder", "npy"])
def corpus(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "bin":
        return write_pair(tmp_path / "c", map(np.array, DOCUMENTS))
    if request.param == "npy":  # rows of one length: padded with a token that nothing else has
        np.save(tmp_path / "c.npy", np.array([document + [8] * (6 - len(document)) for document in DOCUMENTS]))
        return tmp_path / "c.npy"
    table = pa.table({"tokens": pa.array([*DOCUMENTS, None], pa.list_(pa.int32())), "text": [""] * 7})
    if request.param == "parquet":
        pq.write_table(table, tmp_path / "c.parquet", row_group_size=2)
        return tmp_path / "c.parquet"
    (tmp_path / "c").mkdir()
    for name, part in (("a", table.slice(0, 3)), ("b", table.slice(3))):
        pq.write_table(part, tmp_path / "c" / f"{name}.parquet")
    return tmp_path / "c"


def test_windows_and_tokens(spark: SparkSession, corpus: Path, tmp_path: Path) -> None:
    pieces = open_corpus(corpus, piece_bytes=5)
    counts, tokens = count_in_corpus(spark, SEQUENCES, SLICES, pieces, 8, tmp_path / "windows")
    assert {name: values.tolist() for name, values in counts.items()} == EXPECTED
    assert tokens.tolist() == [0, 1, 0, 0, 0, 5, 5, 7], "8 is outside the vocabulary"
    assert not (tmp_path / "windows").exists()


def test_more_counts_than_are_added_up_together(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sequences = rng.integers(0, 40_000, (30_000, 4))
    assert len(sequences) > duplicates._SLAB
    documents = np.concatenate([sequences, sequences[::2]])
    pieces = open_corpus(write_pair(tmp_path / "c", documents), piece_bytes=100_000)
    counts, tokens = count_in_corpus(spark, sequences, {"whole": slice(0, 4)}, pieces, 40_000, tmp_path / "windows")
    assert counts["whole"].tolist() == [2, 1] * 15_000
    assert tokens.tolist() == np.bincount(documents.reshape(-1), minlength=40_000).tolist()
