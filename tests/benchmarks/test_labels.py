"""The benchmark of the labels on invented rows with known answers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.labelled_files import HARMFUL_LABELS, HARMFUL_ROWS, SPAN_TASKS, TASKS, five_way, harmful_rows, read_rows
from benchmarks.labels import any_file, known_files, overlap

CODE = "for (size_t i = 0; i < n; ++i) {\n    total += weights[i] * values[i];\n}\nreturn total;\n"
PROSE = "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill."
LETTER = (
    "Dear Ms. Ottilie Vantreight,\n\nplease ring me on +1 312 482 7719 before noon.\n\nKind regards,\nBarnaby Quell\n"
)


def write(path: Path, columns: list[str], rows: list[tuple]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def console(tmp_path: Path) -> Console:
    return Console(file=(tmp_path / "out.txt").open("w+", encoding="utf-8"), width=200)


def printed(shown: Console) -> str:
    shown.file.seek(0)
    return shown.file.read()


@pytest.mark.parametrize(
    ("category", "note", "name"),
    [
        ("pattern-incrementing", "", "incrementing"),
        ("pattern-repeating", "incrementing", "repeating"),
        ("code", "latex", "code"),
        ("duplicated", "license", "boilerplate"),
        ("template", "", "boilerplate"),
        ("nl", "legal", "boilerplate"),
        ("code+nl", "license", "boilerplate"),
        ("code+nl", "math", "code"),
        ("nl", "", "text"),
        ("other", "phonebook?", "text"),
    ],
)
def test_five_way(category: str, note: str, name: str) -> None:
    assert five_way({"category": category, "note": note}) == name


def test_any_file_by_hand(tmp_path: Path) -> None:
    rows = [(CODE, "source"), (PROSE, "text"), (LETTER, "pii"), (PROSE + "!", "source"), ("#ERROR!", "text")]
    path = write(tmp_path / "mine.csv", ["body", "kind"], rows)
    shown = console(tmp_path)
    any_file(shown, path, "body", "kind", {"source": "code"})
    # code: 1 of 2 found, none wrongly: F1 2/3. text: 1 of 1, one wrongly: 2/3. pii: 1. The mean is 0.778.
    assert "macro-F1 0.778; 4 rows" in printed(shown)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.csv", ["body", "kind"], [(CODE, "code")])
    with pytest.raises(SystemExit, match=r"no column text; it has body, kind. Name the text's with --text"):
        read_rows(path)
    with pytest.raises(SystemExit, match=r"no column label; it has body, kind"):
        any_file(console(tmp_path), path, "body", "label", {})
    with pytest.raises(SystemExit, match=r"\.csv, \.jsonl or \.parquet"):
        read_rows(tmp_path / "mine.txt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", "has no rows"),
        ("header.csv", "text,category\n", "has no rows"),
        ("latin.csv", "text,category\ncaf\xe9,code\n", "cannot be read"),
        ("broken.jsonl", "{'text': 1}\n", "cannot be read"),
        ("numbers.jsonl", '{"text": 1}\n', "no row has a text in column text"),
        ("list.jsonl", "[1]\n", "rows that are no objects"),
        ("broken.parquet", "PAR", "cannot be read"),
    ],
)
def test_files_that_cannot_be_read_say_so(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(SystemExit, match=message):
        read_rows(tmp_path / name)


def test_overlap_by_hand() -> None:
    assert overlap((0, 10), (0, 10)) == 1
    assert overlap((0, 10), (5, 15)) == pytest.approx(5 / 15)
    assert overlap((0, 4), (6, 9)) == 0


def test_the_labels_made_by_reading_hold_no_text() -> None:
    with HARMFUL_ROWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    named = [row for row in rows if row["file"] != "pile_validation.csv"]
    assert len(named) >= 300
    assert len({(row["file"], row["id"], row["start"]) for row in rows}) == len(rows)
    known = {*HARMFUL_LABELS, "attribution", "organisation", "placeholder", "public_name", "none"}
    for row in rows:
        assert row["label"] in known
        assert row["id"].isdigit()
        assert not row["types"] or row["types"].replace("+", "").replace("_", "").isupper()


def test_on_the_real_files(shared_data: Path, tmp_path: Path) -> None:
    rows = harmful_rows(shared_data)
    assert len(rows) == sum(1 for _ in HARMFUL_ROWS.open(encoding="utf-8")) - 1
    shown = console(tmp_path)
    known_files(shown, shared_data)
    text = printed(shown)
    assert float(text.split("macro-F1 ")[1].split(",")[0]) >= 0.85
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    goals = {line[0]: line for line in lines if "/" in line[-1]}
    assert len(goals) == len(TASKS) + len(SPAN_TASKS)
    for line in goals.values():
        f1 = next(cell for cell in reversed(line[:-1]) if "(" in cell)  # the last figure with an interval
        assert float(f1.split(" ")[0]) >= float(line[-1].split("/")[0]), line[0]
    named = next(line for line in lines if line[0].startswith("lm_extraction_by_domain, demem"))
    precision, recall = (float(cell.split(" ")[0]) for cell in named[5:7])
    assert precision >= 0.8 and recall >= 0.95
