"""The report of a run: one HTML file that opens anywhere, offline, without a script."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from reporting import plots
from reporting.example_text import pieces, visible
from reporting.numbers import count, duration, interval, log10_of_nats, number, parameters, percent
from reporting.palette import looks

_TEMPLATES = ("report.html.jinja", "sections.html.jinja", "report.css")
_NBSP = "\N{NO-BREAK SPACE}"

LIKELIHOOD_FIELDS = ("memorization_score", "memorization_accuracy", "el_10", "log_p_z", "n_p50")
"""Means and medians that need token scores; all null under `--scores extractable`."""


def write_report(summary: Mapping[str, Any], path: Path) -> None:
    """Writes the report; the file is there whole or not at all.

    Args:
        summary: What `summary.json` holds.
        path: The file to write; its folder must exist.

    Raises:
        OSError: The file can't be written. A report that was there before stays.
    """
    page = report_page(summary).encode("utf-8", errors="replace")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


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
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            s=summary,
            look=look,
            plots=drawings,
            headline=headline(summary),
            examples=_examples(summary),
            glossary=_by(summary["columns"], "table"),
            has_likelihood=any(summary["overall"][field] is not None for field in LIKELIHOOD_FIELDS),
        )
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
    groups = _by(cut, "category")
    return [(row["category"], groups[row["category"]]) for row in summary["categories"] if row["category"] in groups]


def _by(rows: Iterable[Mapping[str, Any]], field: str) -> dict[str, list[Mapping[str, Any]]]:
    """Groups rows by a field, groups and rows in the order in which they come."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[field], []).append(row)
    return groups


def _environment() -> Environment:
    folder = resources.files("reporting")  # also from inside a zip, as on a Spark cluster
    environment = Environment(
        loader=DictLoader({name: folder.joinpath(name).read_text("utf-8") for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    environment.filters |= {
        "count": count,
        "num": number,
        "pct": _unbroken(percent),
        "log10": log10_of_nats,
        "duration": _unbroken(duration),
        "parameters": _unbroken(parameters),
    }
    environment.globals["interval"] = _unbroken(interval)
    return environment


def _unbroken(format_number: Any) -> Any:
    """The same text, kept on one line."""
    return lambda *values: format_number(*values).replace(" ", _NBSP)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
