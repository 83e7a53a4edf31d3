"""How right the labels are, on files that people labelled.

    python benchmarks/labels.py FOLDER                                 the tables of docs/categories.md
    python benchmarks/labels.py FILE --text COLUMN --label COLUMN      any labelled csv, jsonl or parquet file

Precision and recall with Wilson's 95 % intervals, F1 with a bootstrap's (rows drawn again; in the table of yes-or-no
questions copies of a text together).
Where one number decides an answer its threshold is chosen by five-fold cross-validation, too: F1 "out of fold" judges
each fifth of the texts by the threshold that was best on the others. No text is on both sides of a split.

A label of a file may be one of our categories, or anything that `--map theirs=ours` translates.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.agreement import Agreement, agreement, confusion, fold_of, out_of_fold
from benchmarks.labelled_files import (
    HARMFUL_LABELS,
    SPAN_TASKS,
    TASKS,
    Task,
    five_way,
    five_way_answer,
    harmful_rows,
    read_rows,
    read_spans,
)
from benchmarks.machine import machine
from metrics.categories import CATEGORIES, label
from metrics.categories.personal_data import find_personal_data

Evidence = list[dict[str, object]]
REPEATS = 3


def evidence_of(texts: Sequence[str]) -> tuple[Evidence, float]:
    """The evidence of each text, and the rows labelled in a second of CPU time (median of three)."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        columns = label(texts)
        seconds.append(time.process_time() - started)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return rows, len(texts) / sorted(seconds)[REPEATS // 2]


def figures(value: Agreement) -> tuple[str, str, str]:
    """Precision, recall and F1 as the tables show them."""

    def shown(middle: float, bounds: tuple[float, float]) -> str:
        return f"{middle:.3f} ({bounds[0]:.2f}-{bounds[1]:.2f})"

    return (
        shown(value.precision, value.precision_interval),
        shown(value.recall, value.recall_interval),
        shown(value.f1, value.f1_interval),
    )


def task_table(folder: Path, evidence: Callable[[str], tuple[list[Mapping[str, str]], Evidence]]) -> Table:
    """One line a question of `TASKS`."""
    table = Table(title="Yes-or-no questions", title_justify="left")
    for heading in ("what", "rows", "yes", "precision", "recall", "F1", "F1 out of fold", "thresholds chosen", "goal"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for task in TASKS:
        if not (folder / task.file).is_file():
            table.add_row(task.name, f"no {task.file}")
            continue
        rows, found = evidence(task.file)
        table.add_row(*task_line(task, rows, found))
    return table


def task_line(task: Task, rows: Sequence[Mapping[str, str]], found: Evidence) -> tuple[str, ...]:
    asked = [index for index, row in enumerate(rows) if task.asked(row)]
    truth = np.array([task.truth(rows[index]) for index in asked])
    said = np.array([task.answer(found[index]) for index in asked])
    groups = np.array([fold_of(rows[index]["text"], 1 << 30) for index in asked])
    value = agreement(truth, said, groups)
    folds, chosen = "", ""
    if task.score:
        scores = np.array([task.score(found[index]) for index in asked])
        folded, thresholds = out_of_fold(truth, scores, groups)
        folds = f"{agreement(truth, folded, groups).f1:.3f}"
        chosen = " ".join(f"{threshold:.2f}" for threshold in thresholds)
    goal = f"{task.goal:g} / {task.hope:g}"
    return task.name, str(len(asked)), str(int(truth.sum())), *figures(value), folds, chosen, goal


def confusion_table(title: str, truth: Sequence[str], said: Sequence[str]) -> tuple[Table, float]:
    """True names down, given names across, precision, recall and F1 of each; and the mean of the F1s."""
    names, counts = confusion(truth, said)
    table = Table(title=title, title_justify="left")
    table.add_column("true \\ given")
    for name in (*names, "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    scores = []
    for place, name in enumerate(names):
        value = agreement(np.array(truth) == name, np.array(said) == name)
        if counts[place].sum():
            scores.append(value.f1)
        table.add_row(name, *(str(count or "·") for count in counts[place]), *figures(value))
    return table, float(np.mean(scores))


def overlap(left: tuple[int, int], right: tuple[int, int]) -> float:
    """Characters in both spans as a share of those in either."""
    inside = max(0, min(left[1], right[1]) - max(left[0], right[0]))
    return inside / (left[1] - left[0] + right[1] - right[0] - inside)


def span_table(path: Path) -> Table:
    """One line a type of personal data: spans of the right type that overlap a true one by at least a half."""
    rows = read_spans(path)
    found = [find_personal_data(row["text"]) for row in rows]
    table = Table(title=f"Personal data, {path.name}: spans that overlap a true one by half", title_justify="left")
    for heading in ("what", "spans", "precision", "recall", "F1", "F1 of exact spans", "goal"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for task in SPAN_TASKS:
        values = []
        for least in (0.5, 1.0):
            truth, said = [], []
            for row, spans in zip(rows, found, strict=True):
                true = [(s["start"], s["end"]) for s in row["spans"] if s["type"] == task.theirs]
                ours = [(s.start, s.end) for s in spans if s.type in task.ours and s.score >= task.threshold]
                matched = [any(overlap(one, other) >= least for other in ours) for one in true]
                wrong = [not any(overlap(one, other) >= least for other in true) for one in ours]
                truth += [True] * len(true) + [False] * sum(wrong)
                said += matched + [True] * sum(wrong)
            values.append(agreement(np.array(truth), np.array(said)))
        goal = f"{task.goal:g} / {task.hope:g}"
        table.add_row(task.name, str(values[0].positives), *figures(values[0]), f"{values[1].f1:.3f}", goal)
    return table


def harmful_table(folder: Path) -> Table:
    """Whether `is_harmful` is right, on rows read for that purpose (`harmful_rows.csv`)."""
    table = Table(title="Harmful rows, labelled by reading", title_justify="left")
    for heading in ("what", "rows", "harmful", "found", "wrongly", "precision", "recall", "F1"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    rows = harmful_rows(folder)
    said = np.array([bool(value) for value in label([row["text"] for row in rows])["is_harmful"]])
    truth = np.array([row["label"] in HARMFUL_LABELS for row in rows])
    named = np.array([row["file"] != "pile_validation.csv" for row in rows])
    for name, part in (
        ("lm_extraction_by_domain, demem_prefix_suffix", named),
        ("windows of pile_validation", ~named),
        ("all", np.ones(len(rows), bool)),
    ):
        if part.any():
            value = agreement(truth[part], said[part])
            counts = (part.sum(), truth[part].sum(), (said & truth)[part].sum(), (said & ~truth)[part].sum())
            table.add_row(name, *(str(int(count)) for count in counts), *figures(value))
    return table


def known_files(console: Console, folder: Path) -> None:
    """The tables for a folder with the files that `labelled_files.py` knows."""
    cache: dict[str, tuple[list[Mapping[str, str]], Evidence]] = {}

    def evidence(file: str) -> tuple[list[Mapping[str, str]], Evidence]:
        if file not in cache:
            rows = read_rows(folder / file)
            found, speed = evidence_of([row["text"] for row in rows])
            console.print(f"{file}: {len(rows):,} rows, {speed:,.0f} rows/s a core")
            cache[file] = rows, found
        return cache[file]

    console.print(task_table(folder, evidence))
    if "pythia70m_labelled.csv" in cache:
        rows, found = cache["pythia70m_labelled.csv"]
        memorized = [index for index, row in enumerate(rows) if row["memorized"] == "True"]
        truth = [five_way(rows[index]) for index in memorized]
        table, macro = confusion_table(
            "Five-way, memorized rows", truth, [five_way_answer(found[i]) for i in memorized]
        )
        console.print(table)
        console.print(f"macro-F1 {macro:.3f}, goal .85 / .89")
    if (folder / "pii_spans.jsonl").is_file():
        console.print(span_table(folder / "pii_spans.jsonl"))
    if harmful_rows(folder):
        console.print(harmful_table(folder))


def any_file(console: Console, path: Path, text: str, truth: str, names: Mapping[str, str]) -> None:
    """The confusion matrix of any labelled file."""
    rows = read_rows(path, text)
    missing = {text, truth} - set(rows[0])
    if missing:
        raise SystemExit(
            f"{path} has no column {' or '.join(sorted(missing))}; it has {', '.join(rows[0])}. "
            "Name the columns with --text and --label."
        )
    found, speed = evidence_of([row[text] for row in rows])
    true = [names.get(str(row[truth]), str(row[truth])) for row in rows]
    table, macro = confusion_table(path.name, true, [str(row["category"]) for row in found])
    console.print(table)
    console.print(f"macro-F1 {macro:.3f}; {len(rows):,} rows, {speed:,.0f} rows/s a core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a folder with the known files, or one labelled file")
    parser.add_argument("--text", default="text", help="column with the text (default: text)")
    parser.add_argument("--label", default="category", help="column with the true label (default: category)")
    parser.add_argument(
        "--map", action="append", default=[], metavar="THEIRS=OURS", help="translate a label; repeatable"
    )
    options = parser.parse_args()
    ours = [category.name for category in CATEGORIES]
    if wrong := [pair for pair in options.map if pair.partition("=")[2] not in ours]:
        parser.error(f"--map {wrong[0]}: expected THEIRS=OURS, such as source=code; ours are {', '.join(ours)}")
    console = Console(width=max(150, Console().width))
    console.print(machine())
    if options.path.is_dir():
        known_files(console, options.path)
    elif options.path.is_file():
        any_file(console, options.path, options.text, options.label, dict(pair.split("=", 1) for pair in options.map))
    else:
        parser.error(f"{options.path}: no such file or folder; give a labelled file or the folder with the known ones")
