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
    from spark_jobs.partitions import set_shuffle_partitions
    from spark_jobs.session import start

    session = start("tests", tmp_path_factory.mktemp("run"), "local[2]", 4140, cache_dir())
    set_shuffle_partitions(session, rows=1000)  # as in every run: with Spark's 200, small tests are all scheduling
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
