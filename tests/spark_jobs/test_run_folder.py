"""A run on disk: whole tables, no mixing of settings, no two processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spark_jobs.errors import MachineError
from spark_jobs.run_folder import RunConflictError, RunFolder, settings_key, write_json


def test_finished_stages_are_remembered(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.open()
    assert not folder.is_complete("score")
    folder.finish("score", {"k": [8, 32]}, rows=10, seconds=1.23456)
    folder.close()
    again = RunFolder(tmp_path / "run")
    assert again.is_complete("score")
    assert again.state["stages"]["score"]["rows"] == 10
    again.check({"score": {"k": [8, 32]}})


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.open()
    folder.finish("score", {"k": [8, 32], "model": "a"}, rows=10, seconds=1)
    with pytest.raises(RunConflictError, match=r"k: \[8, 32\] then, \[16, 32\] now") as refusal:
        folder.check({"score": {"k": [16, 32], "model": "a"}})
    assert "model" not in str(refusal.value)
    assert folder.is_complete("score")


def test_parts_are_kept_for_their_settings_alone(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.open()
    (folder.partial("scores") / "of a version that took no note").mkdir(parents=True)
    folder.begin("score", {"k": [8]}, "scores")
    assert not folder.partial("scores").exists()
    (folder.partial("scores") / "chunk").mkdir(parents=True)
    folder.close()

    again = RunFolder(tmp_path / "run")
    with pytest.raises(RunConflictError, match=r"k: \[8\] then, \[16\] now"):
        again.check({"score": {"k": [16]}})
    again.check({"score": {"k": [8]}})
    again.open()
    again.begin("score", {"k": [8]}, "scores")
    assert (again.partial("scores") / "chunk").exists()
    again.finish("score", {"k": [8]}, rows=1, seconds=1)
    assert not again.state["begun"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    first.open()
    with pytest.raises(RunConflictError, match="another process"):
        second.open()
    first.close()
    second.open()


def test_half_written_tables_are_cleared_and_parts_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.writing("metrics").mkdir()
    folder.partial("scores").mkdir()
    folder.open()
    assert not folder.writing("metrics").exists()
    assert folder.partial("scores").exists()


def test_publish_replaces_in_one_step(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open()
    for text in ("old", "new"):
        folder.writing("labels").mkdir()
        (folder.writing("labels") / "part").write_text(text)
        folder.publish(folder.writing("labels"), "labels")
    assert (folder.table("labels") / "part").read_text() == "new"
    assert not folder.writing("labels").exists()


def test_json_is_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


def test_unreadable_memory_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunConflictError, match=r"run\.json is not readable"):
        RunFolder(tmp_path)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="--runs-dir"):
        RunFolder(tmp_path / "file" / "run").open()


def test_key_depends_on_values_not_order() -> None:
    assert settings_key({"a": 1, "b": 2}) == settings_key({"b": 2, "a": 1})
    assert settings_key({"a": 1}) != settings_key({"a": 2})
