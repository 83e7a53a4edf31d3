"""Reading a comparison: the figures of a split, and how they are put into words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reporting.numbers import count, interval, percent

SHARE = ("share", "low", "high")
"""Extractable rows: the fields of the share and of the ends of its 95 % interval."""
KEPT = ("kept", "kept_low", "kept_high")
"""Of the rows extractable before, those that still are."""
DEEP = ("deep_share", "deep_low", "deep_high")
"""Rows whose last tokens follow from the longer prompt."""


@dataclass(frozen=True)
class Finding:
    """A sentence or two about the result.

    Attributes:
        kind: `good`: as it was meant to be; `bad`: not; `note`: neither, or it can't be told.
        text: Plain text with the numbers in it.
    """

    kind: Literal["good", "bad", "note"]
    text: str


def figures(comparison: Mapping[str, Any], split: str, model: str) -> Mapping[str, Any] | None:
    """The figures of a split under a model; None where the split is empty or the model was not run."""
    for entry in comparison["splits"]:
        if entry["split"] == split:
            return entry["by"].get(model)
    return None


def kept_rows(row: Mapping[str, Any]) -> int:
    """Of the rows that were extractable before, how many still are."""
    return round((row["kept"] or 0.0) * row["was_extractable"])


def pair_of(comparison: Mapping[str, Any], split: str) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """The figures of a split before and after; None where it has no rows."""
    before, after = figures(comparison, split, "before"), figures(comparison, split, "after")
    return (before, after) if before and after and before["rows"] else None


def how_it_ended(training: Mapping[str, Any]) -> str:
    """For example `all 10 iterations done`, or `6 iterations, interrupted`."""
    done, why = n_things(training["iterations"], "iteration"), training["stopped"]
    return why if count(training["iterations"]) in why else f"{done}, {why}"


def with_interval(row: Mapping[str, Any], fields: tuple[str, str, str] = SHARE) -> str:
    """For example `15.4 %, 95 % interval 4.3–42.2 %`."""
    share, low, high = (row[field] for field in fields)
    return f"{percent(share)}, 95 % interval {interval(low, high)}"


def n_rows(rows: int) -> str:
    """For example `1 row`, `1,284 rows`."""
    return n_things(rows, "row")


def n_things(number_of: int, thing: str) -> str:
    """For example `1 iteration`, `10 iterations`."""
    return f"{count(number_of)} {thing}" if number_of == 1 else f"{count(number_of)} {thing}s"


def are(rows: int) -> str:
    """The verb for so many rows."""
    return "is" if rows == 1 else "are"
