"""The same command on a real standalone cluster on loopback, while its machines are lost, and under `spark-submit`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from reporting.progress import StageProgress
from spark_jobs.plan import make_plan
from spark_jobs.remeasure import measure_again
from spark_jobs.run_config import RunConfig
from tests.spark_jobs.loopback_cluster import SPARK_HOME, Application, LoopbackCluster, spark_environment, until

REPOSITORY = Path(__file__).resolve().parents[2]
TABLES = ("sequences", "duplicates", "scores", "metrics", "labels")
SETTINGS = {"sample": 320, "el_rows": 24, "checkpoint_rows": 160}
STRUCK = ("score: chunk 1 of 2", "label: evidence and categories")  # tasks begin with seconds of imports there


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackCluster]:
    """A master and two workers."""
    started = LoopbackCluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.stop()


def check(run: Path, rows: int) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["rows"]["sampled"] == rows
    assert summary["overall"]["extractable"] > 0
    assert len(pd.read_parquet(run / "labels.parquet")) == rows


def event_log(run: Path) -> list[dict[str, Any]]:
    [log] = (run / "spark-events").iterdir()
    return [json.loads(line) for line in log.read_text().splitlines()]


def submitted(cluster: LoopbackCluster, *arguments: object, cwd: Path) -> str:
    """What a program under `spark-submit` prints."""
    done = subprocess.run(
        [SPARK_HOME / "bin" / "spark-submit", "--master", cluster.url, *map(str, arguments)],
        env=spark_environment(), cwd=cwd, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def struck(cluster: LoopbackCluster, demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that lost one machine while rows were scored, and one while they were labelled.

    Started in another folder, so that workers find the packages only if these travelled to them.
    """
    folder = tmp_path_factory.mktemp("struck")
    command = [word for name, value in SETTINGS.items() for word in (f"--{name.replace('_', '-')}", value)]
    command += ["--master", cluster.url, "--runs-dir", folder, "--run", "struck"]
    printed = folder / "output"
    with printed.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, REPOSITORY / "calculate_metrics.py", *map(str, command)],
            env=spark_environment(), cwd=folder, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        # Asked before it says where its page is, Java can block itself while it starts.
        ui = until(lambda: re.search(r"Spark UI: (http\S+)", printed.read_text()), 120, "the Spark UI")
        application = Application(ui.group(1))
        for stage in STRUCK:

            def lost(stage: str = stage) -> bool:
                assert process.poll() is None, printed.read_text()
                busy = application.busy_executors(stage)
                return bool(busy) and cluster.lose_worker(busy[0], lambda: busy[0] in application.busy_executors(stage))

            until(lost, 300, stage)
            cluster.start_worker()
        assert process.wait(timeout=300) == 0, printed.read_text()
    finally:
        process.kill()
    return folder / "struck"


def test_on_a_cluster(struck: Path) -> None:
    check(struck, 320)
    assert not list(struck.glob(".writing-*"))


def test_machines_were_lost(struck: Path) -> None:
    events = event_log(struck)
    assert sum(event["Event"] == "SparkListenerExecutorRemoved" for event in events) >= len(STRUCK)
    began = [event for event in events if event["Event"] == "SparkListenerStageSubmitted"]
    stage_of = {event["Stage Info"]["Stage ID"]: event["Properties"].get("spark.job.description") for event in began}
    lost = [
        stage_of[event["Stage ID"]]
        for event in events
        if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "ExecutorLostFailure"
    ]
    assert set(lost) == set(STRUCK)  # tasks were running there
    # What they had shuffled was gone, too, and was computed again.
    again = {event["Stage Info"]["Stage ID"] for event in began if event["Stage Info"]["Stage Attempt ID"] > 0}
    assert STRUCK[0] in {stage_of[number] for number in again}


def test_lost_machines_change_nothing(struck: Path, spark: SparkSession, tmp_path: Path) -> None:
    plan = make_plan(RunConfig(**SETTINGS, runs_dir=tmp_path, run="whole"))
    with StageProgress(Console(quiet=True)) as progress:
        measure_again(spark, plan, progress, {})
    for name in TABLES:
        one, other = (pq.read_table(run / f"{name}.parquet") for run in (tmp_path / "whole", struck))
        one, other = one.sort_by("sequence_id"), other.sort_by("sequence_id")
        assert one.num_rows == other.num_rows > 0
        assert one.schema == other.schema
        # To the last bit: tasks and batches are cut by hashes of the ids, on any number of machines.
        assert [column for column in one.column_names if not one[column].equals(other[column])] == []


def test_under_spark_submit(cluster: LoopbackCluster, demo, tmp_path: Path) -> None:
    """With the label-only scores, which no other run has."""
    program = REPOSITORY / "calculate_metrics.py"
    arguments = ["--sample", 120, "--scores", "extractable", "--runs-dir", tmp_path, "--run", "submitted"]
    submitted(cluster, program, *arguments, cwd=tmp_path)
    check(tmp_path / "submitted", 120)
    summary = json.loads((tmp_path / "submitted" / "summary.json").read_text())
    assert summary["scores"] == "extractable"
    assert summary["histograms"]["log10_p_z"] is None
    assert any(
        cluster.url in event["Spark Properties"].values()
        for event in event_log(tmp_path / "submitted")
        if event["Event"] == "SparkListenerEnvironmentUpdate"
    )


GPU_PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {repository!r})
import pyarrow as pa
from data.cache import cache_dir
from spark_jobs.partitions import model_tasks
from spark_jobs.session import start

def devices(batches):
    from spark_jobs.workers import task_device

    for batch in batches:
        time.sleep(0.5)  # so that the other machine gets tasks, too
        found = [task_device(device) for device in ("auto", "cuda", "cpu", "cuda:7")]
        yield pa.RecordBatch.from_arrays([pa.array([" ".join(found)])], names=["devices"])

spark = start("gpus", Path({folder!r}), None, 4140, cache_dir())
rows = spark.range(0, 8, 1, 8).mapInArrow(devices, "devices string").collect()
print(*sorted({{row.devices for row in rows}}), sep="\\n")
sizes = (100, 2_100, 8_192, 300_000)
print([[model_tasks(spark, rows, device) for rows in sizes] for device in ("auto", "cuda:1", "cpu")])
"""


def test_each_task_uses_the_gpu_assigned_to_it(cluster: LoopbackCluster, tmp_path: Path) -> None:
    """No card is needed to see which one a task would take: the workers say that they have one each."""
    program = tmp_path / "gpus.py"
    program.write_text(GPU_PROGRAM.format(repository=str(REPOSITORY), folder=str(tmp_path)))
    settings = {
        "spark.executor.resource.gpu.amount": 1,
        "spark.task.resource.gpu.amount": 1,
        "spark.scheduler.minRegisteredResourcesRatio": 1,
    }
    confs = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    printed = submitted(cluster, *confs, program, cwd=tmp_path)
    expected = [f"cuda:{gpu} cuda:{gpu} cpu cuda:7" for gpu in cluster.gpus()]
    assert len(expected) == 2
    # Pieces for a model: with GPUs of 1,024 rows at least, on CPUs four for each of two cores.
    assert printed.splitlines() == [*expected, str([[1, 2, 8, 19], [1, 2, 8, 19], [8, 8, 8, 293]])]
