"""The session listens on loopback only, takes the next port, and carries the packages to its workers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.errors import MachineError
from spark_jobs.session import check_reachable, free_port, package_zip
from spark_jobs.watch import run_action


def listening_addresses(pid: int) -> set[str]:
    """Local addresses, in hexadecimal, of the TCP sockets that process `pid` listens on (Linux)."""
    sockets = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = entry.readlink().name
        except OSError:
            continue
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                addresses.add(fields[1].split(":")[0])
    return addresses


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def test_every_port_is_on_loopback(spark: SparkSession) -> None:
    spark.range(10).count()
    pid = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    addresses = listening_addresses(pid)
    assert addresses
    assert addresses <= LOOPBACK


def test_ui_answers_on_loopback(spark: SparkSession) -> None:
    assert spark.sparkContext.uiWebUrl.startswith("http://127.0.0.1:41")


def test_next_port_when_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


def test_a_master_that_nobody_can_find_is_noticed_before_the_work() -> None:
    with pytest.raises(MachineError, match="cannot find the Spark master spark://no-such-host"):
        check_reachable("spark://no-such-host.invalid:7077")
    for fine in (None, "local[2]", "spark://127.0.0.1:7077"):
        check_reachable(fine)


def test_shipped_packages_work_from_the_zip(tmp_path: Path) -> None:
    """As on a worker of another machine: nothing but the zip on the path, files that are read included."""
    archive = package_zip(tmp_path)
    program = (
        "import metrics.categories, metrics.redaction, data, spark_jobs.score\n"
        f"assert metrics.__file__.startswith({str(archive)!r}), metrics.__file__\n"
        "evidence = metrics.categories.label(['From: Ann Bell <ann.bell@bellworks.org>'], None, False)\n"
        "print(evidence['category'], metrics.redaction.redact('Dear Ann', [], True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "pii" in done.stdout and "Ann" not in done.stdout


def test_description_reaches_the_ui_and_errors_come_back(spark: SparkSession) -> None:
    shares = []
    rows = run_action(spark, "count a few rows", lambda: spark.range(1000).count(), shares.append)
    assert rows == 1000
    assert all(0 <= share <= 1 for share in shares)
    descriptions = [job.description().get() for job in _jobs(spark) if job.description().isDefined()]
    assert "count a few rows" in descriptions
    try:
        run_action(spark, "fail", lambda: 1 / 0)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the error was lost")


def _jobs(spark: SparkSession) -> list:
    jobs = spark.sparkContext._jsc.sc().statusStore().jobsList(None)
    return [jobs.apply(place) for place in range(jobs.size())]
