"""The report's plots, each from one part of summary.json; None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from reporting.numbers import count, interval, percent
from reporting.palette import GRID, INK, MUTED, PAPER, Look
from reporting.svg import new_figure, render, style

ALL = "all"


def extractable_by_category(categories: Sequence[Mapping], looks: Mapping[str, Look]) -> str | None:
    """Horizontal bars: extractable share of each category with its 95 % interval."""
    rows = [row for row in categories if row["share"] is not None]
    if not rows:
        return None
    with style():
        figure = new_figure(0.42 * len(rows) + 0.6)
        axes = figure.subplots()
        axes.barh(
            range(len(rows)),
            [row["share"] for row in rows],
            height=0.62,
            color=[looks[row["category"]].colour for row in rows],
            hatch=[looks[row["category"]].hatch for row in rows],
            edgecolor=PAPER,
            linewidth=0,
        )
        for position, row in enumerate(rows):
            _interval(axes, [row["low"], row["high"]], [position, position])
            axes.text(max(row["high"], row["share"]) + 0.02, position, percent(row["share"]), va="center")
        _category_ticks(axes, [looks[row["category"]] for row in rows])
        axes.set_xlim(0, 1.18)
        axes.set_xticks(np.linspace(0, 1, 5))
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        words = [f"{row['category']} {percent(row['share'])} ({interval(row['low'], row['high'])})" for row in rows]
        return render(figure, "share", "Extractable share by category", "; ".join(words))


def prompt_length_sweep(sweep: Sequence[Mapping], looks: Mapping[str, Look]) -> str | None:
    """Lines: extractable share against the length of the prompt, one line a category."""
    lines = {
        name: [row for row in sweep if row["category"] == name and row["share"] is not None] for name in [*looks, ALL]
    }
    lines = {name: rows for name, rows in lines.items() if rows}
    lengths = sorted({row["k"] for rows in lines.values() for row in rows})
    if len(lengths) < 2:
        return None
    with style():
        figure = new_figure(3.2)
        axes = figure.subplots()
        for name, rows in lines.items():
            look = looks.get(name)
            axes.plot(
                [row["k"] for row in rows],
                [row["share"] for row in rows],
                color=look.colour if look else INK,
                marker=look.marker if look else None,
                markersize=5,
                linewidth=2 if look is None or look.harmful else 1.4,
                linestyle="-" if look is None or look.harmful else (0, (4, 2)),
                clip_on=False,
            )
        share_axis(axes)
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [str(length) for length in lengths])
        axes.minorticks_off()
        axes.set_xlabel("tokens of prompt")
        _line_labels(
            axes,
            {
                (looks[name].label if name in looks else name): (
                    rows[-1]["k"],
                    rows[-1]["share"],
                    looks[name].colour if name in looks else INK,
                )
                for name, rows in lines.items()
            },
        )
        words = [
            f"{name}: " + ", ".join(f"{percent(row['share'])} at {row['k']}" for row in rows)
            for name, rows in lines.items()
        ]
        return render(figure, "sweep", "Extractable share by length of the prompt", "; ".join(words))


def extractable_by_duplicates(duplicates: Sequence[Mapping]) -> str | None:
    """Points with 95 % intervals: extractable share against copies in the training data."""
    rows = [row for row in duplicates if row["share"] is not None]
    if not rows:
        return None
    with style():
        figure = new_figure(2.8)
        axes = figure.subplots()
        places = range(len(rows))
        axes.plot(
            places,
            [row["share"] for row in rows],
            color=INK,
            marker="o",
            markersize=5,
            linewidth=1.4,
            clip_on=False,
        )
        axes.vlines(
            places,
            [row["low"] for row in rows],
            [row["high"] for row in rows],
            INK,
            linewidth=1.6,
            clip_on=False,
        )
        share_axis(axes)
        axes.set_xticks(places, [row["label"] for row in rows])
        axes.set_xlim(-0.4, len(rows) - 0.6)
        axes.set_xlabel("copies in the training data")
        words = [f"{percent(row['share'])} of {count(row['rows'])} with {row['label']} copies" for row in rows]
        return render(figure, "duplicates", "Extractable share by number of copies", "; ".join(words))


def distribution(histogram: Mapping | None, looks: Mapping[str, Look], name: str, label: str) -> str | None:
    """A histogram for each category, one above the other, each scaled to its own tallest bar.

    Args:
        histogram: `edges` [B + 1], `counts` by category [B], and optionally `below` by category.
        looks: The categories' looks, in order.
        name: Id of the plot on the page.
        label: What the horizontal axis shows.
    """
    if histogram is None:
        return None
    edges = np.asarray(histogram["edges"], dtype=float)
    below = histogram.get("below") or {}
    counts = {
        category: np.asarray([below.get(category, 0), *histogram["counts"][category]], dtype=float)
        for category in looks
        if category in histogram["counts"]
    }
    counts = {category: values for category, values in counts.items() if values.sum() > 0}
    if not counts:
        return None
    any_below = any(values[0] for values in counts.values())
    width = edges[1] - edges[0]
    first = edges[0] - 2.5 * width  # rows below the first edge stand apart, to the left of the scale
    lefts, widths = np.r_[first, edges[:-1]], np.r_[1.5 * width, np.diff(edges)]
    with style():
        figure = new_figure(0.56 * len(counts) + 0.55)
        figure.get_layout_engine().set(hspace=0.0, h_pad=0.01)
        panels = figure.subplots(len(counts), sharex=True, squeeze=False)[:, 0]
        for axes, (category, values) in zip(panels, counts.items(), strict=True):
            look = looks[category]
            axes.bar(
                lefts,
                values / values.max(),
                width=widths * 0.92,
                align="edge",
                color=look.colour,
                hatch=look.hatch,
                edgecolor=PAPER,
                linewidth=0,
            )
            axes.set_ylim(0, 1.12)
            axes.set_yticks([0.4], [look.label])
            axes.get_yticklabels()[0].set_fontweight("bold" if look.harmful else "normal")
            axes.tick_params(length=0)
            axes.spines["left"].set_visible(False)
            axes.text(
                1.01,
                0.4 / 1.12,
                percent(values.max() / values.sum()),
                transform=axes.transAxes,
                va="center",
                fontsize=9,
                color=MUTED,
            )
        bottom = panels[-1]
        bottom.set_xlim(first - 0.5 * width if any_below else edges[0], edges[-1])
        ticks = [tick for tick in MaxNLocator(6).tick_values(edges[0], edges[-1]) if edges[0] <= tick <= edges[-1]]
        marks = [f"{tick:g}" for tick in ticks]
        if any_below:
            ticks, marks = [first + 0.75 * width, *ticks[1:]], [f"<{edges[0]:g}", *marks[1:]]
        bottom.set_xticks(ticks, marks)
        bottom.set_xlabel(label)
        words = [_distribution_in_words(category, values, edges) for category, values in counts.items()]
        return render(figure, name, f"Distribution of {label} by category", "; ".join(words))


def _distribution_in_words(category: str, values: np.ndarray, edges: np.ndarray) -> str:
    tallest = int(values.argmax())
    where = f"below {edges[0]:g}" if tallest == 0 else f"from {edges[tallest - 1]:.3g} to {edges[tallest]:.3g}"
    return f"{category}: {count(values.sum())} rows, most ({percent(values.max() / values.sum())}) {where}"


def _interval(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """A whisker that shows on its bar and on the page alike: a line with a halo of the page's colour."""
    axes.plot(x, y, color=PAPER, linewidth=4.2, solid_capstyle="butt", zorder=4, clip_on=False)
    axes.plot(x, y, color=INK, linewidth=1.6, solid_capstyle="butt", zorder=5, clip_on=False)


def _category_ticks(axes: Axes, looks: Sequence[Look]) -> None:
    axes.set_yticks(range(len(looks)), [look.label for look in looks])
    for tick, look in zip(axes.get_yticklabels(), looks, strict=True):
        tick.set_fontweight("bold" if look.harmful else "normal")
    axes.invert_yaxis()


def share_axis(axes: Axes) -> None:
    """A vertical axis from 0 to 100 %."""
    axes.set_ylim(0, 1)
    axes.set_yticks(np.linspace(0, 1, 5))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y", color=GRID)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _line_labels(axes: Axes, ends: Mapping[str, tuple[float, float, str]], gap: float = 0.075) -> None:
    """Writes each line's name at its right end, moved apart where two would overlap."""
    ordered = sorted(ends.items(), key=lambda item: item[1][1])
    heights: list[float] = []
    for _, (_, share, _) in ordered:
        heights.append(max(share, heights[-1] + gap) if heights else share)
    overshoot = max(0.0, heights[-1] - 1.0)
    for i in range(len(heights) - 1, -1, -1):
        ceiling = heights[i + 1] - gap if i + 1 < len(heights) else heights[i] - overshoot
        heights[i] = min(heights[i], ceiling)
    for (label, (k, _, colour)), height in zip(ordered, heights, strict=True):
        axes.annotate(
            label,
            (k, height),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold" if label.startswith("▲") or label == ALL else "normal",
            annotation_clip=False,
        )
