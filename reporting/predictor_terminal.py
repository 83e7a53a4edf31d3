"""The predictor in one line of the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reporting.numbers import count, fraction

_FIGURES = ("auroc", "calibration_error")


def predictor_line(section: Mapping[str, Any]) -> str:
    """What the predictor reaches on held-out rows, or why there is none.

    Args:
        section: `predictor` of the summary.

    Returns:
        For example `Predictor of extractable, 1,284 rows, held out: AUROC 0.995, calibration error 0.012 with suffix
        perplexity; AUROC 0.993, calibration error 0.011 without suffix perplexity`.
    """
    if section["skipped"]:
        return f"Predictor: none; {section['skipped']}"
    best = {row["features"]: row for row in section["comparison"]}  # of each set the last: one model for each class
    values = {name: [fraction(row[figure]["value"]) for figure in _FIGURES] for name, row in best.items()}
    said = [f"AUROC {auroc}, calibration error {error} {name}" for name, (auroc, error) in values.items()]
    return f"Predictor of extractable, {count(section['rows'])} rows, held out: {'; '.join(said)}"
