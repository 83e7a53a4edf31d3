"""Near-duplicates against brute force over all pairs, and against pyspark's own MinHash."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa
import pytest
from pyspark.ml.feature import CountVectorizer, MinHashLSH
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.near_duplicates import connected, near_duplicates


def jaccard(one: list[int], other: list[int]) -> float:
    sets = [{tuple(row[i : i + 5]) for i in range(len(row) - 4)} for row in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def edited_rows(families: int = 60, members: int = 8) -> list[list[int]]:
    """Families of rows: some members exact copies, some with an end or a piece replaced, some with half replaced."""
    random = np.random.default_rng(3)
    rows = []
    for family in range(families):
        base = random.integers(0, 30_000, 64)
        if family % 10 == 0:
            base[:] = np.tile(random.integers(0, 30_000, 4), 16)  # a repeating pattern has four different shingles
        for member in range(members):
            row = base.copy()
            cut = (0, 0, 1, 2, 3, 12, 24, 40)[member]
            row[64 - cut :] = random.integers(0, 30_000, cut)
            rows.append(row.tolist())
    return rows


def table(spark: SparkSession, rows: list[list[int]], ids: list[int]) -> DataFrame:
    return spark.createDataFrame(
        pa.table({"sequence_id": pa.array(ids, pa.int64()), "tokens": pa.array(rows, pa.list_(pa.int32()))})
    ).repartition(3)


def found(spark: SparkSession, rows: list[list[int]], ids: list[int]) -> dict[int, tuple[int, int, int]]:
    """Copies, near-duplicates and group of each id."""
    return {row[0]: tuple(row)[1:] for row in near_duplicates(table(spark, rows, ids)).collect()}


@pytest.fixture(scope="module")
def edited(spark: SparkSession) -> tuple[list[list[int]], list[int], dict[int, tuple[int, int, int]]]:
    rows = edited_rows()
    ids = np.random.default_rng(4).permutation(10 * len(rows))[: len(rows)].tolist()
    return rows, ids, found(spark, rows, ids)


def test_by_hand(spark: SparkSession) -> None:
    one, other, alone = list(range(64)), [*range(63), 999], list(range(5000, 5064))  # J(one, other) = 59 / 61
    rows, ids = [one, alone, other, one, [*one[::-1]], one], [40, 7, 30, 20, 8, 50]
    assert found(spark, rows, ids) == {
        20: (3, 4, 20),
        40: (3, 4, 20),
        50: (3, 4, 20),
        30: (1, 4, 20),
        7: (1, 1, 7),
        8: (1, 1, 8),
    }


def test_pairs_are_grouped_as_brute_force_says(edited: tuple) -> None:
    rows, ids, result = edited
    pairs = {(i, j): jaccard(rows[i], rows[j]) for i, j in combinations(range(len(rows)), 2)}
    group = [result[one][2] for one in ids]
    alike = [(i, j) for (i, j), similarity in pairs.items() if similarity >= 0.9]
    assert len(alike) > 300
    assert all(group[i] == group[j] for i, j in alike)
    # Never linked by less than 0.5: the groups lie within what links of 0.5 and more reach.
    reach = list(range(len(rows)))
    for (i, j), similarity in pairs.items():
        if similarity >= 0.5:
            old, new = reach[max(i, j)], reach[min(i, j)]
            reach = [new if place == old else place for place in reach]
    assert all(reach[i] == reach[j] for i, j in pairs if group[i] == group[j])


def test_counts_and_groups_belong_together(edited: tuple) -> None:
    rows, ids, result = edited
    groups: dict[int, list[int]] = {}
    for one in ids:
        groups.setdefault(result[one][2], []).append(one)
    for name, members in groups.items():
        assert name == min(members)
        assert all(result[one][1] == len(members) for one in members)
    assert all(result[one][0] == rows.count(row) for one, row in zip(ids, rows, strict=True))
    assert max(result[one][0] for one in ids) == 2


def test_the_same_pairs_as_pyspark_ml(spark: SparkSession, edited: tuple) -> None:
    """Its join finds candidates by single minima and measures the exact distance, so it loses none near 1."""
    rows, ids, result = edited
    shingles = [[",".join(map(str, row[i : i + 5])) for i in range(60)] for row in rows]
    sets = spark.createDataFrame(list(zip(ids, shingles, strict=True)), "id long, shingles array<string>")
    vectors = CountVectorizer(inputCol="shingles", outputCol="features", binary=True, vocabSize=1 << 18)
    vectors = vectors.fit(sets).transform(sets)
    model = MinHashLSH(inputCol="features", outputCol="hashes", numHashTables=3, seed=1).fit(vectors)
    theirs = model.approxSimilarityJoin(vectors, vectors, 0.1, "distance").where(
        F.col("datasetA.id") < F.col("datasetB.id")
    )
    pairs = theirs.select(F.col("datasetA.id"), F.col("datasetB.id")).collect()
    assert len(pairs) > 300
    assert all(result[a][2] == result[b][2] for a, b in pairs)


def test_ids_and_partitions_do_not_matter(spark: SparkSession) -> None:
    rows = edited_rows(12)
    first = found(spark, rows, list(range(len(rows))))
    again = found(spark, rows[::-1], list(range(len(rows)))[::-1])
    assert first == again


def test_short_rows_and_none(spark: SparkSession) -> None:
    assert found(spark, [[1, 2], [1, 2], [2, 1]], [1, 2, 3]) == {1: (2, 2, 1), 2: (2, 2, 1), 3: (1, 1, 3)}
    assert found(spark, [], []) == {}


def test_connected_components(spark: SparkSession) -> None:
    """A long chain in bad order, a ring, a star and two rows: as union-find says."""
    random = np.random.default_rng(5)
    chain = random.permutation(200)
    links = [*pairwise(chain), (301, 300), (302, 301), (302, 300), (999, 998)]
    links += [(500 + leaf, 400) for leaf in range(50)]
    pairs = [(int(max(pair)), int(min(pair))) for pair in links]
    got = {row[0]: row[1] for row in connected(spark.createDataFrame(pairs, "one long, other long")).collect()}
    expected = {int(node): 0 for node in chain} | {300: 300, 301: 300, 302: 300, 998: 998, 999: 998, 400: 400}
    expected |= {500 + leaf: 400 for leaf in range(50)}
    assert got == expected
