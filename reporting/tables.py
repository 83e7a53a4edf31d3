"""Tables for the terminal: as wide as there is room for, in characters that the output can take."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reporting.example_text import visible

PLAIN_WIDTH = 100
"""Columns to write where the output isn't a terminal, whatever rich guesses."""
_NAME_WIDTH = 24
"""On a terminal, longer names go on in a second line."""
_ASCII = str.maketrans(
    dict.fromkeys("█▉▊▋▌", "#")
    | dict.fromkeys("▍▎▏", "")
    | {"–": "-", "→": "->", "±": "+-", "×": "x", "✓": "+", "✗": "x", "•": "-", "’": "'"}
)
_SUPERSCRIPT = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_ON_THE_LINE = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@dataclass(frozen=True)
class Field:
    """A column of numbers.

    Attributes:
        head: Its heading.
        show: The numbers of a row -> cell.
        needs: The field it shows; the column is left out where that is null in every row.
        keep: On a terminal too narrow for all, columns go in ascending order of this.
        words: Whether the cells are words, which start at the left.
    """

    head: str
    show: Callable[[Mapping[str, Any]], str]
    needs: str
    keep: int
    words: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table: what it is about, the numbers, and how to show it."""

    name: str
    numbers: Mapping[str, Any]
    style: str = ""


def encodable(text: str, encoding: str) -> str:
    """The text with what the encoding lacks written in ASCII, or as `?`.

    >>> encodable("10⁻³ ± 1", "ascii")
    '10^-3 +- 1'
    """
    if encoding.lower().startswith("utf"):
        return text
    plain = _SUPERSCRIPT.sub(lambda match: "^" + match.group().translate(_ON_THE_LINE), text).translate(_ASCII)
    return plain.encode(encoding, "replace").decode(encoding)


class Printer:
    """Prints through a console, with the width and the characters that its output can take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = max(PLAIN_WIDTH, console.width)

    def text(self, text: str, style: str = "") -> Text:
        """The text as it is: no markup, nothing that acts on a terminal, nothing it can't encode."""
        return Text(encodable(visible(text), self._console.encoding), style=style)

    def line(self, text: str, style: str = "") -> None:
        self._console.print(self.text(text, style), soft_wrap=True, highlight=False)

    def item(self, sign: str, text: str, style: str = "") -> None:
        """A sentence of a list; on a terminal its further lines start under the first."""
        if not self._console.is_terminal:
            self.line(f"{sign} {text}")
            return
        table = self.new_table()
        table.show_header = False
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row(self.text(sign, style), self.text(text))
        self._console.print(table)

    def blank(self) -> None:
        self._console.print()

    def new_table(self) -> Table:
        # No box: its lines would only repeat what the alignment already says.
        return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")

    def table(self, table: Table) -> None:
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, self._natural_width(table))
        self._console.print(table)

    def widest_table(self, head: str, rows: Sequence[Row], fields: Sequence[Field]) -> None:
        """Prints as many of the fields as there is room for, each of them whole."""
        fields = [field for field in fields if any(row.numbers[field.needs] is not None for row in rows)]
        table = self._table_of(head, rows, fields)
        while self._console.is_terminal and fields and self._natural_width(table) > self._console.width:
            fields.remove(min(fields, key=lambda field: field.keep))
            table = self._table_of(head, rows, fields)
        self.table(table)

    def _table_of(self, head: str, rows: Sequence[Row], fields: Sequence[Field]) -> Table:
        table = self.new_table()
        table.add_column(
            head, overflow="fold", max_width=_NAME_WIDTH if self._console.is_terminal else None, vertical="top"
        )
        for field in fields:
            justify = "right" if field.head and not field.words else "left"
            table.add_column(self.text(field.head), justify=justify, no_wrap=True, overflow="crop")
        for row in rows:
            cells = (self.text(field.show(row.numbers)) for field in fields)
            table.add_row(self.text(row.name), *cells, style=row.style)
        return table

    def _natural_width(self, table: Table) -> int:
        roomy = self._console.options.update(width=10 * PLAIN_WIDTH)
        return self._console.measure(table, options=roomy).maximum
