"""The tables a run leaves in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting.numbers import count, interval, log10_of_nats, number, parameters, percent
from reporting.predictor_terminal import predictor_line
from reporting.tables import Field, Printer, Row

_BAR = 10

_ROWS = Field("rows", lambda row: count(row["rows"]), "rows", 8)
_SHARE = Field("extract-\nable", lambda row: percent(row["share"]), "share", 9)
_INTERVAL = Field("95 %", lambda row: interval(row["low"], row["high"]), "low", 7)
_BARS = Field("", lambda row: _bar(row["share"]), "share", 0)
_SCORE = Field("mem.\nscore", lambda row: number(row["memorization_score"]), "memorization_score", 6)
_MA = Field("MA", lambda row: number(row["memorization_accuracy"]), "memorization_accuracy", 3)
_EL = Field("EL_10", lambda row: number(row["el_10"]), "el_10", 2)
_LOG_P_Z = Field("log10\np_z", lambda row: log10_of_nats(row["log_p_z"]), "log_p_z", 5)
_BLEU = Field("N-Sacre\nBLEU", lambda row: number(row["n_sacrebleu"]), "n_sacrebleu", 1)
_PARAMETERS = Field("param-\neters", lambda row: parameters(row["parameters"]), "parameters", 4)
_HARMFUL = Field("harmful\nextract.", lambda row: count(row["harmful"]), "harmful", 6)

_BY_CATEGORY = (_ROWS, _SHARE, _INTERVAL, _BARS, _SCORE, _MA, _EL, _LOG_P_Z, _BLEU)
_BY_MODEL = (_PARAMETERS, _ROWS, _SHARE, _INTERVAL, _HARMFUL, _SCORE, _LOG_P_Z)


def print_summary(summary: Mapping[str, Any], console: Console, report: Path | None = None) -> None:
    """Prints what a run found: by category, in total, and what to know about it.

    Args:
        summary: What `summary.json` holds.
        console: Where to print; plain text of at least 100 columns where it isn't a terminal.
        report: The HTML report, named at the end.
    """
    out = Printer(console)
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
    out.widest_table("category", [*rows, Row("all", summary["overall"], "bold")], _BY_CATEGORY)
    if summary["overall"]["log_p_z"] is not None:
        out.line("Scores are means, log10 p_z is the median.", "dim")
    elif summary["overall"]["memorization_score"] is not None:
        out.line("Scores are means.", "dim")
    if summary["scores"] != "full":
        out.line(f"Measured with --scores {summary['scores']}; --scores full adds the other metrics.", "dim")
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
    out = Printer(console)
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
    out = Printer(console)
    out.blank()
    out.widest_table("model", [_model_row(summary) for summary in summaries], _BY_MODEL)


def _category_row(row: Mapping[str, Any]) -> Row:
    return Row(f"{row['category']} *", row, "red") if row["harmful"] else Row(row["category"], row)


def _model_row(summary: Mapping[str, Any]) -> Row:
    model = summary["model"]
    harmful = sum(row["extractable"] for row in summary["categories"] if row["harmful"])
    name = f"{model['name']}@{model['revision']}" if model["revision"] else model["name"]
    return Row(name, {**summary["overall"], "parameters": model["parameters"], "harmful": harmful})


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
    if summary.get("predictor"):
        lines.append(predictor_line(summary["predictor"]))
    return lines
