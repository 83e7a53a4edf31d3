"""Reading a measured run without Spark."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from unlearning.measured_run import find_run
from unlearning.method import UnlearningError


def write_run(folder: Path, finished: int = 0, stages=("score", "measure", "label")) -> Path:
    """A run of four rows, its tables in two files each, in no order."""
    folder.mkdir(parents=True)
    scored = {"model": "m", "revision": None, "model fingerprint": "sha256:0", "tokenizer": "t"}
    scored |= {"tokenizer revision": None, "vocabulary": 50}
    state = {
        "format": 1,
        "config": {"prefix_tokens": 2, "suffix_tokens": 1},
        "command": "python calculate_metrics.py --run x",
        "stages": {stage: {"settings": scored} for stage in stages},
    }
    (folder / "run.json").write_text(json.dumps(state))
    os.utime(folder / "run.json", (1_700_000_000 + finished,) * 2)
    ids = np.array([4, 1, 3, 2])
    tables = {
        "sequences": pd.DataFrame(
            {
                "sequence_id": ids,
                "tokens": [[i, i + 10, i + 20] for i in ids],
                "is_member": pd.array([True, None, False, None], dtype="boolean"),
            }
        ),
        "metrics": pd.DataFrame(
            {
                "sequence_id": ids,
                "extractable": [True, False, False, True],
                "duplicates": pd.array([None, 0, 7, None], dtype="Int64"),
            }
        ),
        "labels": pd.DataFrame(
            {
                "sequence_id": ids,
                "category": ["pii", "text", "code", "text"],
                "is_harmful": [True, False, False, False],
                "has_pii": [True, False, False, False],
                "licence_context": False,
                "organisation_context": False,
                "has_credentials": False,
            }
        ),
    }
    for name, table in tables.items():
        target = folder / f"{name}.parquet"
        target.mkdir()
        table.iloc[:3].to_parquet(target / "part-1.parquet")
        table.iloc[3:].to_parquet(target / "part-0.parquet")
    return folder


def test_rows_are_joined_by_id_and_membership_comes_from_either_source(tmp_path: Path) -> None:
    rows = find_run("a", write_run(tmp_path / "a").parent).rows()
    assert rows["sequence_id"].tolist() == [1, 2, 3, 4]
    assert rows["category"].tolist() == ["text", "text", "code", "pii"]
    assert rows["extractable"].tolist() == [False, True, False, True]
    # 1 from its count of 0, 2 unknown, 3 from is_member although it was counted 7 times, 4 from is_member.
    assert rows["is_member"].tolist() == [False, pd.NA, False, True]


def test_tokens_come_in_the_order_asked_for(tmp_path: Path) -> None:
    run = find_run("a", write_run(tmp_path / "a").parent)
    tokens = run.tokens([3, 4, 1])
    assert tokens.tolist() == [[3, 13, 23], [4, 14, 24], [1, 11, 21]] and tokens.dtype == np.int64
    assert run.tokens([]).shape == (0, 3)


def test_the_run_finished_last_is_the_default(tmp_path: Path) -> None:
    write_run(tmp_path / "late", 2)
    write_run(tmp_path / "early", 1)
    write_run(tmp_path / "unfinished", 3, stages=("score",))
    assert find_run(None, tmp_path).name == "late"
    assert find_run("early", tmp_path).name == "early"
    assert find_run(str(tmp_path / "early"), tmp_path / "elsewhere").name == "early"


def test_a_run_that_is_not_there_or_not_finished_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UnlearningError, match=r"no finished run .* type python calculate_metrics\.py"):
        find_run(None, tmp_path)
    write_run(tmp_path / "mine", stages=("score", "label"))
    with pytest.raises(UnlearningError, match=r"no run yours in .*; there: mine"):
        find_run("yours", tmp_path)
    with pytest.raises(UnlearningError, match=r"left to do: measure\).*calculate_metrics.py --run x"):
        find_run("mine", tmp_path)
    (tmp_path / "mine" / "run.json").write_text("{")
    with pytest.raises(UnlearningError, match="not readable as JSON"):
        find_run("mine", tmp_path)
