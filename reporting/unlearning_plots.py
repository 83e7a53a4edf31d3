"""The plots of an unlearning's report, each from one part of comparison.json; None where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from reporting.comparison import figures
from reporting.example_text import visible
from reporting.numbers import count, fraction, interval, nats, number, percent
from reporting.palette import GRID, MUTED, PAPER, ModelLook, model_look
from reporting.plots import share_axis
from reporting.svg import new_figure, render, style

_LANE, _HEAD = 0.155, 0.27
"""Height of a model's lane and of a split's heading, in inches."""
PANEL_INCHES = 2.9
"""Width of one of several small plots."""


@dataclass(frozen=True)
class Scale:
    """What the marks of a plot by split stand for.

    Attributes:
        field: The figure shown.
        ends: Fields of the ends of its 95 % interval, if it has one.
        show: Value -> text.
        limits: Ends of the axis; None fits it to the values.
        label: Of the axis.
    """

    field: str
    ends: tuple[str, str] | None
    show: Callable[[float | None], str]
    limits: tuple[float, float] | None
    label: str


EXTRACTABLE = Scale("share", ("low", "high"), percent, (0.0, 1.0), "extractable")
DEEP = Scale("deep_share", ("deep_low", "deep_high"), percent, (0.0, 1.0), "extractable from the longer prompt")
ACCURACY = Scale("memorization_accuracy", None, fraction, (0.0, 1.0), "memorization accuracy, mean")
LIKELIHOOD = Scale("log_p_z", None, nats, None, "ln p_z, median (0: certain)")


def by_split(comparison: Mapping[str, Any], scale: Scale, name: str, title: str) -> str | None:
    """Before and after, for each split, with the controls below; lines are 95 % intervals.

    Args:
        comparison: What `comparison.json` holds.
        scale: What to show.
        name: Id of the plot on the page.
        title: Accessible title.
    """
    models = comparison["models"]
    splits = [entry for entry in comparison["splits"] if entry["by"]["before"][scale.field] is not None]
    if not splits:
        return None
    step = _HEAD + _LANE * len(models)
    with style():
        figure = new_figure(step * len(splits) + 0.5)
        axes = figure.subplots()
        for place, entry in enumerate(splits):
            top = place * step
            _heading(axes, entry, scale, top + 0.6 * _HEAD)
            lanes = {model: top + _HEAD + _LANE * (lane + 0.35) for lane, model in enumerate(models)}
            _marks(axes, entry["by"], scale, lanes)
        axes.set_ylim(step * len(splits), 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_color(GRID)
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="x")
        if scale.limits is not None:
            low, high = scale.limits
            margin = 0.02 * (high - low)
            axes.set_xlim(low - margin, high + margin)
            axes.set_xticks(np.linspace(low, high, 5))
        if scale.show is percent:
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel(scale.label)
        return render(figure, name, title, "; ".join(_in_words(entry, scale, models) for entry in splits))


def _heading(axes: Axes, entry: Mapping[str, Any], scale: Scale, y: float) -> None:
    before, after = (entry["by"][model][scale.field] for model in ("before", "after"))
    place = axes.get_yaxis_transform()  # x from 0 to 1 over the axes, y in data
    halo = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}  # grid lines would run through the words
    numbers = f"{scale.show(before)} → {scale.show(after)}" if after is not None else scale.show(before)
    title = axes.text(0, y, visible(entry["title"]), transform=place, va="center", fontweight="bold", bbox=halo)
    title.set_in_layout(False)  # however long it is, the plot keeps its size
    axes.text(1, y, numbers, transform=place, va="center", ha="right", bbox=halo)


def _marks(axes: Axes, by: Mapping[str, Mapping[str, Any]], scale: Scale, lanes: Mapping[str, float]) -> None:
    values = {model: by[model][scale.field] for model in lanes if model in by and by[model][scale.field] is not None}
    if "before" in values and "after" in values:
        ends = [values["before"], values["after"]], [lanes["before"], lanes["after"]]
        axes.plot(*ends, color=GRID, linewidth=3, zorder=1, solid_capstyle="round")
    for model, value in values.items():
        look = model_look(model)
        if scale.ends is not None:
            low, high = (by[model][end] for end in scale.ends)
            axes.plot(
                [low, high], [lanes[model]] * 2, color=look.colour, linewidth=1.4, solid_capstyle="butt", zorder=2
            )
        axes.plot([value], [lanes[model]], linestyle="", zorder=3, clip_on=False, **_marker(look))


def _marker(look: ModelLook) -> dict[str, Any]:
    face = {"markerfacecolor": look.colour} if look.filled else {"fillstyle": "none"}
    return {"marker": look.marker, "markersize": 5.5, "color": look.colour, "markeredgewidth": 1.3, **face}


def _in_words(entry: Mapping[str, Any], scale: Scale, models: Sequence[str]) -> str:
    words = []
    for model in models:
        row = entry["by"].get(model)
        if row is None or row[scale.field] is None:
            continue
        ends = f" ({interval(*(row[end] for end in scale.ends))})" if scale.ends else ""
        words.append(f"{model_look(model).short} {scale.show(row[scale.field])}{ends}")
    return f"{entry['title']}, {count(entry['rows'])} rows: {', '.join(words)}"


@dataclass(frozen=True)
class Panel:
    """A curve of the training.

    Attributes:
        figure: The figure of the records that it shows.
        title: Its heading.
        share: Whether it runs from 0 to 100 %.
        spread: The figure whose value is drawn as a band around it.
        start: The figure of the forget set before the training that it starts from.
    """

    figure: str
    title: str
    share: bool = False
    spread: str | None = None
    start: str | None = None


PANELS = (
    Panel("forget_extractable", "Forget set: extractable", share=True, start="share"),
    Panel("forget_accuracy", "Forget set: MA", share=True, start="memorization_accuracy"),
    Panel("retain_extractable", "Retain set: extractable", share=True),
    Panel("reward_mean", "Reward, mean ± spread", spread="reward_std"),
    Panel("forget_loss", "Forget loss, nats a token"),
    Panel("kl", "KL, nats a token"),
    Panel("retain_loss", "Retain loss, nats a token"),
    Panel("clip_fraction", "Clipped ratios"),
    Panel("entropy", "Entropy, nats a token"),
    Panel("gradient_norm", "Gradient norm"),
    Panel("policy_loss", "Policy loss"),
    Panel("value_loss", "Value loss"),
    Panel("explained_variance", "Explained variance"),
    Panel("kl_coefficient", "Weight of the KL penalty"),
    Panel("learning_rate", "Learning rate"),
)
_CONSTANTS = ("kl_coefficient", "learning_rate")  # worth a plot only where they change


def curves(comparison: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The training, iteration by iteration, and the controls' beside it.

    Returns:
        Title and drawing of each figure that was recorded.
    """
    runs = {"after": comparison["training"]["records"]}
    runs |= {name: control["records"] for name, control in comparison["controls"].items()}
    before = figures(comparison, "forget", "before") or {}
    return [(panel.title, svg) for panel in PANELS if (svg := _curve(panel, runs, before)) is not None]


def _curve(panel: Panel, runs: Mapping[str, Sequence[Mapping[str, Any]]], before: Mapping[str, Any]) -> str | None:
    lines = {name: _points(panel, records, before) for name, records in runs.items()}
    lines = {name: points for name, points in lines.items() if points}
    if "after" not in lines:
        return None
    if panel.figure in _CONSTANTS and len({value for points in lines.values() for _, value, _ in points}) == 1:
        return None
    with style():
        figure = new_figure(1.75, PANEL_INCHES)
        axes = figure.subplots()
        for name, points in reversed(lines.items()):  # the training itself comes last, above its controls
            look = model_look(name)
            x, y, spread = (np.array(column, dtype=float) for column in zip(*points, strict=True))
            if name == "after" and panel.spread is not None:
                axes.fill_between(x, y - spread, y + spread, color=look.colour, alpha=0.18, linewidth=0)
            axes.plot(x, y, color=look.colour, linestyle=look.dash, linewidth=2 if name == "after" else 1.5)
            if len(points) == 1:
                axes.plot(x, y, **_marker(look))
        _curve_axes(axes, panel, max(x for points in lines.values() for x, _, _ in points))
        words = [f"{model_look(name).short}: {_curve_in_words(points)}" for name, points in lines.items()]
        return render(figure, f"curve-{panel.figure.replace('_', '-')}", panel.title, "; ".join(words))


def _points(
    panel: Panel, records: Sequence[Mapping[str, Any]], before: Mapping[str, Any]
) -> list[tuple[float, float, float]]:
    """(iteration, value, spread) of every record that has the figure."""
    points = [
        (record["iteration"], record[panel.figure], (record.get(panel.spread) or 0.0) if panel.spread else 0.0)
        for record in records
        if record.get(panel.figure) is not None
    ]
    start = before.get(panel.start) if panel.start else None
    return [(0, start, 0.0), *points] if points and start is not None else points


def _curve_axes(axes: Axes, panel: Panel, last: float) -> None:
    if panel.share:
        share_axis(axes)
        axes.set_ylim(-0.03, 1.03)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.grid(axis="y", color=GRID)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.margins(y=0.12)
        if panel.figure == "clip_fraction":
            axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True) if last > 1 else FixedLocator([last]))
    axes.set_xlabel("iteration", color=MUTED)


def _curve_in_words(points: Sequence[tuple[float, float, float]]) -> str:
    first, last = points[0], points[-1]
    return f"{number(first[1])} at iteration {first[0]:g}, {number(last[1])} at {last[0]:g}"
