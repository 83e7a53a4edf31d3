"""Into how many pieces Spark cuts what a model reads; on a cluster with GPUs: `test_cluster.py`."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from spark_jobs import partitions


def test_every_core_has_a_model_on_a_cpu(spark: SparkSession) -> None:
    cores = spark.sparkContext.defaultParallelism
    for device in ("cpu", "cpu:0"):
        assert partitions.model_tasks(spark, 100, device) == 4 * cores
    assert partitions.model_tasks(spark, 1_000_000, "cpu") == 977


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
def test_one_model_is_on_a_gpu_of_this_machine(spark: SparkSession, monkeypatch, device: str) -> None:
    monkeypatch.setattr(partitions, "resolve_device", lambda asked: "cuda" if asked == "auto" else asked)
    assert partitions.model_tasks(spark, 100, device) == partitions.model_tasks(spark, 1_000_000, device) == 1
