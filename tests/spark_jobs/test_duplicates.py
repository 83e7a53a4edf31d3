"""Counting how often a sequence, and a token, occurs in the training windows."""

from __future__ import annotations

import numpy as np
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from spark_jobs.duplicates import count_duplicates, count_tokens


def test_counts_whole_windows(spark: SparkSession) -> None:
    sequences = spark.createDataFrame(
        [(1, [5, 6]), (2, [6, 5]), (3, [7, 7]), (4, [5, 6])], "sequence_id long, tokens array<int>"
    )
    corpus = spark.createDataFrame([([5, 6],)] * 3 + [([6, 5],), ([5, 6, 7],)], "tokens array<int>")
    expected = spark.createDataFrame([(1, 3), (2, 1), (3, 0), (4, 3)], "sequence_id long, duplicates long")
    assertDataFrameEqual(count_duplicates(sequences, corpus), expected)


def test_counts_tokens(spark: SparkSession) -> None:
    corpus = spark.createDataFrame([([0, 1, 1],), ([3],), ([9],)], "tokens array<int>").repartition(3)
    np.testing.assert_array_equal(count_tokens(corpus, 4), [1, 2, 0, 1])
