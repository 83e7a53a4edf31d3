"""The predictor's plots: what its models look at, and whether their probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import PercentFormatter

from reporting.numbers import percent
from reporting.palette import GRID, INK, MUTED
from reporting.plots import share_axis
from reporting.svg import new_figure, render, style

SHOWN_INPUTS = 14
"""Inputs drawn, those with the largest coefficients; the table of the report has all."""
# Colour stand-ins of the palette and markers, so that colour is never the only sign.
_MODELS = {
    "all": (INK, "o"),
    "recitation": ("#050011", "s"),
    "reconstruction": ("#050012", "P"),
    "recollection": ("#050013", "D"),
    "unknown": (MUTED, "X"),
}


def coefficients(rows: Sequence[Mapping]) -> str | None:
    """Points with the range over folds: log-odds per standard deviation, a row an input, a sign a model.

    Args:
        rows: `coefficients` of the predictor's section, largest first.
    """
    shown = rows[:SHOWN_INPUTS]
    if not shown:
        return None
    models = list(shown[0]["models"])
    apart = 0.7 / len(models)
    with style():
        figure = new_figure(0.2 * len(shown) * (1 + 0.35 * len(models)) + 0.8)
        axes = figure.subplots()
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for place, name in enumerate(models):
            colour, marker = _MODELS.get(name, (INK, "h"))
            heights = np.arange(len(shown)) + apart * (place - (len(models) - 1) / 2)
            found = [row["models"][name] for row in shown]
            axes.hlines(heights, [one["low"] for one in found], [one["high"] for one in found], colour, linewidth=1.6)
            values = [one["value"] for one in found]
            axes.plot(values, heights, linestyle="", color=colour, marker=marker, markersize=4.5, label=name)
        axes.set_yticks(range(len(shown)), [row["input"] for row in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=GRID)
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("log-odds per standard deviation")
        if len(models) > 1:
            figure.legend(loc="outside upper center", ncols=len(models), frameon=False, handletextpad=0.2)
        words = [
            f"{row['input']}: " + ", ".join(f"{one['value']:+.2f} {name}" for name, one in row["models"].items())
            for row in shown
        ]
        return render(figure, "coefficients", "Coefficients of the predictor", "; ".join(words))


def reliability(bins: Mapping[str, Sequence[Mapping]]) -> str | None:
    """Observed against predicted shares, with 95 % intervals; on the diagonal probabilities mean what they say.

    Args:
        bins: `reliability` of the predictor's section: for each model its bins.
    """
    drawn = [name for name in bins if bins[name]]
    if not drawn:
        return None
    with style():
        figure = new_figure(3.4)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
        for place, name in enumerate(drawn):
            colour, marker = (INK, "o") if place == 0 else ("#050011", "s")
            x = [one["probability"] for one in bins[name]]
            axes.vlines(
                x, [one["low"] for one in bins[name]], [one["high"] for one in bins[name]], colour, linewidth=1.4
            )
            axes.plot(
                x,
                [one["share"] for one in bins[name]],
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=1.0,
                label=_TITLES.get(name, name),
                clip_on=False,
            )
        share_axis(axes)
        axes.set_xlim(0, 1)
        axes.set_xticks(np.linspace(0, 1, 5))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel("predicted probability")
        axes.set_ylabel("extractable")
        if len(drawn) > 1:
            figure.legend(loc="outside upper center", ncols=len(drawn), frameon=False)
        words = [
            f"{_TITLES.get(name, name)}: "
            + ", ".join(
                f"{percent(one['share'])} where {percent(one['probability'])} was predicted" for one in bins[name]
            )
            for name in drawn
        ]
        return render(figure, "reliability", "Predicted against observed shares", "; ".join(words))


_TITLES = {"single": "one model", "by class": "one model a class"}
