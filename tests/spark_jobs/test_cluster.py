"""The same command on a real standalone cluster (master and worker on loopback), and under `spark-submit`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyspark
import pytest

from data.cache import cache_dir
from spark_jobs.java import find_java, java_home
from spark_jobs.session import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
SPARK_HOME = Path(pyspark.__file__).parent


def spark_environment() -> dict[str, str]:
    """For the cluster's own processes; a session of an earlier test in this process sends Java's output to its log."""
    return {
        **{name: value for name, value in os.environ.items() if name != "UNRECITE_SPARK_LOG"},
        "JAVA_HOME": str(java_home(find_java(), cache_dir())),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A master and a worker of one core; the master's URL."""
    folder = tmp_path_factory.mktemp("cluster")
    port, ui, worker_ui = free_port(17077), free_port(18080), free_port(18180)
    url = f"spark://127.0.0.1:{port}"
    spark_class = SPARK_HOME / "bin" / "spark-class"
    roles = {
        "master": ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(ui)],
        "worker": ["--host", "127.0.0.1", "--cores", "1", "--memory", "1500m", "--webui-port", str(worker_ui),
                   "--work-dir", str(folder / "work"), url],
    }  # fmt: skip
    processes = []
    for role, arguments in roles.items():
        with (folder / f"{role}.log").open("w") as log:
            name = f"org.apache.spark.deploy.{role}.{role.capitalize()}"
            processes.append(
                subprocess.Popen(
                    [spark_class, name, *arguments],
                    env=spark_environment(),
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                )
            )
    deadline = time.monotonic() + 120
    while "registered with master" not in (folder / "worker.log").read_text():
        assert time.monotonic() < deadline, (folder / "worker.log").read_text()
        time.sleep(0.5)
    yield url
    for process in processes:
        process.terminate()
        process.wait(timeout=60)


def check(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    assert summary["rows"]["sampled"] == 120
    assert summary["overall"]["extractable"] > 0
    assert len(pd.read_parquet(run / "labels.parquet")) == 120


def test_on_a_cluster(cluster: str, measure, demo, tmp_path: Path) -> None:
    """Started in another folder, so that workers find the packages only if these travelled to them."""
    arguments = ["--sample", 120, "--el-rows", "none", "--runs-dir", tmp_path, "--run", "cluster"]
    done = measure("--master", cluster, *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check(tmp_path / "cluster")


def test_under_spark_submit(cluster: str, demo, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            SPARK_HOME / "bin" / "spark-submit", "--master", cluster, REPOSITORY / "calculate_metrics.py",
            "--sample", "120", "--el-rows", "none", "--runs-dir", tmp_path, "--run", "submitted",
        ],
        env=spark_environment(), cwd=tmp_path, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    check(tmp_path / "submitted")
    events = next((tmp_path / "submitted" / "spark-events").iterdir()).read_text()
    assert cluster in events
