"""Rows become sequences once each; what cannot be measured is set aside with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from data import open_sequences
from data.errors import InputError
from spark_jobs.prepare import (
    DUPLICATE_ID,
    PrepareSettings,
    _repeated_ids,
    _without_repeated_ids,
    prepare_tables,
    rejected_by_reason,
)
from spark_jobs.run_folder import RunFolder

THRESHOLD = "spark.sql.adaptive.autoBroadcastJoinThreshold"  # the one that runs go by


def prepared(spark: SparkSession, demo, files: Path, run: Path, sample: int | None = None, seed: int = 0):
    folder = RunFolder(run)
    folder.open()
    settings = PrepareSettings(str(demo.model), None, 4, 4, vocab_size=2048, sample=sample, seed=seed)
    try:
        rows = prepare_tables(spark, folder, open_sequences(str(files)), settings, lambda share: None)
    finally:
        folder.close()
    return folder, rows


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two files, in which ids 3 and 5 come again with other tokens, and two rows are broken."""
    folder = tmp_path / "files"
    folder.mkdir()
    first = [(i, [10 + i] * 8) for i in range(6)] + [(3, [900] * 8), (70, [1] * 7)]
    second = [(5, [901] * 8), (71, [1] * 7 + [2048]), (8, [18] * 9)]
    for name, rows in (("a", first), ("b", second)):
        table = pa.table({"sequence_id": [r[0] for r in rows], "tokens": [r[1] for r in rows]})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=3)
    return folder


@pytest.fixture(params=["10MB", "-1"], ids=["broadcast", "shuffled"])
def largest_broadcast(request: pytest.FixtureRequest, spark: SparkSession) -> Iterator[str]:
    """Bytes of a table, up to which a join sends it to every worker; -1: never."""
    before = spark.conf.get(THRESHOLD)
    spark.conf.set(THRESHOLD, request.param)
    yield request.param
    spark.conf.set(THRESHOLD, before)


def test_first_row_of_an_id_wins(
    spark: SparkSession, demo, files: Path, tmp_path: Path, largest_broadcast: str
) -> None:
    folder, rows = prepared(spark, demo, files, tmp_path / "run")
    assert rows == {"read": 11, "accepted": 7, "rejected": 4, "sampled": 7}
    sequences = pd.read_parquet(folder.table("sequences"))
    assert sequences.sequence_id.tolist() == [0, 1, 2, 3, 4, 5, 8]
    assert [list(t) for t in sequences.tokens] == [[10 + i] * 8 for i in (0, 1, 2, 3, 4, 5, 8)]
    rejected = pd.read_parquet(folder.table("rejected"))
    repeats = rejected[rejected.reason == DUPLICATE_ID]
    assert sorted(zip(repeats.source, repeats.row, strict=True)) == [("a.parquet", 6), ("b.parquet", 0)]
    assert repeats.raw.str.contains("900|901").all()
    assert sum(rejected_by_reason(spark, folder).values()) == 4


def test_repeated_ids_are_broadcast_only_where_they_are_few(
    spark: SparkSession, tmp_path: Path, largest_broadcast: str
) -> None:
    rows = spark.createDataFrame([(1, None, 0), (1, None, 1)], "sequence_id long, reason string, input_order long")
    _repeated_ids(rows).write.parquet(str(tmp_path / "repeated"))
    repeats = _without_repeated_ids(rows, spark.read.parquet(str(tmp_path / "repeated")))[1]
    assert [row.input_order for row in repeats.collect()] == [1]
    plan = repeats._jdf.queryExecution().executedPlan().toString()
    assert ("BroadcastExchange" in plan) == (largest_broadcast != "-1")


def test_sample_depends_on_seed_alone(spark: SparkSession, demo, files: Path, tmp_path: Path) -> None:
    def ids(run: str, source: Path, seed: int) -> list[int]:
        folder, rows = prepared(spark, demo, source, tmp_path / run, sample=4, seed=seed)
        assert rows["sampled"] == 4
        return pd.read_parquet(folder.table("sequences")).sequence_id.tolist()

    merged = tmp_path / "merged.parquet"
    pq.write_table(pa.concat_tables(pq.read_table(f) for f in sorted(files.iterdir())), merged)
    assert ids("one", files, 1) == ids("two", merged, 1)
    assert any(ids("one", files, 1) != ids(f"seed{seed}", files, seed) for seed in (2, 3, 4))


def test_sample_is_the_smallest_hashes_or_all_there_is(spark: SparkSession, demo, files: Path, tmp_path: Path) -> None:
    def ids(run: str, sample: int | None) -> list[int]:
        folder, rows = prepared(spark, demo, files, tmp_path / run, sample=sample, seed=7)
        found = pd.read_parquet(folder.table("sequences")).sequence_id.tolist()
        assert rows["sampled"] == len(found)
        return found

    everything = ids("all", None)
    hashes = spark.createDataFrame([(i,) for i in everything], "sequence_id long")
    hashes = hashes.selectExpr("sequence_id", "xxhash64(sequence_id, 7L) AS draw").toPandas().sort_values("draw")
    for sample in (1, 3):
        assert set(ids(f"of {sample}", sample)) == set(hashes.sequence_id[:sample])
    assert ids("of more", 10**6) == everything


def test_nothing_to_measure(spark: SparkSession, demo, tmp_path: Path) -> None:
    pq.write_table(pa.table({"tokens": [[1], [2, 3]]}), tmp_path / "short.parquet")
    with pytest.raises(InputError, match="none of the 2 rows"):
        prepared(spark, demo, tmp_path / "short.parquet", tmp_path / "run")
    assert len(pd.read_parquet(tmp_path / "run" / "rejected.parquet")) == 2
