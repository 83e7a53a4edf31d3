"""Whole runs of the command on the demo: right, the same however they are cut up, and resumable."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import calculate_metrics
from data.demo_model import Demo
from metrics.token_scores import FIELD_LEVELS, ScoreLevel
from spark_jobs.counts import duplicates_table
from spark_jobs.measure import MeasureSettings, measured
from spark_jobs.run_folder import RunFolder
from spark_jobs.score import ScoreSettings, score_table
from spark_jobs.summarize import column_reference, summarize

REPOSITORY = Path(__file__).resolve().parents[2]
TABLES = ("sequences", "rejected", "duplicates", "scores", "metrics", "labels", "predictions")
IN_CHUNKS = ("--checkpoint-rows", 300, "--el-rows", 16)


@pytest.fixture(scope="module")
def demo_run(measure, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo measured in chunks of 300 rows, uninterrupted; what it printed is in `stdout.txt`.

    Typed in a folder with files named as our packages, which Python would import before ours.
    """
    folder, elsewhere = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("elsewhere")
    for package in ("data", "metrics", "spark_jobs"):
        (elsewhere / f"{package}.py").write_text("raise SystemExit('not ours')\n")
    done = measure("--runs-dir", folder, "--run", "whole", *IN_CHUNKS, cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    (folder / "whole" / "stdout.txt").write_text(done.stdout)
    return folder / "whole"


def here(run: Path, *arguments: object) -> Result:
    """The command in this process, for what ends before Spark starts."""
    places = ["--runs-dir", run.parent, "--run", run.name]
    return CliRunner(env={"COLUMNS": "120"}).invoke(calculate_metrics.main, [str(a) for a in (*places, *arguments)])


def read(run: Path, table: str) -> pd.DataFrame:
    frame = pd.read_parquet(run / f"{table}.parquet")
    return frame.sort_values(list(frame.columns[:1])).reset_index(drop=True)


def assert_same_tables(one: Path, other: Path, rtol: float, atol: float) -> None:
    """Integers, texts and lists of integers equal; floats within the tolerance (0 is to the last bit)."""
    for table in TABLES:
        left, right = read(one, table), read(other, table)
        assert list(left.columns) == list(right.columns)
        assert len(left) == len(right)
        for column in left.columns:
            a, b = left[column].to_numpy(), right[column].to_numpy()
            if a.dtype.kind == "O" and len(a) and isinstance(a[0], np.ndarray) and a[0].dtype.kind in "fi":
                a, b = np.stack(a), np.stack(b)
            if a.dtype.kind == "f":
                np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=f"{table}.{column}")
            elif a.dtype.kind in "ib":
                np.testing.assert_array_equal(a, b, err_msg=f"{table}.{column}")
            else:
                assert [repr(x) for x in a] == [repr(x) for x in b], f"{table}.{column}"


def test_every_sequence_is_in_every_table(demo_run: Path) -> None:
    ids = set(read(demo_run, "sequences").sequence_id)
    assert len(ids) > 1000
    for table in ("duplicates", "scores", "metrics", "labels"):
        frame = read(demo_run, table)
        assert frame.sequence_id.is_unique
        assert set(frame.sequence_id) == ids


def test_summary_counts_what_the_tables_hold(demo_run: Path) -> None:
    summary = json.loads((demo_run / "summary.json").read_text())
    both = read(demo_run, "metrics").merge(read(demo_run, "labels"), on="sequence_id")
    assert summary["overall"]["rows"] == len(both)
    assert summary["overall"]["extractable"] == int(both.extractable.sum())
    for entry in summary["categories"]:
        rows = both[both.category == entry["category"]]
        assert (entry["rows"], entry["extractable"]) == (len(rows), int(rows.extractable.sum()))
        assert entry["memorization_score"] == pytest.approx(rows.memorization_score.mean(), rel=1e-6)
        assert entry["log_p_z"] == pytest.approx(rows.log_p_z.sort_values().iloc[(len(rows) - 1) // 2], rel=1e-6)
    at_k = np.stack(both.extractable_at_k.to_numpy())
    swept = {(e["category"], e["k"]): e["extractable"] for e in summary["sweep"]}
    for place, k in enumerate(summary["k"]):
        assert swept["all", k] == int(at_k[:, place].sum())
    for name in ("memorization_score", "log10_p_z"):
        histogram = summary["histograms"][name]
        inside = sum(sum(counts) for counts in histogram["counts"].values())
        assert inside + sum(histogram["below"].values()) == len(both)


def test_duplicates_are_those_of_the_training_windows(demo_run: Path, demo: Demo) -> None:
    windows = np.stack(pq.read_table(demo.training_corpus)["tokens"].to_numpy())
    sequences = read(demo_run, "sequences").merge(read(demo_run, "duplicates"), on="sequence_id")
    tokens = np.stack(sequences.tokens.to_numpy())
    whole = Counter(map(tuple, windows.tolist()))
    assert sequences.duplicates.tolist() == [whole[tuple(row)] for row in tokens.tolist()]
    for name in ("prefix_occurrences", "suffix_occurrences"):
        assert (sequences[name] >= sequences.duplicates).all()
        assert (sequences[name] > sequences.duplicates).any()


def test_the_demo_memorized_what_it_saw_often_and_is_labelled_right(demo_run: Path) -> None:
    metrics, sequences = read(demo_run, "metrics"), read(demo_run, "sequences")
    both = metrics.merge(sequences[["sequence_id", "true_category", "is_member"]], on="sequence_id")
    often = both[both.duplicates >= 16]
    assert 0.60 <= often.extractable.mean() <= 0.95
    never = both[~both.is_member & both.true_category.isin(["pii", "code", "text"])]
    assert never.extractable.mean() <= 0.05
    assert (both[~both.is_member].duplicates == 0).all()
    summary = json.loads((demo_run / "summary.json").read_text())
    assert summary["label_check"]["macro_f1"] >= 0.95
    assert {entry["score"] for entry in summary["membership"]} == {
        "loss",
        "zlib_ratio",
        "min_k",
        "min_k_plus_plus",
    }
    assert all(entry["auroc"] > 0.6 for entry in summary["membership"])


def test_scores_agree_with_generate(demo_run: Path, demo) -> None:
    """Labels, first mismatch, greedy tokens and memorization score of every row, as tables hold them."""
    import torch
    from transformers import AutoModelForCausalLM

    sequences, scores, metrics = (read(demo_run, name) for name in ("sequences", "scores", "metrics"))
    tokens = torch.tensor(np.stack(sequences.tokens.to_numpy()).astype(np.int64))
    model = AutoModelForCausalLM.from_pretrained(demo.model, dtype=torch.float32).eval()
    greedy = []
    with torch.no_grad():
        for start in range(0, len(tokens), 256):
            prompt = tokens[start : start + 256, :32]
            out = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                min_new_tokens=32,
                max_new_tokens=32,
                pad_token_id=0,
            )
            greedy.append(out[:, 32:])
    greedy = torch.cat(greedy).numpy()
    hits = greedy == tokens[:, 32:].numpy()
    first = np.where(hits.all(1), 32, (~hits).argmax(1))
    assert ((first > 0) & (first < 32)).sum() > 100  # partial matches are among them
    np.testing.assert_array_equal(np.stack(scores.greedy_tokens.to_numpy()), greedy)
    np.testing.assert_array_equal(metrics.first_mismatch.to_numpy(), first)
    np.testing.assert_array_equal(metrics.extractable.to_numpy(), hits.all(1))
    np.testing.assert_allclose(metrics.memorization_score.to_numpy(), hits.mean(1), atol=1e-7)


def test_the_report_stands_alone(demo_run: Path) -> None:
    report = (demo_run / "report.html").read_text()
    assert 'src="http' not in report and "@import" not in report
    assert str(demo_run / "report.html") in (demo_run / "stdout.txt").read_text().replace("\n", "")


def test_the_report_names_nobody_of_the_corpus(demo_run: Path) -> None:
    labels = pd.read_parquet(demo_run / "labels.parquet").set_index("sequence_id").pii
    texts = pd.read_parquet(demo_run / "sequences.parquet").set_index("sequence_id").text
    readable = (demo_run / "report.html").read_text() + (demo_run / "stdout.txt").read_text()
    found = {
        texts[key][span["start"] : span["end"]]
        for key, spans in labels.items()
        for span in spans
        if span["type"].startswith(("EMAIL", "PHONE", "PERSON"))
    }
    assert len(found) > 50
    assert not [secret for secret in found if len(secret) > 4 and secret in readable]


def test_second_run_does_nothing_again(demo_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in demo_run.rglob("*.parquet")}
    done = here(demo_run, *IN_CHUNKS)
    assert done.exit_code == 0, done.stderr
    assert "Every stage was done before" in done.stdout
    assert "macro-F1" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in demo_run.rglob("*.parquet")} == before


def test_other_settings_do_not_touch_the_run(demo_run: Path) -> None:
    before = (demo_run / "run.json").read_text()
    done = here(demo_run, "--k", "16,32")
    assert done.exit_code == 3
    assert "k: [8, 16, 32] then, [16, 32] now" in done.stderr
    assert (demo_run / "run.json").read_text() == before


def test_the_same_tables_whatever_the_partitioning_and_the_java(measure, demo_run: Path, tmp_path: Path) -> None:
    """On one core, in other batches, and without a system Java: then the wheel's is used."""
    bare = tmp_path / "bin"
    bare.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if not tool.name.startswith("java") and not (bare / tool.name).exists():
                (bare / tool.name).symlink_to(tool)
    done = measure(
        "--runs-dir", tmp_path, "--run", "other", "--master", "local[1]", "--batch-size", 7, *IN_CHUNKS,
        env={"PATH": str(bare), "JAVA_HOME": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "other" / "summary.json").read_text())["versions"]["java"].startswith("25")
    assert_same_tables(demo_run, tmp_path / "other", rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("level", [ScoreLevel.EXTRACTABLE, ScoreLevel.MEMORIZATION, ScoreLevel.LIKELIHOOD])
def test_a_lower_level_leaves_columns_out_and_changes_none(
    spark, demo_run: Path, demo: Demo, tmp_path: Path, level: ScoreLevel
) -> None:
    """Every sixteenth row, scored and measured in the session that is there."""
    sequences = pd.read_parquet(demo_run / "sequences.parquet").sort_values("sequence_id")[::16]
    expected = {
        name: pd.read_parquet(demo_run / f"{name}.parquet").set_index("sequence_id").loc[sequences.sequence_id]
        for name in ("scores", "metrics")
    }
    folder = RunFolder(tmp_path)
    folder.table("sequences").mkdir()
    sequences.to_parquet(folder.table("sequences") / "part-0.parquet")
    settings = ScoreSettings(
        model=str(demo.model),
        revision=None,
        dtype="float32",
        device="cpu",
        prefix_tokens=32,
        k_values=(8, 16, 32),
        level=level,
        eos_token_ids=(0,),
        batch_size=None,
        checkpoint_rows=1000,
    )
    score_table(spark, folder, settings, len(sequences), el_rows=10, seed=0, on_rows=lambda rows: None)
    scores = spark.read.parquet(str(folder.table("scores")))
    measuring = MeasureSettings(str(demo.model), None, 4096, 32, (8, 16, 32), level)
    duplicates = duplicates_table(spark, RunFolder(demo_run))
    metrics = measured(spark.read.parquet(str(folder.table("sequences"))), scores, duplicates, measuring, None)
    found = {"scores": scores.toPandas(), "metrics": metrics.toPandas()}

    assert set(found["scores"].columns) - {"sequence_id"} == {
        n for n, needed in FIELD_LEVELS.items() if needed <= level
    }
    for name, table in found.items():
        table = table.set_index("sequence_id").loc[sequences.sequence_id]
        for column in table.columns:
            if column.startswith("token_count") or column == "min_margin":
                continue  # not counted here; of fewer decisions where less is decoded
            ours, theirs = table[column].to_numpy(), expected[name][column].to_numpy()
            if isinstance(ours[0], np.ndarray):
                ours = np.stack(ours)
                theirs = np.stack(theirs)[:, -ours.shape[1] :]  # of the suffix only
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4, err_msg=f"{name}.{column}")
    labels = spark.read.parquet(str(demo_run / "labels.parquet"))
    overall = summarize(spark.read.parquet(str(demo_run / "sequences.parquet")), metrics, labels, scores, (8, 16, 32))[
        "overall"
    ]
    assert 0 < overall["extractable"] < overall["rows"] == len(sequences)
    assert (overall["n_sacrebleu"] is not None) == (level >= ScoreLevel.MEMORIZATION)
    assert (overall["log_p_z"] is not None) == (level >= ScoreLevel.LIKELIHOOD)
    assert overall["memorization_accuracy"] is None
    described = {(column["table"], column["name"]) for column in column_reference(level)}
    for name, table in found.items():
        assert {column for where, column in described if where == name} == set(table.columns)


def wait_for(condition, process: subprocess.Popen, seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_within_a_stage_and_interrupted_between_two_it_goes_on(measure, demo_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "stopped"
    partial = run / ".partial-scores"
    arguments = ["--runs-dir", tmp_path, "--run", run.name, *IN_CHUNKS]

    def stages() -> dict:
        try:
            return json.loads((run / "run.json").read_text())["stages"]
        except FileNotFoundError:
            return {}

    def finished_chunks() -> list[str]:
        return [marker.name.removeprefix("_").removesuffix(".done") for marker in partial.glob("_*.done")]

    def stopped(number: signal.Signals, condition: Callable[[], bool]) -> tuple[int, str]:
        """Exit status and errors of a run that gets the signal once the condition holds."""
        process = subprocess.Popen(
            [sys.executable, REPOSITORY / "calculate_metrics.py", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(condition, process)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
        return process.returncode, stderr

    status, _ = stopped(signal.SIGKILL, lambda: len(finished_chunks()) >= 2)
    assert status == -signal.SIGKILL
    kept = {
        path.name: path.stat().st_mtime_ns for chunk in finished_chunks() for path in partial.glob(f"{chunk}-*.parquet")
    }
    status, stderr = stopped(signal.SIGINT, lambda: "measure" in stages())
    assert status == 130
    assert "same command again" in stderr
    assert "Traceback" not in stderr
    done = measure(*arguments)
    assert done.returncode == 0, done.stderr
    skipped = [line for line in done.stdout.splitlines() if "skipped" in line]
    for stage in ("prepare", "count", "score", "measure"):
        assert any(stage in line for line in skipped), stage
    scores = {path.name: path.stat().st_mtime_ns for path in (run / "scores.parquet").iterdir()}
    assert kept and kept.items() < scores.items()
    assert_same_tables(demo_run, run, rtol=0, atol=0)
    assert not list(run.glob(".writing-*"))
    assert not list(run.glob(".partial-*"))


def test_a_lost_report_is_written_again(demo_run: Path) -> None:
    report = demo_run / "report.html"
    before = report.read_text()
    report.unlink()
    done = here(demo_run, *IN_CHUNKS)
    assert done.exit_code == 0, done.stderr
    assert report.read_text() == before
