"""Columns as files have them -> columns as the tables have them; what does not fit is named row by row."""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from data.source import is_list, is_text

TOKEN_LISTS = pa.large_list(pa.int64())
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_SEPARATORS = re.compile(r"[\s,]+")


def invalid_text(column: pa.Array) -> set[int]:
    """Rows whose text is not valid UTF-8; Arrow does not check it on reading."""
    if not is_text(column.type):
        return set()
    try:
        column.validate(full=True)
        return set()
    except pa.ArrowInvalid:
        return {row for row in range(len(column)) if not _readable(column[row])}


def _readable(scalar: pa.Scalar) -> bool:
    try:
        scalar.as_py()
    except UnicodeDecodeError:
        return False
    return True


def text_values(column: pa.Array, invalid: set[int]) -> list[str | None]:
    """The strings, None where null or invalid."""
    if not invalid:
        return column.to_pylist()
    return [None if row in invalid else column[row].as_py() for row in range(len(column))]


def plain_value(scalar: pa.Scalar) -> Any:
    """The value for JSON; bytes and invalid text become text with `\\xNN`."""
    try:
        value = scalar.as_py()
    except UnicodeDecodeError:
        value = scalar.cast(pa.binary()).as_py()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def integer_column(column: pa.Array) -> tuple[pa.Int64Array, list[int]]:
    """int64 values, and the rows whose value is no 64-bit integer (null there). Empty text is null."""
    if pat.is_integer(column.type) or pat.is_floating(column.type):
        try:
            whole = pc.if_else(pc.is_nan(column), None, column) if pat.is_floating(column.type) else column
            return whole.cast(pa.int64()), []
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    return _by_value(column, pa.int64(), _as_integer)


def token_lists(column: pa.Array) -> tuple[pa.LargeListArray, list[int]]:
    """Lists of int64, and the rows that are no such list (null there). Text holds `[1, 2]` or `1 2`."""
    if is_list(column.type):
        try:
            return column.cast(TOKEN_LISTS), []
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    return _by_value(column, TOKEN_LISTS, _as_token_list)


def storage_column(column: pa.Array, dtype: pa.DataType, *, known: bool) -> tuple[pa.Array, list[int]]:
    """A metadata column in its table type, and the rows whose value that cannot hold (null there).

    Args:
        column: As the file has it, all text valid.
        dtype: As `data.source.storage_type` or `TYPED_METADATA` say.
        known: Whether later stages compute with it, so that text is read as numbers and truth values.
    """
    if column.type == dtype:
        return column, []
    if known and dtype == pa.int64():
        return integer_column(column)
    if known and dtype == pa.bool_():
        return _by_value(column, dtype, _as_boolean)
    if pat.is_string(dtype) and not is_text(column.type):
        return _by_value(column, dtype, _as_text)
    if pat.is_dictionary(column.type):
        column = column.dictionary_decode()
    # Nanoseconds are cut to microseconds; every other cast here widens.
    return column.cast(dtype, safe=not pat.is_timestamp(dtype)), []


def _by_value(column: pa.Array, dtype: pa.DataType, convert: Any) -> tuple[pa.Array, list[int]]:
    values, wrong = [], []
    for row, scalar in enumerate(column):
        value = None
        try:
            value = convert(scalar.as_py())
        except (ValueError, TypeError, OverflowError):  # UnicodeDecodeError is a ValueError
            wrong.append(row)
        values.append(value)
    return pa.array(values, dtype), wrong


def _as_integer(value: Any) -> int | None:
    """Raises ValueError or TypeError where the value is no 64-bit integer."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, bool | bytes) or (isinstance(value, str) and not INTEGER.fullmatch(value)):
        raise ValueError
    number = int(value)
    if not -(2**63) <= number < 2**63 or (number != value and not isinstance(value, str)):
        raise ValueError
    return number


def _as_token_list(value: Any) -> list[int | None] | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        inside = value.strip().removeprefix("[").removesuffix("]").strip()
        value = _SEPARATORS.split(inside) if inside else []
    return [_as_integer(item) for item in value]


def _as_boolean(value: Any) -> bool | None:
    if value is None or value == "" or value != value:
        return None
    text = value.strip().lower() if isinstance(value, str) else str(_as_integer(value))
    if text not in _BOOLEANS:
        raise ValueError
    return _BOOLEANS[text]


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    nested = isinstance(value, list | dict | tuple)
    return json.dumps(value, default=str) if nested else str(value)
