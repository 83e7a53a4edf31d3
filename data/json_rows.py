"""JSON objects as rows of a table: the columns and types they ask for, and whether a row fits them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from data.errors import InputError
from data.source import MALFORMED, WRONG_TYPE, MisfitError
from data.text_files import Record, encodable

SAMPLE_ROWS = 1000
_JSON_TEXT = {b"json": b"true"}
_KINDS = {bool: "bool", int: "int", float: "float", str: "text"}


def _kind_of(value: object) -> str:
    """The column type a JSON value asks for."""
    if isinstance(value, list):
        types = set(map(type, value)) - {type(None)}
        if types <= {int}:
            return "ints"
        return "floats" if types <= {int, float} else "json"
    return _KINDS.get(type(value), "json")


_TYPES = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "text": pa.string(),
    "ints": pa.list_(pa.int64()),
    "floats": pa.list_(pa.float64()),
    "json": pa.string(),
}


def schema_of_rows(records: Iterable[Record], path: Path) -> pa.Schema:
    """The type most values of a column have; columns first seen after the sample are left out."""
    votes: dict[str, dict[str, int]] = {}
    problem = None
    for seen, record in enumerate(records):
        if seen == SAMPLE_ROWS:
            break
        if isinstance(record.value, dict):
            for name, value in record.value.items():
                if not encodable(name):
                    continue
                column = votes.setdefault(name, dict.fromkeys(_TYPES, 0))
                if value is not None:
                    column[_kind_of(value)] += 1
        else:
            problem = problem or f"{record.lines}: {record.problem or 'not an object'}"
    if not votes:
        found = f"no row could be read ({problem})" if problem else "found no rows"
        raise InputError(f"{path}: {found}. Expected one JSON object a line.")
    fields = []
    for name, column in votes.items():
        winner = max(column, key=lambda kind: column[kind]) if any(column.values()) else "text"
        if winner == "int" and column["float"]:
            winner = "float"
        if winner == "ints" and not column["ints"]:
            winner = "floats"
        fields.append(pa.field(name, _TYPES[winner], metadata=_JSON_TEXT if winner == "json" else None))
    return pa.schema(fields)


def fit_object(record: Record, schema: pa.Schema) -> dict:
    """The row's values as the schema has them.

    Raises:
        MisfitError: The line is no object, or a value is of another type.
    """
    if not isinstance(record.value, dict):
        raise MisfitError(MALFORMED, f"{record.lines}: expected an object, found {type(record.value).__name__}")
    row = {}
    for field in schema:
        value = record.value.get(field.name)
        if value is None:
            continue
        if field.metadata == _JSON_TEXT:
            row[field.name] = json.dumps(value)
        elif _kind_of(value) == "text" and not encodable(value):
            raise MisfitError(MALFORMED, f"{record.lines}, column {field.name!r}: lone surrogate, not valid Unicode")
        elif _fits(value, field.type):
            row[field.name] = value
        else:
            raise MisfitError(
                WRONG_TYPE,
                f"{record.lines}, column {field.name!r}: expected {field.type}, found {type(value).__name__}",
            )
    return row


def _fits(value: object, dtype: pa.DataType) -> bool:
    kind = _kind_of(value)
    if kind in ("int", "ints"):
        numbers = [value] if kind == "int" else [item for item in value if item is not None]
        if any(not -(2**63) <= extreme < 2**63 for extreme in (min(numbers, default=0), max(numbers, default=0))):
            return False
        return dtype in ((pa.int64(), pa.float64()) if kind == "int" else (_TYPES["ints"], _TYPES["floats"]))
    return kind != "json" and dtype == _TYPES[kind]
