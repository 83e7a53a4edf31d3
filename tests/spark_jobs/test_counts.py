"""The table of counts is made in several passes over the corpus where the sequences are too many for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.dataset import dataset
from pyspark.sql import SparkSession

from spark_jobs import counts
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import SEQUENCES, arrow_schema

TOKENS = [[1, 2, 3, 4], [3, 4, 1, 2], [5, 5, 5, 5], [1, 2, 3, 4], [2, 3, 4, 1], [7, 7, 7, 7], [4, 3, 2, 1]]
CORPUS = [[1, 2, 3, 4, 1, 2], [5, 5, 5, 5, 5]]
EXPECTED = {"duplicates": [1, 1, 2, 1, 1, 0, 0], "prefix": [2, 1, 4, 2, 1, 0, 0], "suffix": [1, 2, 4, 1, 1, 0, 0]}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose sequences are in files of 1 and 6 rows."""
    rows = pa.table([np.arange(10, 17), TOKENS, [""] * 7], schema=arrow_schema(SEQUENCES))
    made = RunFolder(tmp_path / "run")
    made.table("sequences").mkdir(parents=True)
    for name, part in (("a", rows.slice(0, 1)), ("b", rows.slice(1))):
        pq.write_table(part, made.table("sequences") / f"{name}.parquet")
    pq.write_table(pa.table({"tokens": CORPUS}), tmp_path / "corpus.parquet")
    return made


def config(folder: RunFolder, **more: object) -> RunConfig:
    """The run's settings."""
    return RunConfig(corpus=str(folder.path.parent / "corpus.parquet"), prefix_tokens=2, suffix_tokens=2, **more)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 100])
def test_passes(spark: SparkSession, folder: RunFolder, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(counts, "_TOKENS_A_PASS", 4 * rows + 3)
    held, shares = [], []
    count = counts.count_in_corpus

    def counted(spark: SparkSession, tokens: np.ndarray, *others: object) -> tuple:
        held.append(len(tokens))
        others[-1](0.5)
        return count(spark, tokens, *others)

    monkeypatch.setattr(counts, "count_in_corpus", counted)
    counts.count_tables(spark, folder, config(folder), spark.range(0), 8, shares.append)
    table = dataset(folder.table("duplicates")).to_table().to_pydict()
    assert table["sequence_id"] == list(range(10, 17))
    assert list(table.values())[1:] == list(EXPECTED.values())
    assert counts.token_counts(folder, 8).tolist() == [0, 2, 2, 1, 1, 5, 0, 0]
    assert sum(held) == 7
    assert max(held) == min(rows, 7)
    halves = [(number + 0.5) / len(held) for number in range(len(held))]
    assert [share for share in shares if share in halves] == halves


def test_one_pass_counts_the_tokens(spark: SparkSession, folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "_TOKENS_A_PASS", 4)
    pq.write_table(pa.table({"sequence_id": [12, 13], "count": [9, 8]}), folder.path / "given.parquet")
    given = config(folder, duplicates=str(folder.path / "given.parquet"))
    sequences = spark.read.parquet(str(folder.table("sequences")))
    counts.count_tables(spark, folder, given, sequences, 8, lambda share: None)
    assert counts.duplicates_table(spark, folder).sort("sequence_id").collect() == [(12, 9), (13, 8)]
    assert counts.token_counts(folder, 8).tolist() == [0, 2, 2, 1, 1, 5, 0, 0]
    assert not list(folder.path.glob(".writing-*"))
