"""Fixtures that several parts share: the embedded demo, and the real-text subject where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.demo_model import Demo
from data.demo_model import demo as cached_demo

# Threads of torch that wait spin otherwise, which costs many times the time where other tests keep the cores busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Sessions of tests end before Java's optimizing compiler pays for itself; without it they take two thirds of the time.
# Most of what is left is the loading of Spark's own classes; a fifth of that is checking their bytecode.
os.environ.setdefault(
    "JDK_JAVA_OPTIONS",
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests run for minutes go first: one of them begun last would run on alone."""
    long = ("test_cluster.py", "spark_jobs", "unlearning")
    items.sort(key=lambda item: next((place for place, name in enumerate(long) if name in item.path.parts), len(long)))


@pytest.fixture(scope="session")
def demo() -> Demo:
    """The embedded corpus and model; trained once (under two minutes), then taken from the cache."""
    return cached_demo(show_progress=True)


@pytest.fixture(scope="session")
def subject() -> Path:
    """Folder of a model that memorized part of real text; lies beside the repository, not in it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "subject"
    if not (folder / "sequences.parquet").is_file():
        pytest.skip("needs the real-text subject in ../shared/subject, which is not part of the repository")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of labelled real sequences; lies beside the repository, not in it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the labelled real sequences in ../shared/data, which are not part of the repository")
    return folder
