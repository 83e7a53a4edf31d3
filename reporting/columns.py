"""The column reference: `python -m reporting.columns > docs/columns.md`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metrics.metric import Column

_HEAD = """# Columns

Every table of a run folder, column by column. Written by `python -m reporting.columns` from the definitions
in the code; change them there. Tables with a `sequence_id` are joined on it.
"""


def column_reference(tables: Mapping[str, Sequence[Column]]) -> str:
    """Writes the column reference.

    Args:
        tables: The columns of every table, by name.

    Returns:
        Markdown: a table of contents, then for each table an overview and the formulas and sources.
    """
    contents = "\n".join(f"- [{name}](#{_anchor(name)}) ({len(columns)})" for name, columns in tables.items())
    return "\n".join([_HEAD, contents, "", *(_table(name, columns) for name, columns in tables.items())])


def main() -> None:
    """Prints the column reference."""
    from spark_jobs.schemas import TABLES

    sys.stdout.write(column_reference(TABLES))


def _table(name: str, columns: Sequence[Column]) -> str:
    lines = [
        f"## {name}",
        "",
        "| column | type | what it says | unit | range | direction |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{column.name}` | {_code(column.type)} | {_cell(column.description)} | {_cell(column.unit)} "
        f"| {_cell(column.range)} | {_cell(column.direction)} |"
        for column in columns
    ]
    defined = [column for column in columns if column.formula or column.source]
    if defined:
        lines += ["", "| column | formula | source |", "|---|---|---|"]
        lines += [f"| `{column.name}` | {_code(column.formula)} | {_cell(column.source)} |" for column in defined]
    return "\n".join([*lines, ""])


def _cell(text: str) -> str:
    """A text inside a table cell, where a bar would end the cell and `<` could start a tag."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`" if text else ""


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


if __name__ == "__main__":
    main()
