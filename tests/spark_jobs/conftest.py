"""A Spark session for the tests of single jobs, and the command as a user runs it for the tests of whole runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
Command = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A session on two cores, started as the command starts it."""
    from data.cache import cache_dir
    from spark_jobs.session import start

    session = start("tests", tmp_path_factory.mktemp("run"), "local[2]", 4140, cache_dir())
    yield session
    session.stop()


@pytest.fixture(scope="session")
def measure() -> Command:
    """Runs `python calculate_metrics.py` with the arguments given; output as text."""

    def run(*arguments: object, **settings: object) -> subprocess.CompletedProcess:
        environment = {**os.environ, "COLUMNS": "120", **settings.pop("env", {})}
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "calculate_metrics.py"), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            env=environment,
            **settings,
        )

    return run


@pytest.fixture(scope="session")
def demo_run(measure: Command, demo: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo measured in chunks of 300 rows, uninterrupted; what it printed is in `stdout.txt`."""
    folder = tmp_path_factory.mktemp("runs")
    done = measure("--runs-dir", folder, "--run", "whole", "--checkpoint-rows", 300, "--el-rows", 48)
    assert done.returncode == 0, done.stderr
    (folder / "whole" / "stdout.txt").write_text(done.stdout)
    return folder / "whole"
