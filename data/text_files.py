"""Text files record by record: csv, JSON lines, JSON arrays, gzipped or not; a bad record stops nothing."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from data.errors import InputError

# A quote that is never closed takes in lines up to here before the reader gives up on the record.
LARGEST_CELL = 16 * 2**20


@dataclass(frozen=True)
class Record:
    """One record of a text file.

    Attributes:
        row: Its number within the file, from 0.
        lines: Where it is, for people: `line 7`, `lines 7-9`, `item 7`.
        value: What was parsed: the cells (csv) or the JSON value; None where it could not be parsed.
        problem: Why it could not be parsed.
        raw: Its text as it came.
    """

    row: int
    lines: str
    value: Any
    problem: str | None
    raw: str


def open_binary(path: Path) -> BinaryIO:
    """Opens a file, unpacking `.gz`."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def csv_header(path: Path) -> list[str]:
    """The names in the first line.

    Raises:
        InputError: There is no header line that can be read.
    """
    for record in _csv_rows(path):
        if record.problem is None:
            return record.value
        raise InputError(f"{path}: the header ({record.lines}) cannot be read: {record.problem}.")
    raise InputError(f"{path} is empty: found no header line.")


def csv_records(path: Path) -> Iterator[Record]:
    """The records after the header; cells may hold line ends inside quotes."""
    rows = _csv_rows(path)
    next(rows, None)
    for number, record in enumerate(rows):
        yield Record(number, record.lines, record.value, record.problem, record.raw)


def _csv_rows(path: Path) -> Iterator[Record]:
    csv.field_size_limit(LARGEST_CELL)
    # Bytes that are not UTF-8 become lone surrogates, by which the row that has them is known later.
    with (
        open_binary(path) as binary,
        io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as handle,
    ):
        taken: list[str] = []

        def lines() -> Iterator[str]:
            for line in handle:
                taken.append(line)
                yield line

        reader = csv.reader(lines(), strict=True)
        while True:
            first = reader.line_num + 1
            taken.clear()
            cells, problem = None, None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = str(error)
            if cells == []:
                continue
            last = reader.line_num
            where = f"line {first}" if first == last else f"lines {first}-{last}"
            yield Record(0, where, cells, problem, "".join(taken))


def json_lines(path: Path, start: int, stop: int | None, row: int = 0) -> Iterator[Record]:
    """The lines that begin in a byte range, parsed; blank lines are left out but counted.

    Args:
        path: The file; ranges are for files that are not packed.
        start, stop: The range, at line starts; a stop of None is the end.
        row: Number of the first line, from 0.
    """
    with open_binary(path) as handle:
        if start:
            handle.seek(start)
        position = start
        for number, line in enumerate(handle, row):
            if stop is not None and position >= stop:
                return
            position += len(line)
            if number == 0:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield _parsed(line, number, f"line {number + 1}")


def json_items(path: Path) -> Iterator[Record]:
    """The items of a JSON array, or the lines of a file that has one object a line."""
    with open_binary(path) as handle:
        head = handle.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head.startswith(b"["):
            yield from json_lines(path, 0, None)
            return
        handle.seek(0)
        whole = _parsed(handle.read().removeprefix(b"\xef\xbb\xbf"), 0, "the file")
    if whole.problem is not None:
        raise InputError(f"{path}: the JSON array cannot be read: {whole.problem}.")
    for number, item in enumerate(whole.value):
        yield Record(number, f"item {number}", item, None, json.dumps(item))


def line_ranges(path: Path, lines_each: int) -> tuple[list[tuple[int, int, int, int]], int]:
    """Cuts a file at line ends, counting lines.

    Args:
        path: A plain file.
        lines_each: Ranges hold at least this many lines, the last one excepted.

    Returns:
        The ranges as (first line, lines, first byte, byte after the last), and the number of lines.
    """
    ranges, first_line, lines, first_byte, position = [], 0, 0, 0, 0
    ends_open = False
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            ends_open = not chunk.endswith(b"\n")
            lines += chunk.count(b"\n")
            if lines - first_line >= lines_each:
                cut = position + chunk.rfind(b"\n") + 1
                ranges.append((first_line, lines - first_line, first_byte, cut))
                first_line, first_byte = lines, cut
            position += len(chunk)
    lines += ends_open
    if position > first_byte:
        ranges.append((first_line, lines - first_line, first_byte, position))
    return ranges, lines


def _parsed(data: bytes, row: int, where: str) -> Record:
    """Parses one JSON value; what cannot be parsed is kept as text, invalid bytes as `\\xNN`."""
    raw = data.decode("utf-8", "backslashreplace").rstrip("\r\n")
    try:
        return Record(row, where, json.loads(data.decode()), None, raw)
    except UnicodeDecodeError:
        problem = "not valid UTF-8"
    except json.JSONDecodeError as error:
        problem = f"not valid JSON ({error.msg} at column {error.colno})"
    except RecursionError:
        problem = "nested too deeply"
    except ValueError:  # an integer of more than 4,300 digits
        problem = "a number that is too long"
    return Record(row, where, None, problem, raw)


def encodable(text: str) -> bool:
    """Whether the text is Unicode that Arrow can hold: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
