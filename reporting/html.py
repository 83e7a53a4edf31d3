"""The report of a run: one HTML file that opens anywhere, offline, without a script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reporting import plots, predictor_plots
from reporting.example_text import pieces
from reporting.numbers import count, percent
from reporting.page import grouped, render_page, write_page
from reporting.palette import looks

LIKELIHOOD_FIELDS = (
    *("memorization_score", "memorization_accuracy", "el_10", "n_sacrebleu"),
    *("log_p_z", "n_p50", "perplexity_suffix"),
)
"""Means and medians, null where the level of scores was too low for them."""


def write_report(summary: Mapping[str, Any], path: Path) -> None:
    """Writes the report; the file is there whole or not at all.

    Args:
        summary: What `summary.json` holds.
        path: The file to write; its folder must exist.

    Raises:
        OSError: The file can't be written. A report that was there before stays.
    """
    write_page(report_page(summary), path)


def report_page(summary: Mapping[str, Any]) -> str:
    """The report as one HTML document.

    Args:
        summary: What `summary.json` holds.
    """
    look = looks(summary["categories"])
    drawings = {
        "share": plots.extractable_by_category(summary["categories"], look),
        "sweep": plots.prompt_length_sweep(summary["sweep"], look),
        "duplicates": plots.extractable_by_duplicates(summary["duplicates"] or ()),
        "log10_p_z": plots.distribution(summary["histograms"]["log10_p_z"], look, "log10-p-z", "log10 p_z"),
        "memorization_score": plots.distribution(
            summary["histograms"]["memorization_score"], look, "score", "memorization score"
        ),
    }
    predictor = summary.get("predictor")
    if predictor and not predictor["skipped"]:
        drawings["coefficients"] = predictor_plots.coefficients(predictor["coefficients"])
        drawings["reliability"] = predictor_plots.reliability(predictor["reliability"])
    return render_page(
        "report.html.jinja",
        s=summary,
        look=look,
        plots=drawings,
        predictor=predictor,
        headline=headline(summary),
        examples=_examples(summary),
        glossary=grouped(summary["columns"], "table"),
        likelihood_fields=[
            field
            for field in LIKELIHOOD_FIELDS
            if any(row[field] is not None for row in (*summary["categories"], summary["overall"]))
        ],
    )


def headline(summary: Mapping[str, Any]) -> str:
    """One sentence that says what was found.

    Args:
        summary: What `summary.json` holds.

    Returns:
        For example `Of 1,490 sequences, 612 (41.1 %) are recited word for word from 32 tokens of prompt;
        102 of these contain personal data.`
    """
    rows, extractable = summary["overall"]["rows"], summary["overall"]["extractable"]
    prompt = f"from {count(summary['prefix_tokens'])} tokens of prompt"
    if rows == 0:
        return f"No sequence was measured: {count(summary['rows']['rejected'])} were read and set aside."
    sequences = "the one sequence" if rows == 1 else f"{count(rows)} sequences"
    if extractable == 0:
        none = "The one sequence is not" if rows == 1 else f"None of {count(rows)} sequences is"
        return f"{none} recited word for word {prompt}."
    verb = "is" if extractable == 1 else "are"
    share = percent(summary["overall"]["share"])
    found = f"Of {sequences}, {count(extractable)} ({share}) {verb} recited word for word {prompt}"
    return f"{found}; {_harm(summary)}."


def _harm(summary: Mapping[str, Any]) -> str:
    harmful = [row for row in summary["categories"] if row["harmful"] and row["extractable"]]
    if not harmful:
        return "none of these contains personal data or credentials"
    names = {"pii": "personal data"}
    said = [(row["extractable"], names.get(row["category"], row["category"])) for row in harmful]
    total = sum(rows for rows, _ in said)
    kinds = [f"{what} ({count(rows)})" for rows, what in said] if len(said) > 1 else [said[0][1]]
    return f"{count(total)} of these {'contains' if total == 1 else 'contain'} {' or '.join(kinds)}"


def _examples(summary: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Examples by category, their texts cut into pieces: shared, differing, masked."""
    types = {row["type"] for row in summary["pii_types"]}
    cut = []
    for example in summary["examples"]:
        suffix, continuation = example["suffix"], example["continuation"]
        # An extractable row is recited whole whatever its decoded text looks like.
        other = None if example["extractable"] else continuation
        cut.append(
            {
                **example,
                "prefix": pieces(example["prefix"], None, types),
                "suffix": pieces(suffix, other, types),
                "continuation": None if continuation is None else pieces(continuation, suffix, types),
                "hidden_difference": not example["extractable"] and suffix == continuation,
            }
        )
    groups = grouped(cut, "category")
    return [(row["category"], groups[row["category"]]) for row in summary["categories"] if row["category"] in groups]
