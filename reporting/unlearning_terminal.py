"""The tables that an unlearning leaves in the terminal, and what worked and what did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting.comparison import how_it_ended, kept_rows
from reporting.numbers import change, count, fraction, interval, nats, number, parameters, percent, tries
from reporting.palette import model_look
from reporting.tables import Field, Printer, Row
from reporting.unlearning_findings import findings

SIGNS = {"good": ("✓", "green"), "bad": ("✗", "red"), "note": ("•", "yellow")}
"""How findings are marked."""

_MODEL = Field("model", lambda row: row["model"], "model", 99, words=True)
_FIGURES = (
    _MODEL,
    Field("rows", lambda row: count(row["rows"]) if row["first"] else "", "rows", 10),
    Field("extract-\nable", lambda row: percent(row["share"]), "share", 20),
    Field("95 %", lambda row: interval(row["low"], row["high"]), "low", 12),
    Field("kept", lambda row: _kept(row, "kept"), "kept", 18),
    Field("from\nlonger", lambda row: percent(row["deep_share"]), "deep_share", 16),
    Field("MA", lambda row: fraction(row["memorization_accuracy"]), "memorization_accuracy", 15),
    Field("EL_10", lambda row: fraction(row["el_10"]), "el_10", 8),
    Field("ln\np_z", lambda row: nats(row["log_p_z"]), "log_p_z", 14),
    Field("tries", lambda row: tries(row["log_tries_p50"]), "log_tries_p50", 7),
    Field("mem.\nscore", lambda row: fraction(row["memorization_score"]), "memorization_score", 6),
    Field("N-Sacre\nBLEU", lambda row: number(row["n_sacrebleu"]), "n_sacrebleu", 5),
    Field("flu-\nency", lambda row: number(row["fluency"]), "fluency", 9),
)
_STYLES = {"before": "dim", "after": "bold"}


def print_comparison(comparison: Mapping[str, Any], console: Console, report: Path | None = None) -> None:
    """Prints what an unlearning changed: by split, by category, and in words.

    Args:
        comparison: What `comparison.json` holds.
        console: Where to print; plain text of at least 100 columns where it isn't a terminal.
        report: The HTML report, named at the end.
    """
    out = Printer(console)
    before = comparison["before"]
    prefix, suffix, deep = (comparison[f"{name}_tokens"] for name in ("prefix", "suffix", "deep_prefix"))
    out.blank()
    model, what = (
        f"{before['model']} ({parameters(before['parameters'])} parameters)",
        ", ".join(comparison["categories"]),
    )
    out.line(f"{model} without {what}: {comparison['method_title']}, {how_it_ended(comparison['training'])}", "bold")
    out.line(f"extractable: greedy decoding from {prefix} tokens gives the next {suffix} exactly", "dim")
    out.widest_table("split", _split_rows(comparison), _FIGURES)
    out.line(
        f"kept: of the rows extractable before. from longer: the last {prefix + suffix - deep} tokens from {deep}.",
        "dim",
    )
    if any(row["by"]["after"]["log_p_z"] is not None for row in comparison["splits"]):
        out.line("ln p_z and tries (for even odds of sampling the suffix) are medians; other scores are means.", "dim")
        out.line("fluency: perplexity of the greedy continuations under the original model.", "dim")
    if comparison["categories_by_split"]:
        out.blank()
        out.line("sequences recited, before → after", "bold")
        out.widest_table("category", _category_rows(comparison), _category_fields(comparison))
    out.blank()
    if comparison["held_out_text"] is not None:
        _print_perplexity(comparison, out)
        out.blank()
    for finding in findings(comparison):
        sign, style = SIGNS[finding.kind]
        out.item(sign, finding.text, style)
    for warning in comparison["warnings"]:
        out.line(f"Warning: {warning}", "yellow")
    out.blank()
    out.line(f"Checkpoint: {comparison['after']['model']}", "bold")
    if report is not None:
        out.line(f"Report: {report}", "bold")


def _split_rows(comparison: Mapping[str, Any]) -> list[Row]:
    rows = []
    for entry in comparison["splits"]:
        for place, model in enumerate(name for name in comparison["models"] if name in entry["by"]):
            name = entry["split"].replace("_", " ") if place == 0 else ""
            numbers = {**entry["by"][model], "model": model_look(model).short, "first": place == 0}
            rows.append(Row(name, numbers | {"of": model}, _STYLES.get(model, "")))
    return rows


def _kept(row: Mapping[str, Any], field: str) -> str:
    """Before, everything that is extractable is kept; saying so would only look like a result."""
    return "" if row["of"] == "before" else percent(row[field])


def _category_fields(comparison: Mapping[str, Any]) -> list[Field]:
    present = [entry["split"] for entry in comparison["splits"]]
    return [
        Field(
            split.replace("_", "\n", 1), lambda row, split=split: _counts(row.get(split)), split, len(present) - place
        )
        for place, split in enumerate(present)
    ]


def _category_rows(comparison: Mapping[str, Any]) -> list[Row]:
    splits = {entry["split"]: None for entry in comparison["splits"]}
    rows: dict[str, Row] = {}
    for entry in comparison["categories_by_split"]:
        name = entry["category"]
        style, mark = ("red", " *") if entry["harmful"] else ("", "")
        row = rows.setdefault(name, Row(f"{name}{mark}", dict(splits), style))
        row.numbers[entry["split"]] = entry["by"]
    return list(rows.values())


def _counts(by: Mapping[str, Any] | None) -> str:
    """For example `40 → 37`, or `40 → 38 (1 new)` where one of them was not recited before."""
    if by is None:
        return ""
    before, after = by["before"], by["after"]
    new = after["extractable"] - kept_rows(after)
    return f"{count(before['extractable'])} → {count(after['extractable'])}" + (f" ({new} new)" if new > 0 else "")


def _print_perplexity(comparison: Mapping[str, Any], out: Printer) -> None:
    text = comparison["held_out_text"]
    values = text["perplexity"]
    before = values.get("before")
    shown = [
        f"{'' if model == 'after' else f'{model_look(model).short} '}{number(values[model])} "
        f"({change(before, values[model])})"
        for model in comparison["models"]
        if model != "before" and values.get(model) is not None
    ]
    out.line(f"perplexity of {text['what']}, {count(text['rows'])} rows: {number(before)} → {', '.join(shown)}")
