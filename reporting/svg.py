"""A matplotlib figure as inline SVG: accessible, coloured by the page, free of ids that could clash on it."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib
from matplotlib.figure import Figure

from reporting.example_text import visible
from reporting.palette import GRID, INK, MUTED, css_variables

WIDTH_INCHES = 4.5
"""Narrow on purpose: at the width of a phone the text is still about 11 px high."""

_STYLE = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font, scales and can be searched
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.7,
}


def style() -> matplotlib.RcParams:
    """The drawing style, as a context for building a figure and rendering it."""
    return matplotlib.rc_context(_STYLE)


def new_figure(height_inches: float, width_inches: float = WIDTH_INCHES) -> Figure:
    """An empty figure, by default of the report's width (within `style()`)."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def render(figure: Figure, name: str, title: str, description: str) -> str:
    """Turns a figure into an `<svg>` element.

    Args:
        figure: The figure, built within `style()`.
        name: Short and unique on the page; every id starts with it.
        title: Accessible title.
        description: The numbers in words, for those who can't see the drawing.

    Returns:
        An `<svg>` element to be put into a page that defines the palette's CSS variables.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # `*` there would reach the whole page
    svg = _prefix_ids(svg, name)
    view_box = re.search(r'viewBox="[^"]*"', svg).group()
    head = (
        f'<svg {view_box} role="img" aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(visible(title))}</title>'
        f'<desc id="{name}-description">{escape(visible(description))}</desc>'
    )
    return css_variables(head + svg[svg.index(">") + 1 :].strip())


def _prefix_ids(svg: str, name: str) -> str:
    """Drops the ids that nothing refers to and makes the others unique on the page."""
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))

    def keep(match: re.Match) -> str:
        return f' id="{name}-{match.group(1)}"' if match.group(1) in used else ""

    svg = re.sub(r' id="([^"]+)"', keep, svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    return re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
