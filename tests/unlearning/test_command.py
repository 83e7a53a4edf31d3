"""`unlearn` as a user runs it: a measured run in, a checkpoint and a report out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from unlearning.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("--iterations", 3, "--rollouts", 64, "--minibatch", 32)


@pytest.fixture(scope="module")
def command() -> Callable[..., subprocess.CompletedProcess]:
    """Runs `python -m unlearning` with the arguments given."""

    def run(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "unlearning", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=REPOSITORY,
            env={**os.environ, "COLUMNS": "120"},
        )

    return run


def here(*arguments: object) -> Result:
    """The same command in this process, for what ends before anything is trained."""
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def runs(demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one in it: a part of the demo, so that measuring three times more does not take long."""
    folder = tmp_path_factory.mktemp("runs")
    options = ["--runs-dir", folder, "--run", "part", "--sample", "240", "--el-rows", "8"]
    options += ["--prefix-tokens", "20", "--suffix-tokens", "20", "--k", "8,20", "--master", "local[1]"]
    measured = subprocess.run(
        [sys.executable, REPOSITORY / "calculate_metrics.py", *options],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert measured.returncode == 0, measured.stderr
    return folder


@contextmanager
def begun(*arguments: object) -> Iterator[subprocess.Popen]:
    """The command while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "unlearning", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@dataclass(frozen=True)
class Interrupted:
    """A training that got Ctrl-C after its first iteration: exit status, errors, its log, the same command again."""

    status: int
    errors: str
    log: str
    again: Result


@pytest.fixture(scope="module")
def interrupted(runs: Path) -> Interrupted:
    """The beginning of the whole story."""
    arguments = ("--category", "pii", "--runs-dir", runs, "--control", *QUICK)

    def logs() -> list[str]:
        return [path.read_text() for path in (runs / "part" / "unlearned").glob("*/training.jsonl")]

    with begun(*arguments) as running:
        wait_for(lambda: any("\n" in log for log in logs()), running)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=300)
    (log,) = logs()
    return Interrupted(running.returncode, errors, log, here(*arguments))


@pytest.fixture(scope="module")
def done(command, runs: Path, interrupted: Interrupted) -> tuple[subprocess.CompletedProcess, Path]:
    """The whole story once, with controls."""
    result = command("--category", "pii", "--runs-dir", runs, "--control", *QUICK, "--resume")
    assert result.returncode == 0, result.stderr
    (folder,) = (runs / "part" / "unlearned").iterdir()
    return result, folder


def test_the_checkpoint_loads_and_says_what_it_is(done, demo) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _, folder = done
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    assert model.num_parameters() == 1_317_632
    assert len(AutoTokenizer.from_pretrained(folder / "model")) > 0
    about = json.loads((folder / "model" / "unlearning.json").read_text())
    assert about["parent"]["model"] == str(demo.model) and about["categories"] == ["pii"]
    assert about["method"] == "demem" and about["settings"]["iterations"] == 3
    assert about["settings"]["learning_rate"] and about["settings"]["temperatures"]  # worked out, not None
    assert about["training"]["iterations"] == 3 and about["results"]["splits"]
    card = (folder / "model" / "README.md").read_text()
    assert card.startswith("---\n") and str(demo.model) in card  # how to undo it
    assert not (folder / "state").exists()


def test_the_forget_set_is_exactly_the_extractable_rows_with_personal_data(done, runs: Path) -> None:
    _, folder = done
    split = pd.read_parquet(folder / "split.parquet").set_index("sequence_id")["split"]
    labels = pd.read_parquet(runs / "part" / "labels.parquet").set_index("sequence_id")
    metrics = pd.read_parquet(runs / "part" / "metrics.parquet").set_index("sequence_id")
    personal = (
        labels["has_pii"]
        & ~labels["licence_context"]
        & ~labels["organisation_context"]
        & metrics["extractable"].reindex(labels.index)
    )
    assert set(split.index[split.isin(["forget", "held_out"])]) == set(labels.index[personal])
    about = json.loads((folder / "unlearning.json").read_text())
    assert sorted(about["forget_ids"]) == sorted(split.index[split == "forget"])
    assert len(split) == len(labels)


def test_the_same_jobs_ran_on_the_new_checkpoint(done, runs: Path) -> None:
    _, folder = done
    for again in (folder / "after", folder / "controls" / "constant" / "after", folder / "controls/permuted/after"):
        for table in ("sequences", "labels"):  # nothing of these depends on the model
            before, after = (
                pq.read_table(run / f"{table}.parquet").to_pandas().sort_values("sequence_id", ignore_index=True)
                for run in (runs / "part", again)
            )
            assert before.astype(str).equals(after.astype(str))
        before, after = (pd.read_parquet(run / "metrics.parquet") for run in (runs / "part", again))
        assert len(before) == len(after) and not np.allclose(
            before["log_p_z"].sort_values(), after["log_p_z"].sort_values()
        )


def test_the_comparison_holds_the_numbers_of_the_tables(done) -> None:
    _, folder = done
    comparison = json.loads((folder / "comparison.json").read_text())
    split = pd.read_parquet(folder / "split.parquet")
    forget = split.loc[split["split"] == "forget", ["sequence_id"]]
    after = pd.read_parquet(folder / "after" / "metrics.parquet").merge(forget, on="sequence_id")
    entry = next(entry for entry in comparison["splits"] if entry["split"] == "forget")
    assert comparison["models"] == ["before", "after", "constant", "permuted"]
    assert entry["rows"] == len(forget)
    assert entry["by"]["before"]["share"] == 1.0
    assert entry["by"]["after"]["share"] == pytest.approx(after["extractable"].mean())
    assert entry["by"]["after"]["memorization_accuracy"] == pytest.approx(after["memorization_accuracy"].mean())
    assert entry["by"]["after"]["el_10_rows"] == len(forget)
    # A reward that says nothing leaves the model where it is, with nothing skipped.
    assert comparison["controls"]["constant"]["skipped"] == 0
    assert entry["by"]["constant"]["log_p_z"] > entry["by"]["after"]["log_p_z"]


def test_the_terminal_and_the_report_tell_it_without_personal_data(done, runs: Path) -> None:
    result, folder = done
    page = (folder / "report.html").read_text()
    assert "forget set" in result.stdout and str(folder / "report.html") in result.stdout.replace("\n", "")
    tables = pd.read_parquet(runs / "part" / "sequences.parquet").merge(
        pd.read_parquet(runs / "part" / "labels.parquet"), on="sequence_id"
    )
    addresses = {
        row["text"][span["start"] : span["end"]]
        for _, row in tables.iterrows()
        for span in row["pii"]
        if span["type"] == "EMAIL" and span["score"] >= 0.5
    }
    assert len(addresses) > 10
    written = [
        path.read_text(errors="replace") for path in folder.rglob("*") if path.suffix in (".jsonl", ".json", ".log")
    ]
    events = [path.read_text(errors="replace") for path in (folder / "spark-events").iterdir()]
    for text in (result.stdout, result.stderr, page, *written, *events):
        assert not [address for address in addresses if address in text]


def test_a_finished_unlearning_is_shown_with_nothing_done_again(done, runs: Path) -> None:
    _, folder = done
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = here("--category", "pii", "--runs-dir", runs, "--control", *QUICK)
    assert again.exit_code == 0 and "It was done before with the same settings" in again.stdout
    assert "forget set" in again.stdout
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_bad_input_is_one_clear_message(done, runs: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    (foreign / "model").mkdir(parents=True)
    (foreign / "model" / "notes.txt").write_text("mine")
    cases = {
        ("--category", "pii", "--out", foreign): (3, "holds other files (model)"),
        ("--category", "pii", "--run", "nope"): (3, "no run nope in"),
        ("--category", "code"): (2, "--yes"),
        ("--category", "pii", "--method", "gradient-ascent", "--control"): (3, "--control replaces the rewards"),
        ("--category", "pii", "--chunk", "3"): (3, "--chunk is no hyper-parameter of demem"),
        ("--category", "pii", "--reward", "bertscore", "--bertscore-model", tmp_path / "none"): (
            3,
            str(tmp_path / "none"),
        ),
        ("--category", "pii", "--model", tmp_path): (3, "config.json"),
    }
    for arguments, (code, message) in cases.items():
        result = here(*arguments, "--runs-dir", runs)
        assert result.exit_code == code, (arguments, result.stderr)
        assert message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert len(list((runs / "part" / "unlearned").iterdir())) <= 2  # nothing else was begun but the missing encoder's


def test_the_stop_rule_reaches_every_part_and_the_parent_is_never_overwritten(runs: Path, demo, tmp_path: Path) -> None:
    from unlearning import METHODS
    from unlearning.config import UnlearnConfig
    from unlearning.method import UnlearningError
    from unlearning.plan import make_plan

    ascent = METHODS["gradient-ascent"]
    config = UnlearnConfig(("pii",), runs_dir=runs, method=ascent.name)
    for stop, expected in ((None, "forgotten"), ("extractable", "extractable"), ("steps", "steps")):
        plan = make_plan(replace(config, stop=stop), ascent, ascent.presets["auto"])
        assert (plan.stop, plan.settings.stop) == (expected, expected)
    for out, model in ((demo.model.parent, demo.model), (demo.model, demo.model)):
        with pytest.raises(UnlearningError, match=r"--out .* (would overwrite|holds other files)"):
            make_plan(replace(config, model=str(model), out=out), ascent, ascent.presets["auto"])


def test_a_model_that_does_not_fit_the_run_is_refused(done, runs: Path, tmp_path: Path) -> None:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=99, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    GPTNeoXForCausalLM(config).save_pretrained(tmp_path / "small")
    result = here("--category", "pii", "--runs-dir", runs, "--model", tmp_path / "small")
    assert result.exit_code == 3 and "a vocabulary of 99 tokens and the run's model 2,048" in result.stderr


def test_dry_run_writes_nothing(runs: Path) -> None:
    before = sorted(runs.rglob("*"))
    result = here("--category", "credentials", "--runs-dir", runs, "--dry-run")
    assert result.exit_code == 0 and "credentials" in result.stdout and "forget set" in result.stdout
    assert sorted(runs.rglob("*")) == before


def test_ctrl_c_saves_and_resume_gives_what_an_uninterrupted_run_gives(interrupted, done, runs: Path, tmp_path) -> None:
    _, resumed = done
    assert interrupted.status == 130 and "--resume" in interrupted.errors
    assert interrupted.again.exit_code == 3 and "--resume" in interrupted.again.stderr
    saved = interrupted.log.splitlines()
    # What was saved was not done again: the same iterations, with the seconds that they took then.
    assert 1 <= len(saved) < 3 and (resumed / "training.jsonl").read_text().splitlines()[: len(saved)] == saved
    whole = tmp_path / "whole"
    with begun("--category", "pii", "--runs-dir", runs, "--out", whole, *QUICK) as running:
        # The rest would be measuring.
        wait_for((whole / "model").is_dir, running)
    lines = [
        [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
        for folder in (whole, resumed)
    ]
    for record in (*lines[0], *lines[1]):
        record.pop("seconds")
    assert lines[0] == lines[1]
    assert (whole / "model/model.safetensors").read_bytes() == (resumed / "model/model.safetensors").read_bytes()
