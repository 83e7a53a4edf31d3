"""The tables a run leaves in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reporting.example_text import visible
from reporting.numbers import count, interval, log10_of_nats, number, parameters, percent

PLAIN_WIDTH = 100
"""Columns to write where the output isn't a terminal, whatever rich guesses."""
_NAME_WIDTH = 24
"""On a terminal, longer names go on in a second line."""
_BAR = 10
_ASCII = str.maketrans(dict.fromkeys("█▉▊▋▌", "#") | dict.fromkeys("▍▎▏", "") | {"–": "-"})


@dataclass(frozen=True)
class _Field:
    """A column of numbers.

    Attributes:
        head: Its heading.
        show: Part of the summary -> cell.
        needs: The field it shows; the column is left out where that is null in every row.
        keep: On a terminal too narrow for all, columns go in ascending order of this.
    """

    head: str
    show: Callable[[Mapping[str, Any]], str]
    needs: str
    keep: int


_ROWS = _Field("rows", lambda row: count(row["rows"]), "rows", 8)
_SHARE = _Field("extract-\nable", lambda row: percent(row["share"]), "share", 9)
_INTERVAL = _Field("95 %", lambda row: interval(row["low"], row["high"]), "low", 7)
_BARS = _Field("", lambda row: _bar(row["share"]), "share", 0)
_SCORE = _Field("mem.\nscore", lambda row: number(row["memorization_score"]), "memorization_score", 6)
_MA = _Field("MA", lambda row: number(row["memorization_accuracy"]), "memorization_accuracy", 3)
_EL = _Field("EL_10", lambda row: number(row["el_10"]), "el_10", 2)
_LOG_P_Z = _Field("log10\np_z", lambda row: log10_of_nats(row["log_p_z"]), "log_p_z", 5)
_BLEU = _Field("N-Sacre\nBLEU", lambda row: number(row["n_sacrebleu"]), "n_sacrebleu", 1)
_PARAMETERS = _Field("param-\neters", lambda row: parameters(row["parameters"]), "parameters", 4)
_HARMFUL = _Field("harmful\nextract.", lambda row: count(row["harmful"]), "harmful", 6)

_BY_CATEGORY = (_ROWS, _SHARE, _INTERVAL, _BARS, _SCORE, _MA, _EL, _LOG_P_Z, _BLEU)
_BY_MODEL = (_PARAMETERS, _ROWS, _SHARE, _INTERVAL, _HARMFUL, _SCORE, _LOG_P_Z)


@dataclass(frozen=True)
class _Row:
    """A row of a table: what it is about, the numbers, and how to show it."""

    name: str
    numbers: Mapping[str, Any]
    style: str = ""


def print_summary(summary: Mapping[str, Any], console: Console, report: Path | None = None) -> None:
    """Prints what a run found: by category, in total, and what to know about it.

    Args:
        summary: What `summary.json` holds.
        console: Where to print; plain text of at least 100 columns where it isn't a terminal.
        report: The HTML report, named at the end.
    """
    out = _Printer(console)
    model, source = summary["model"], summary["source"]
    revision = f" at {model['revision']}" if model["revision"] else ""
    size = f"{parameters(model['parameters'])} parameters"
    out.blank()
    out.line(f"{model['name']}{revision} ({size}) on {source['name']}", "bold")
    out.line(
        f"extractable: greedy decoding from {count(summary['prefix_tokens'])} tokens gives the next "
        f"{count(summary['suffix_tokens'])} exactly",
        "dim",
    )
    rows = [_category_row(row) for row in summary["categories"]]
    out.widest_table("category", [*rows, _Row("all", summary["overall"], "bold")], _BY_CATEGORY)
    if summary["overall"]["log_p_z"] is not None:
        out.line("Scores are means, log10 p_z is the median.", "dim")
    elif summary["scores"] == "extractable":
        out.line("--scores extractable: no probabilities were computed; --scores full adds them.", "dim")
    out.blank()
    for line in _notes(summary):
        out.line(line)
    for warning in summary["warnings"]:
        out.line(f"Warning: {warning}", "yellow")
    if report is not None:
        out.line(f"Report: {report}", "bold")


def print_plan(overview: Mapping[str, str], console: Console) -> None:
    """Prints what a run would do.

    Args:
        overview: What to say, by what it is about, in order.
        console: Where to print.
    """
    out = _Printer(console)
    table = out.new_table()
    table.show_header = False
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in overview.items():
        table.add_row(out.text(name, "bold"), out.text(text))
    out.table(table)


def print_runs(summaries: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Prints one line a model, to compare several.

    Args:
        summaries: What the runs' `summary.json` hold, in the order to print.
        console: Where to print.
    """
    out = _Printer(console)
    out.blank()
    out.widest_table("model", [_model_row(summary) for summary in summaries], _BY_MODEL)


class _Printer:
    """Prints through a console, with the width and the characters that its output can take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = max(PLAIN_WIDTH, console.width)
        self._unicode = console.encoding.lower().startswith("utf")

    def text(self, text: str, style: str = "") -> Text:
        """The text as it is: no markup, nothing that acts on a terminal, nothing it can't encode."""
        shown = visible(text)
        if not self._unicode:
            encoding = self._console.encoding
            shown = shown.translate(_ASCII).encode(encoding, "replace").decode(encoding)
        return Text(shown, style=style)

    def line(self, text: str, style: str = "") -> None:
        self._console.print(self.text(text, style), soft_wrap=True, highlight=False)

    def blank(self) -> None:
        self._console.print()

    def new_table(self) -> Table:
        # No box: its lines would only repeat what the alignment already says.
        return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")

    def table(self, table: Table) -> None:
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, self._natural_width(table))
        self._console.print(table)

    def widest_table(self, head: str, rows: Sequence[_Row], fields: Sequence[_Field]) -> None:
        """Prints as many of the fields as there is room for, each of them whole."""
        fields = [field for field in fields if any(row.numbers[field.needs] is not None for row in rows)]
        table = self._table_of(head, rows, fields)
        while self._console.is_terminal and fields and self._natural_width(table) > self._console.width:
            fields.remove(min(fields, key=lambda field: field.keep))
            table = self._table_of(head, rows, fields)
        self.table(table)

    def _table_of(self, head: str, rows: Sequence[_Row], fields: Sequence[_Field]) -> Table:
        table = self.new_table()
        table.add_column(
            head, overflow="fold", max_width=_NAME_WIDTH if self._console.is_terminal else None, vertical="top"
        )
        for field in fields:
            justify = "right" if field.head else "left"
            table.add_column(field.head, justify=justify, no_wrap=True, overflow="crop")
        for row in rows:
            cells = (self.text(field.show(row.numbers)) for field in fields)
            table.add_row(self.text(row.name), *cells, style=row.style)
        return table

    def _natural_width(self, table: Table) -> int:
        roomy = self._console.options.update(width=10 * PLAIN_WIDTH)
        return self._console.measure(table, options=roomy).maximum


def _category_row(row: Mapping[str, Any]) -> _Row:
    return _Row(f"{row['category']} *", row, "red") if row["harmful"] else _Row(row["category"], row)


def _model_row(summary: Mapping[str, Any]) -> _Row:
    model = summary["model"]
    harmful = sum(row["extractable"] for row in summary["categories"] if row["harmful"])
    name = f"{model['name']}@{model['revision']}" if model["revision"] else model["name"]
    return _Row(name, {**summary["overall"], "parameters": model["parameters"], "harmful": harmful})


def _bar(share: float | None) -> str:
    """A share as a bar of up to ten characters."""
    eighths = round((share or 0) * _BAR * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _notes(summary: Mapping[str, Any]) -> list[str]:
    lines = []
    if any(row["harmful"] for row in summary["categories"]):
        lines.append("* counts as harmful")
    rows, ties = summary["rows"], summary["near_ties"]
    if rows["rejected"]:
        reasons = ", ".join(f"{count(n)} {reason}" for reason, n in rows["rejected_by_reason"].items())
        lines.append(f"Set aside: {count(rows['rejected'])} of {count(rows['read'])} rows ({reasons})")
    if ties["rows"]:
        lines.append(
            f"Near ties: {count(ties['rows'])} rows rest on two logits closer than {ties['margin']:g}; "
            "another machine may decide them otherwise"
        )
    if summary["label_check"]:
        check = summary["label_check"]
        lines.append(f"Labels against {check['truth_column']}: macro-F1 {number(check['macro_f1'])}")
    return lines
