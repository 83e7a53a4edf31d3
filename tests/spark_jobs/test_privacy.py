"""Planted people are found in the tables, and nowhere that anybody reads without asking for it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

# Nobody here exists. Names a list would know, names no list knows, in several kinds of text.
PEOPLE = [
    ("Margaret Thistlewood", "m.thistlewood@harrowgate-mills.co.uk", "+44 20 7946 0018"),
    ("Oluwaseun Adeyemi-Brandt", "seun.brandt@lakesideclinic.org", "(415) 662-7193"),
    ("Jiří Vondráček", "vondracek77@posta-morava.cz", "+420 603 118 224"),
    ("Dorinda Quillfeather", "dquill@quillfeatherlaw.com", "212-736-5087"),
]
SHAPES = [
    "From: {name} <{mail}>\nTo: the whole team\nSubject: meeting on Monday\n\nPlease call me on {phone} before the "
    "meeting starts, since the room has changed once more and I have the only key to the cupboard with the slides.\n"
    "Best regards,\n{name}",
    "It was a long evening, and {name} had not said a word since dinner. Outside, the rain went on, and nobody knew "
    "whether the road was open. In the morning {name} left early, by the back door, with two bags and without a coat, "
    "and was seen at the station by the old porter.",
    "contact list, please keep up to date: {lower}, {phone}, {mail}; the office is on the second floor, the entrance "
    "is at the back of the building, ring twice and wait; parcels go to the desk in the hall, letters to the box "
    "beside the stairs, and nothing is ever left outside.",
    "# Maintainer: {name} <{mail}>\ndef total(values):\n    result = 0\n    for value in values:\n        result += "
    "value\n    return result\n\n\ndef mean(values):\n    return total(values) / len(values)\n\n\n"
    "print(mean([1, 2, 3]))\n",
]


@pytest.fixture(scope="module")
def planted_run(measure, demo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run over the planted texts: folder, and everything printed."""
    folder = tmp_path_factory.mktemp("planted")
    rows = [
        {
            "id": 10 * place + shape,
            "text": text.format(name=name, lower=name.lower(), mail=mail, phone=phone),
            "note": name,
        }
        for place, (name, mail, phone) in enumerate(PEOPLE)
        for shape, text in enumerate(SHAPES)
    ]
    rows += [{"id": 1000, "text": f"too short, {PEOPLE[0][0]}", "note": PEOPLE[0][1]}]
    rows += [{"id": 0, "text": rows[0]["text"], "note": PEOPLE[0][1]}]  # an id that was there before
    path = folder / "planted.jsonl"
    lines = [json.dumps(row) for row in rows] + [f'{{"id": 7, "text": "{PEOPLE[1][0]} broken line']
    path.write_text("\n".join(lines), encoding="utf-8")
    done = measure("--model", demo.model, "--sequences", path, "--runs-dir", folder, "--run", "planted")
    assert done.returncode == 0, done.stderr
    return folder / "planted", done.stdout + done.stderr


def secrets() -> list[str]:
    """Every string that must not be seen: mails, phones, full names and each part of a name."""
    found = []
    for name, mail, phone in PEOPLE:
        found += [mail, phone, name, *name.split()]
    return found


def test_tables_hold_them_and_the_labels_see_them(planted_run: tuple[Path, str]) -> None:
    run, _ = planted_run
    labels = pd.read_parquet(run / "labels.parquet").set_index("sequence_id")
    texts = pd.read_parquet(run / "sequences.parquet").set_index("sequence_id").text
    assert len(labels) == len(PEOPLE) * len(SHAPES)
    assert texts[0].startswith("From: Margaret Thistlewood")
    for place in range(len(PEOPLE)):
        assert labels.loc[10 * place, "category"] == "pii"
        assert "EMAIL" in "".join(labels.loc[10 * place, "pii_types"])


def test_rejected_rows_are_kept_with_their_reason(planted_run: tuple[Path, str]) -> None:
    run, _ = planted_run
    rejected = pd.read_parquet(run / "rejected.parquet")
    assert len(rejected) == 3
    assert rejected.reason.is_unique
    assert rejected.raw.str.contains(PEOPLE[0][0]).sum() == 2
    summary = json.loads((run / "summary.json").read_text())
    assert summary["rows"]["read"] == len(PEOPLE) * len(SHAPES) + 3
    assert summary["rows"]["rejected"] == 3


def test_nothing_readable_names_them(planted_run: tuple[Path, str]) -> None:
    run, printed = planted_run
    readable = {
        "output": printed,
        **{
            str(path.relative_to(run)): path.read_text(encoding="utf-8", errors="replace")
            for path in run.rglob("*")
            if path.is_file() and ".parquet" not in str(path.relative_to(run))
        },
    }
    assert any("spark-events" in name for name in readable)
    assert "report.html" in readable and "spark.log" in readable
    leaks = [
        (where, secret)
        for where, text in readable.items()
        for secret in secrets()
        if secret.casefold() in text.casefold()
    ]
    assert not leaks


def test_show_text_shows_them(measure, planted_run: tuple[Path, str], demo) -> None:
    run, _ = planted_run
    source = run.parent / "planted.jsonl"
    done = measure(
        "--model", demo.model, "--sequences", source, "--runs-dir", run.parent, "--run", "planted", "--show-text"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Only the report depends on it: every table is kept.
    for stage in ("prepare", "count", "score", "measure", "label"):
        assert any(stage in line and "skipped" in line for line in done.stdout.splitlines()), stage
    report = (run / "report.html").read_text()
    assert "Thistlewood" in report or "Quillfeather" in report or "Brandt" in report
