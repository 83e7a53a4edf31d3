"""How categories are told apart: colour, hatching and marker, so that colour is never the only sign.

The models that an unlearning compares are told apart in the same way.

Colours start from those of Okabe and Ito (2008), which readers with any colour vision can tell apart; harmful
categories take the warm ones, benign ones the cool ones. Plots are drawn with stand-in colours, each of which
becomes a CSS variable of the report, so one drawing serves light, dark and print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
"""Stand-ins for text, secondary text, grid lines and the page."""

_HARMFUL = (("harm-0", "#050001", "^"), ("harm-1", "#050002", "v"), ("harm-2", "#050003", "D"))
_BENIGN = (
    ("calm-0", "#050011", "o"),
    ("calm-1", "#050012", "s"),
    ("calm-2", "#050013", "P"),
    ("calm-3", "#050014", "X"),
    ("calm-4", "#050015", "h"),
)


@dataclass(frozen=True)
class Look:
    """The look of one category.

    Attributes:
        name: The category.
        harmful: Whether it counts as harmful.
        variable: CSS variable of its colour, without the dashes before it.
        colour: The stand-in for it in plots.
        marker: matplotlib marker.
    """

    name: str
    harmful: bool
    variable: str
    colour: str
    marker: str

    @property
    def label(self) -> str:
        """Its name on an axis: harmful ones carry a triangle."""
        return f"▲ {self.name}" if self.harmful else self.name

    @property
    def hatch(self) -> str | None:
        """Hatching of its bars."""
        return "////" if self.harmful else None


def looks(categories: Iterable[Mapping]) -> dict[str, Look]:
    """Gives every category of a summary its look, by order of precedence."""
    result: dict[str, Look] = {}
    used = {True: 0, False: 0}
    for category in categories:
        name, harmful = category["category"], bool(category["harmful"])
        slots = _HARMFUL if harmful else _BENIGN
        variable, colour, marker = slots[used[harmful] % len(slots)]
        used[harmful] += 1
        result[name] = Look(name, harmful, variable, colour, marker)
    return result


@dataclass(frozen=True)
class ModelLook:
    """The look of one of the models that an unlearning compares.

    Attributes:
        short: What it is called in a table.
        title: What it is called where there is room.
        variable: CSS variable of its colour, without the dashes before it.
        colour: The stand-in for it in plots.
        marker: matplotlib marker.
        filled: Whether its marker is filled.
        dash: matplotlib line style.
    """

    short: str
    title: str
    variable: str
    colour: str
    marker: str
    filled: bool
    dash: str | tuple[float, tuple[float, ...]]


def model_look(name: str) -> ModelLook:
    """The look of `before`, `after`, or a control."""
    return _MODELS.get(name) or ModelLook(name, name, "ink", INK, "x", False, "-.")


_MODELS = {
    "before": ModelLook("before", "before", "muted", MUTED, "o", False, "-"),
    "after": ModelLook("after", "after", "calm-0", "#050011", "o", True, "-"),
    "constant": ModelLook("constant", "control: constant reward", "calm-2", "#050013", "s", False, (0, (4, 2))),
    "permuted": ModelLook("permuted", "control: permuted rewards", "harm-1", "#050002", "^", False, (0, (1, 1.4))),
}


def css_variables(svg: str) -> str:
    """Replaces the stand-in colours of a drawing by the report's CSS variables."""
    fixed = {"ink": INK, "muted": MUTED, "grid": GRID, "paper": PAPER}
    slots = {variable: colour for variable, colour, _ in _HARMFUL + _BENIGN}
    for variable, colour in {**fixed, **slots}.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
