"""A Spark cluster on loopback, from the pip package: a master, workers of one core each, and machines that fail."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyspark

from benchmarks.usage import processes
from data.cache import cache_dir
from spark_jobs.java import find_java, java_home
from spark_jobs.session import free_port

SPARK_HOME = Path(pyspark.__file__).parent
_GPU_SCRIPT = '#!/bin/sh\necho \'{{"name": "gpu", "addresses": ["{address}"]}}\'\n'


def spark_environment() -> dict[str, str]:
    """For the cluster's own processes; a session of an earlier test in this process sends Java's output to its log."""
    return {
        **{name: value for name, value in os.environ.items() if name != "UNRECITE_SPARK_LOG"},
        "JAVA_HOME": str(java_home(find_java(), cache_dir())),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Waits for `condition` to hold and returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
    return value


class LoopbackCluster:
    """A master and workers of one core and one (invented) GPU each; `url` is the master's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port = free_port(17077)
        self.url = f"spark://127.0.0.1:{port}"
        self._started: list[subprocess.Popen] = []
        self._workers: dict[subprocess.Popen, Path] = {}
        self._ui = free_port(18080)
        master = ["--host", "127.0.0.1", "--port", str(port), "--webui-port", str(self._ui)]
        self._master = self._start("master", master)
        until(self._state, 120, "the master")
        for _ in range(2):
            self.start_worker()

    def start_worker(self) -> None:
        """Adds a worker; returns when the master knows it."""
        number = len(self._started)
        own = self._folder / f"machine{number}"
        own.mkdir()
        script = own / "gpu.sh"
        script.write_text(_GPU_SCRIPT.format(address=number))
        script.chmod(0o755)
        settings = own / "worker.conf"
        settings.write_text(f"spark.worker.resource.gpu.amount 1\nspark.worker.resource.gpu.discoveryScript {script}\n")
        before = self.alive()
        arguments = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1500m", "--webui-port", "0"]
        arguments += ["--work-dir", str(own / "work"), "--properties-file", str(settings), self.url]
        self._workers[self._start("worker", arguments, SPARK_LOCAL_DIRS=str(own / "disk"))] = own
        until(lambda: self.alive() == before + 1, 120, "a worker")

    def alive(self) -> int:
        """How many workers the master knows to be alive."""
        return sum(worker["state"] == "ALIVE" for worker in self._state()["workers"])

    def gpus(self) -> list[int]:
        """The address of the GPU that each worker says it has."""
        return sorted(int(own.name.removeprefix("machine")) for own in self._workers.values())

    def lose_worker(self, executor: str, is_busy: Callable[[], bool]) -> bool:
        """Ends the worker that runs this executor, all below it, and its disk: as if the machine were gone.

        It is stopped first, so that no task can end meanwhile; it goes on, and nothing is lost, where it isn't busy.
        """
        for worker in self._workers:
            below = processes(worker.pid)
            if any(_is_executor(process, executor) for process in below):
                _signal(below, signal.SIGSTOP)
                time.sleep(1)  # what it said before it was stopped reaches the driver's page
                if not is_busy():
                    _signal(below, signal.SIGCONT)
                    return False
                _signal(below, signal.SIGKILL)
                worker.wait(timeout=60)
                shutil.rmtree(self._workers.pop(worker))
                return True
        raise AssertionError(f"no worker runs executor {executor}")

    def stop(self) -> None:
        """Ends what is left of it."""
        for process in (*self._workers, self._master):
            process.terminate()
            process.wait(timeout=60)

    def _state(self) -> dict[str, Any] | None:
        return _json(f"http://127.0.0.1:{self._ui}/json/")

    def _start(self, role: str, arguments: list[str], **environment: str) -> subprocess.Popen:
        name = f"org.apache.spark.deploy.{role}.{role.capitalize()}"
        with (self._folder / f"{role}{len(self._started)}.log").open("w") as log:
            process = subprocess.Popen(
                [SPARK_HOME / "bin" / "spark-class", name, *arguments],
                env=spark_environment() | environment, stdout=log, stderr=log, cwd=self._folder,
            )  # fmt: skip
        self._started.append(process)
        return process


def _is_executor(process: int, number: str) -> bool:
    try:
        words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
    except OSError:
        return False
    return "--executor-id" in words and words[words.index("--executor-id") + 1] == number


class Application:
    """A running application, as its web page tells it."""

    def __init__(self, ui: str) -> None:
        self._api = f"{ui}/api/v1/applications"
        [application] = self._get("")
        self._api += f"/{application['id']}"

    def busy_executors(self, description: str) -> list[str]:
        """The executors that wrote shuffle files for the jobs described so and run one of their tasks."""
        stages = [stage for stage in self._get("/stages") or () if stage.get("description") == description]
        running = [stage for stage in stages if stage["status"] == "ACTIVE" and not stage["shuffleWriteBytes"]]
        if not running:
            return []
        wrote = {number for stage in stages if stage["shuffleWriteBytes"] for number in self._ran(stage, "SUCCESS")}
        return [number for stage in running for number in self._ran(stage, "RUNNING") if number in wrote]

    def _ran(self, stage: dict[str, Any], status: str) -> set[str]:
        """The executors with tasks of the stage in that state."""
        path = f"/stages/{stage['stageId']}/{stage['attemptId']}/taskList?length=1000&status={status}"
        return {task["executorId"] for task in self._get(path) or ()}

    def _get(self, path: str) -> Any:
        return _json(self._api + path)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _json(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return json.load(answer)
    except OSError:
        return None
