"""The labelled files that `labels.py` knows: which rows are asked what, and which evidence answers.

The files are research sets that do not come with the repository; a folder that holds some of them will do.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from metrics.categories.boilerplate import THRESHOLD as LICENCE_THRESHOLD
from metrics.categories.code import THRESHOLD as CODE_THRESHOLD
from metrics.categories.evidence import LIKELY

HARMFUL_ROWS = Path(__file__).with_name("harmful_rows.csv")
HARMFUL_LABELS = frozenset(("credentials", "identity", "contact", "correspondence"))
_BOILERPLATE_NOTE = re.compile(r"licen[cs]e|legal|disclai|job add|marketing|templating|metadata")

Row = dict[str, str]


@dataclass(frozen=True)
class Task:
    """A yes-or-no question about the rows of a file.

    Attributes:
        name: What is asked.
        file: Name of the file in the folder.
        asked: Whether a row is asked at all.
        truth: Its true answer.
        answer: The evidence of a row -> the answer with the thresholds that are shipped.
        score: The evidence of a row -> the number whose threshold decides, which is then also chosen by
            cross-validation; None where no single number decides.
        goal: The F1 that the label must reach.
        hope: The F1 to reach for.
    """

    name: str
    file: str
    asked: Callable[[Row], bool]
    truth: Callable[[Row], bool]
    answer: Callable[[Mapping[str, object]], bool]
    goal: float
    hope: float
    score: Callable[[Mapping[str, object]], float] | None = None


def _memorized(row: Row) -> bool:
    return row["memorized"] == "True"


def _patterned(row: Row) -> bool:
    return row["category"].startswith("pattern-")


def _is_licence(row: Row) -> bool:
    return "license" in row["note"]


def five_way(row: Row) -> str:
    """The true one of `code`, `boilerplate`, `incrementing`, `repeating`, `text` for a row of the Pythia set."""
    category, note = row["category"], row["note"]
    if category.startswith("pattern-"):
        return category.removeprefix("pattern-")
    if category == "code":
        return "code"
    if category in {"duplicated", "template"} or _BOILERPLATE_NOTE.search(note):
        return "boilerplate"
    return "code" if category == "code+nl" else "text"


def five_way_answer(evidence: Mapping[str, object]) -> str:
    """The label in the same five names; harmful rows keep theirs and count as errors."""
    category = str(evidence["category"])
    return str(evidence["repetition_kind"]) if category == "repetition" else category


def _memorized_patterns(kind: str) -> Callable[[Row], bool]:
    return lambda row: row["category"] == f"pattern-{kind}"


PYTHIA, TOKENIZER = "pythia70m_labelled.csv", "pythia_tokenizer.json"
TASKS: tuple[Task, ...] = (
    Task(
        "repeating or incrementing, memorized rows",
        PYTHIA,
        _memorized,
        _patterned,
        lambda e: bool(e["repetition_kind"]),
        0.92,
        0.95,
        lambda e: max(float(e["incrementing_score"]), float(e["repeating_score"])),
    ),
    Task(
        "incrementing, memorized rows",
        PYTHIA,
        _memorized,
        _memorized_patterns("incrementing"),
        lambda e: e["repetition_kind"] == "incrementing",
        0.88,
        0.91,
        lambda e: float(e["incrementing_score"]),
    ),
    Task(
        "repeating, memorized rows",
        PYTHIA,
        _memorized,
        _memorized_patterns("repeating"),
        lambda e: e["repetition_kind"] == "repeating",
        0.86,
        0.91,
        # What counts is no candidate for repeating.
        lambda e: 0.0 if e["repetition_kind"] == "incrementing" else float(e["repeating_score"]),
    ),
    Task(
        "repeating or incrementing, all rows",
        PYTHIA,
        lambda row: True,
        _patterned,
        lambda e: bool(e["repetition_kind"]),
        0.84,
        0.87,
        lambda e: max(float(e["incrementing_score"]), float(e["repeating_score"])),
    ),
    Task(
        "code vs natural language",
        "code_vs_nl.csv",
        lambda row: True,
        lambda row: row["is_code"] == "1",
        lambda e: float(e["code_probability"]) >= CODE_THRESHOLD,
        0.91,
        0.94,
        lambda e: float(e["code_probability"]),
    ),
    Task(
        "code (with LaTeX) vs natural language and licence",
        PYTHIA,
        lambda row: row["category"] in {"code", "nl"} or _is_licence(row),
        lambda row: row["category"] == "code",
        lambda e: float(e["code_probability"]) >= CODE_THRESHOLD,
        0.975,
        0.985,
        lambda e: float(e["code_probability"]),
    ),
    Task(
        "licence",
        PYTHIA,
        lambda row: True,
        _is_licence,
        lambda e: float(e["licence_probability"]) >= LICENCE_THRESHOLD,
        0.975,
        0.985,
        lambda e: float(e["licence_probability"]),
    ),
)


@dataclass(frozen=True)
class SpanTask:
    """A type of personal data in `pii_spans.jsonl`.

    Attributes:
        name: What is sought.
        theirs: The file's type.
        ours: Our types that answer it.
        threshold: The least score that counts.
        goal, hope: As in `Task`.
    """

    name: str
    theirs: str
    ours: frozenset[str]
    goal: float
    hope: float
    threshold: float = LIKELY


SPAN_TASKS: tuple[SpanTask, ...] = (
    SpanTask("e-mail", "EMAIL_ADDRESS", frozenset(("EMAIL", "ROLE_EMAIL")), 0.97, 1.0),
    SpanTask("IBAN", "IBAN_CODE", frozenset(("IBAN",)), 0.97, 1.0),
    SpanTask("US social security number", "US_SSN", frozenset(("US_SSN",)), 0.97, 1.0),
    SpanTask("payment card", "CREDIT_CARD", frozenset(("CREDIT_CARD",)), 0.88, 0.95),
    SpanTask("IP address", "IP_ADDRESS", frozenset(("IP_ADDRESS",)), 0.90, 0.97),
    SpanTask("telephone", "PHONE_NUMBER", frozenset(("PHONE",)), 0.75, 0.85),
)


def folder_with(*names: str) -> Callable[[str], Path]:
    """A `type` for argparse: a folder that holds all of these files.

    Args:
        names: The files' names.

    Returns:
        What was typed -> the folder. It raises `argparse.ArgumentTypeError` for anything else, which argparse prints in
        one line before it exits with 2.
    """

    def folder(typed: str) -> Path:
        path, wanted = Path(typed), " and ".join(names)
        if not path.is_dir():
            raise argparse.ArgumentTypeError(f"{typed}: no such folder; give the folder that holds {wanted}.")
        if missing := [name for name in names if not (path / name).is_file()]:
            raise argparse.ArgumentTypeError(
                f"{typed} holds no {' and no '.join(missing)}; give the folder that holds {wanted}."
            )
        return path

    return folder


def read_rows(path: Path, text: str = "text") -> list[Row]:
    """The rows of a csv, jsonl or parquet file that have a text; cells a spreadsheet broke (`#ERROR!`) are left out.

    Raises:
        SystemExit: The file has no such column, or is of another kind.
    """
    try:
        rows = _read(path)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:  # broken JSON and parquet are ValueErrors
        raise SystemExit(
            f"{path} cannot be read: {error}. Expected UTF-8 text with one row a line, or parquet."
        ) from error
    if not rows:
        raise SystemExit(f"{path} has no rows.")
    if not isinstance(rows[0], dict) or text not in rows[0]:
        names = ", ".join(rows[0]) if isinstance(rows[0], dict) else "rows that are no objects"
        raise SystemExit(f"{path} has no column {text}; it has {names}. Name the text's with --text.")
    found = [row for row in rows if isinstance(row.get(text), str) and row[text] and row[text] != "#ERROR!"]
    if not found:
        raise SystemExit(f"{path}: no row has a text in column {text}.")
    return found


def _read(path: Path) -> list[Row]:
    if path.suffix == ".csv":
        csv.field_size_limit(1 << 30)  # a row may be a long line
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    raise SystemExit(f"{path}: expected a file that ends in .csv, .jsonl or .parquet.")


def read_spans(path: Path) -> list[dict]:
    """Rows of `pii_spans.jsonl`: `text` and `spans`, a list of `type`, `start`, `end`."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def harmful_rows(folder: Path) -> list[Row]:
    """The rows that `harmful_rows.csv` labels, with their texts from the files in the folder.

    A label stands for the whole text of a document, for prefix and suffix of a row, or for the characters from `start`
    to `end` of a document.
    """
    with HARMFUL_ROWS.open(encoding="utf-8", newline="") as file:
        labelled = list(csv.DictReader(file))
    texts: dict[str, dict[str, str]] = {}
    for name in {row["file"] for row in labelled}:
        if (folder / name).is_file():
            with (folder / name).open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            by_document = "doc_id" in rows[0]
            texts[name] = {
                row["doc_id"] if by_document else str(number): row["text"]
                if by_document
                else row["prefix"] + row["suffix"]
                for number, row in enumerate(rows)
            }
    known = [row for row in labelled if row["id"] in texts.get(row["file"], {})]
    for row in known:
        text = texts[row["file"]][row["id"]]
        row["text"] = text[int(row["start"]) : int(row["end"])] if row["start"] else text
    return known
