"""The command line: help, plan, and what a person's mistakes look like."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import calculate_metrics
from spark_jobs.run_config import RunConfig


def command(*arguments: object) -> Result:
    return CliRunner().invoke(calculate_metrics.main, [str(a) for a in arguments])


def test_help_has_groups_examples_and_defaults() -> None:
    text = command("--help").output
    for heading in ("Model:", "Sequences:", "Measure:", "Compute:", "Run:"):
        assert f"\n{heading}\n" in text
    assert text.count("  python calculate_metrics.py") == 3
    assert "default: 8, 16, 32" in text


def test_every_setting_is_an_option_with_its_default() -> None:
    given = calculate_metrics.main.make_context("calculate_metrics.py", []).params
    for field in fields(RunConfig):
        assert given[field.name] == field.default, field.name


def test_dry_run_says_what_would_be_done(demo, tmp_path: Path) -> None:
    done = command("--dry-run", "--runs-dir", tmp_path, "--k", "4,32", "--sample", 100)
    assert done.exit_code == 0, done.output
    for expected in ("demo", "4, 32", "100 rows", "score"):
        assert expected in done.output
    assert not list(tmp_path.iterdir())


def test_pythia_stands_for_model_and_split() -> None:
    configs = calculate_metrics._pythia_configs(
        ("70m-deduped", "12b-deduped@step23000"),
        "memorized",
        {name.name: name.default for name in fields(RunConfig)},
    )
    assert configs[0].model == "EleutherAI/pythia-70m-deduped"
    assert configs[0].sequences == "EleutherAI/pythia-memorized-evals"
    assert configs[0].split == "deduped.70m"
    assert configs[1].model == "EleutherAI/pythia-12b-deduped"
    assert configs[1].revision == "step23000"


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    path.write_text(json.dumps({"text": "a line of text, long enough to be measured, " * 20}) + "\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--no-such-option"], 2, "No such option"),
        (["--scores", "some"], 2, "extractable"),
        (["--k", "8,x"], 2, "8,16,32"),
        (["--el-rows", "many"], 2, "`all`"),
        (["--k", "64"], 2, "--prefix-tokens"),
        (["--k", "0"], 2, "prompt length"),
        (["--model", "MODEL"], 2, "--sequences"),
        (["--sequences", "TEXTS"], 2, "--model"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--prefix-tokens", "9999"], 3, "tokens at most"),
        (["--model", "MODEL", "--sequences", "nowhere.jsonl"], 3, "nowhere.jsonl"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--text-column", "txet"], 3, "'text'"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--split", "train"], 3, "--split"),
        (["--model", "no-such-folder", "--sequences", "TEXTS"], 3, "no-such-folder"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--duplicates", "none.csv"], 3, "none.csv"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--device", "abacus"], 3, "abacus"),
        (["--pythia", "71m"], 3, "70m"),
        (["--corpus", "TEXTS"], 3, "`tokens`"),
        (["--corpus", "nowhere"], 3, "nowhere"),
        (["--master", "foo"], 2, "local[*]"),
        (["--run", "../elsewhere"], 2, "--runs-dir"),
        (["--run", ".."], 2, "--runs-dir"),
        (["--model", "MODEL", "--sequences", "TEXTS", "--revision", "main"], 2, "--revision"),
        (["--pythia", "70m", "--model", "MODEL"], 2, "--model"),
    ],
)
def test_mistakes_are_said_plainly(demo, texts: Path, arguments: list[str], code: int, says: str) -> None:
    places = {"MODEL": str(demo.model), "TEXTS": str(texts)}
    done = command(*[places.get(a, a) for a in arguments])
    assert done.exit_code == code, done.output
    assert says in done.output
    assert "Traceback" not in done.output


def test_tokenizer_that_does_not_fit(demo, texts: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {f"word{i}": i for i in range(5000)}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="word0")))
    tokenizer.save_pretrained(tmp_path)
    done = command("--model", demo.model, "--sequences", texts, "--tokenizer", tmp_path)
    assert done.exit_code == 3
    assert "does not fit" in done.output and "4,999" in done.output and "2,047" in done.output


def test_tokenizer_of_another_model(demo, subject: Path, tmp_path: Path) -> None:
    arguments = ("--model", subject / "model", "--sequences", subject / "sequences.parquet", "--tokenizer", demo.model)
    done = command(*arguments, "--runs-dir", tmp_path)
    assert done.exit_code == 3
    assert "2,048" in done.output and "50,304" in done.output


def test_unwritable_folder(demo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("--runs-dir", tmp_path / "file" / "runs")
    assert done.exit_code in (2, 4)
    assert "Traceback" not in done.output


def test_nothing_left_to_measure(measure, demo, tmp_path: Path) -> None:
    np.save(tmp_path / "prefix.npy", np.full((5, 32), 60000, np.int32))
    np.save(tmp_path / "suffix.npy", np.zeros((5, 32), np.int32))
    spec = f"{tmp_path / 'prefix.npy'},{tmp_path / 'suffix.npy'}"
    done = measure("--model", demo.model, "--sequences", spec, "--runs-dir", tmp_path, "--run", "none")
    assert done.returncode == 3, done.stderr
    assert "none of the 5 rows" in done.stderr and "vocabulary" in done.stderr
    assert (tmp_path / "none" / "rejected.parquet").is_dir()


def test_dry_run_does_not_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNRECITE_CACHE", str(tmp_path / "cache"))
    done = command("--dry-run", "--runs-dir", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    assert "trained first" in done.output
    assert not list((tmp_path / "cache").glob("*"))
