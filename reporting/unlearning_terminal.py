"""The tables that an unlearning leaves in the terminal, and what worked and what did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from reporting.comparison import SHARE, how_it_ended, kept_rows, pair_of
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
_CATEGORY_FIGURES = (
    Field("split", lambda row: row["split"], "split", 99, words=True),
    Field("rows", lambda row: count(row["rows"]), "rows", 4),
    Field("recited", lambda row: f"{count(row['recited'])} → {count(row['recited_after'])}", "recited", 6),
    Field("new", lambda row: count(row["new"]) if row["new"] else "", "new", 8),
    Field("before", lambda row: percent(row["share"]), "share", 18),
    Field("95 %", lambda row: interval(row["low"], row["high"]), "low", 10),
    Field("after", lambda row: percent(row["share_after"]), "share_after", 20),
    Field("95 %", lambda row: interval(row["low_after"], row["high_after"]), "low_after", 16),
    Field("MA", lambda row: f"{fraction(row['ma'])} → {fraction(row['ma_after'])}", "ma", 12),
)
_ONLY_IN_REPORT = {
    "deep_share": "from longer",
    "log_p_z": "ln p_z",
    "log_tries_p50": "tries",
    "memorization_score": "mem. score",
    "el_10": "EL_10",
    "n_sacrebleu": "N-SacreBLEU",
}
"""What else is known of every category in every split."""
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
    _print_distinct(comparison, out)
    if comparison["categories_by_split"]:
        _print_categories(comparison, out, report)
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


def _print_distinct(comparison: Mapping[str, Any], out: Printer) -> None:
    """Distinct n-grams, for example `28.9 %, 78.5 %, 90.0 % → 38.4 %, 85.7 %, 97.1 %`."""
    pair = pair_of(comparison, "forget")
    if pair is None or all(row["distinct_1"] is None for row in pair):
        return
    before, after = (", ".join(percent(row[f"distinct_{n}"]) for n in (1, 2, 3)) for row in pair)
    out.line(f"forget set's continuations, distinct 1/2/3-grams: {before} → {after}")


def _print_categories(comparison: Mapping[str, Any], out: Printer, report: Path | None) -> None:
    out.blank()
    out.line("recited by category and split, before → after", "bold")
    rows = _category_rows(comparison)
    out.widest_table("category", rows, _CATEGORY_FIGURES)
    new = " new: recited after, but not before." if any(row.numbers["new"] for row in rows) else ""
    out.line(f"* counts as harmful.{new}", "dim")
    groups = comparison["categories_by_split"]
    more = [
        name
        for field, name in _ONLY_IN_REPORT.items()
        if any(group["by"]["after"][field] is not None for group in groups)
    ]
    if report is not None and more:
        out.line(f"by category in the report, too: {', '.join(more)}.", "dim")


def _category_rows(comparison: Mapping[str, Any]) -> list[Row]:
    rows, last = [], None
    for entry in comparison["categories_by_split"]:
        style, mark = ("red", " *") if entry["harmful"] else ("", "")
        name = "" if entry["category"] == last else f"{entry['category']}{mark}"
        rows.append(Row(name, _category_numbers(entry), style))
        last = entry["category"]
    return rows


def _category_numbers(entry: Mapping[str, Any]) -> dict[str, Any]:
    before, after = entry["by"]["before"], entry["by"]["after"]
    numbers = {"split": entry["split"].replace("_", " "), "rows": entry["rows"]}
    for row, suffix in ((before, ""), (after, "_after")):
        numbers |= {f"{field}{suffix}": row[field] for field in SHARE}
        numbers |= {f"recited{suffix}": row["extractable"], f"ma{suffix}": row["memorization_accuracy"]}
    return numbers | {"new": after["extractable"] - kept_rows(after) or None}


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
