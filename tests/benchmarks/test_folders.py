"""Benchmarks that are given a folder without their files say what is missing in a line."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.labelled_files import PYTHIA, TOKENIZER, folder_with
from benchmarks.predictor import RUN_TABLES, run_or_files

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def refusal(kind: object, typed: Path) -> str:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        kind(str(typed))  # type: ignore[operator]
    return str(error.value)


def test_a_folder_with_its_files(tmp_path: Path) -> None:
    folder = folder_with(PYTHIA, TOKENIZER)
    assert "nowhere: no such folder; give the folder that holds" in refusal(folder, tmp_path / "nowhere")
    (tmp_path / PYTHIA).touch()
    assert f"holds no {TOKENIZER}; give" in refusal(folder, tmp_path)
    assert "no such folder" in refusal(folder, tmp_path / PYTHIA)
    (tmp_path / TOKENIZER).touch()
    assert folder(str(tmp_path)) == tmp_path


def test_a_run_or_the_labelled_files(tmp_path: Path) -> None:
    for name in RUN_TABLES:
        assert "or a finished run's, with metrics.parquet and labels.parquet." in refusal(run_or_files, tmp_path)
        (tmp_path / name).mkdir()
    assert run_or_files(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["label_hostile", "label_speed", "predictor"])
def test_the_command_ends_with_a_line(name: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", tmp_path], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert f"{tmp_path} holds no {PYTHIA}" in run.stderr.splitlines()[-1]
