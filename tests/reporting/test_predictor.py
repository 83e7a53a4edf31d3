"""The predictor's section of the report, its plots and its line in the terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from reporting.html import report_page
from reporting.predictor_plots import SHOWN_INPUTS, coefficients, reliability
from reporting.predictor_terminal import predictor_line
from reporting.terminal import print_summary

FIGURES = ("auroc", "average_precision", "log_loss", "brier", "calibration_error")


def figure_row(start: float, difference: float = 0.0) -> dict[str, dict[str, float | None]]:
    """Figures start, start + 0.001, ..., each with an interval."""
    return {
        name: {
            "value": start + place / 1000,
            "low": start + place / 1000 - 0.02,
            "high": start + place / 1000 + 0.03,
            "difference_value": difference,
            "difference_low": difference - 0.005,
            "difference_high": difference + 0.004,
        }
        for place, name in enumerate(FIGURES)
    }


@pytest.fixture
def section() -> dict[str, Any]:
    models = ("all", "recitation")
    return {
        "skipped": None,
        "target": "extractable",
        "rows": 1200,
        "rows_of_run": 1490,
        "extractable": 612,
        "groups": 1105,
        "folds": 5,
        "penalty": 0.001,
        "features": "with suffix perplexity",
        "comparison": [
            {"features": "with suffix perplexity", "model": "single", **figure_row(0.91)},
            {"features": "with suffix perplexity", "model": "by class", **figure_row(0.93, -0.012)},
            {"features": "without suffix perplexity", "model": "single", **figure_row(0.81)},
            {"features": "without suffix perplexity", "model": "by class", **figure_row(0.82)},
        ],
        "classes": [
            {
                "class": "recitation",
                "rows": 700,
                "extractable": 600,
                "why_no_model": None,
                "figures": {"single": figure_row(0.71), "by class": figure_row(0.74)},
            },
            {
                "class": "reconstruction",
                "rows": 100,
                "extractable": 12,
                "why_no_model": "12 of its rows are <few>",
                "figures": {"single": figure_row(0.61)},
            },
            {"class": "recollection", "rows": 400, "extractable": 0, "why_no_model": "no hits", "figures": None},
        ],
        "coefficients": [
            {
                "input": f"feature_{place}",
                "models": {name: {"value": 2.0 - place / 8, "low": 1.5, "high": 2.5} for name in models},
            }
            for place in range(20)
        ],
        "reliability": {
            name: [
                {"rows": 120, "probability": place / 10, "share": place / 10, "low": 0.0, "high": 1.0}
                for place in range(10)
            ]
            for name in ("single", "by class")
        },
    }


def printed(summary: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_summary(summary, console)
    return console.file.getvalue()


def test_the_section_has_every_figure(make_summary: Callable[..., dict[str, Any]], section: dict[str, Any]) -> None:
    page = report_page(make_summary(predictor=section))
    assert '<section id="predictor">' in page and 'href="#predictor"' in page
    for shown in ("0.910", "0.934", "0.811", "0.743", "0.614", "0.890–0.940", "-0.012", "-0.017 to -0.008"):
        assert shown in page, shown
    assert "1,200 rows drawn from 1,490, 612 of them extractable" in page
    assert "No model for reconstruction: 12 of its rows are &lt;few&gt;." in page
    assert "all rows have the same outcome" in page
    assert page.count("feature_19") == 1  # in the table only
    assert 'id="coefficients-title"' in page and 'id="reliability-title"' in page


def test_runs_without_a_predictor(make_summary: Callable[..., dict[str, Any]]) -> None:
    assert 'id="predictor"' not in report_page(make_summary())
    assert "Predictor" not in printed(make_summary())


def test_a_skipped_predictor_says_why(make_summary: Callable[..., dict[str, Any]]) -> None:
    summary = make_summary(predictor={"skipped": "3 rows are extractable and 9 are not"})
    page = report_page(summary)
    assert "No predictor: 3 rows are extractable and 9 are not." in page
    assert "Predictor: none; 3 rows are extractable and 9 are not" in printed(summary)


def test_the_line_in_the_terminal(make_summary: Callable[..., dict[str, Any]], section: dict[str, Any]) -> None:
    line = (
        "Predictor of extractable, 1,200 rows, held out: AUROC 0.930, calibration error 0.934 with suffix perplexity; "
        "AUROC 0.820, calibration error 0.824 without suffix perplexity"
    )
    assert predictor_line(section) == line
    assert line in printed(make_summary(predictor=section))


def test_plots_say_their_numbers_in_words(section: dict[str, Any]) -> None:
    drawing = coefficients(section["coefficients"])
    assert "feature_0: +2.00 all, +2.00 recitation" in drawing
    assert f"feature_{SHOWN_INPUTS - 1}" in drawing and f"feature_{SHOWN_INPUTS}" not in drawing
    assert "one model a class: 0.0 % where 0.0 % was predicted, 10.0 % where 10.0 % was predicted" in reliability(
        section["reliability"]
    )


def test_nothing_to_draw() -> None:
    assert coefficients([]) is None
    assert reliability({"single": []}) is None
