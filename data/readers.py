"""The file formats: what a file holds without reading it all, and its rows in batches, memory bounded.

Every batch has the columns of the shard's schema and those of `READER_FIELDS`. A row that cannot be read is
there with its reason and its raw text; nothing is dropped. Blank lines of jsonl and csv are not rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data import text_files
from data.errors import InputError
from data.json_rows import fit_object, schema_of_rows
from data.source import DETAIL, MALFORMED, RAW, READER_FIELDS, REASON, ROW, MisfitError, Shard
from data.text_files import encodable

BATCH_ROWS = 4096
MOST_PARTS = 4  # of a row group: each decodes what lies before it there
BATCH_CHARACTERS = 16 * 2**20  # whole documents as rows: the batch ends earlier


@dataclass(frozen=True)
class Piece:
    """A part of one file; fields as in `Shard`."""

    row: int = 0
    rows: int | None = None
    start: int | None = None
    stop: int | None = None


@dataclass(frozen=True)
class Layout:
    """What one file holds: its columns, its rows where known, and the pieces it is read in."""

    schema: pa.Schema
    rows: int | None
    pieces: tuple[Piece, ...]


def describe_parquet(paths: Sequence[Path], shard_rows: int) -> Layout:
    """Columns and row ranges from the footer; small row groups are joined, large ones cut."""
    with pq.ParquetFile(paths[0]) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        return Layout(file.schema_arrow.remove_metadata(), sum(sizes), _row_ranges(sizes, shard_rows, MOST_PARTS))


def _row_ranges(groups: Sequence[int], shard_rows: int, most_parts: int | None = None) -> tuple[Piece, ...]:
    """Row ranges of about `shard_rows`, cut between row groups where they are small enough.

    A group is cut into at most `most_parts`, however large these are.
    """
    pieces, start, stop = [], 0, 0
    for size in groups:
        stop += size
        part = max(shard_rows, -(-size // most_parts)) if most_parts else shard_rows
        while stop - start >= 2 * part:
            pieces.append(Piece(start, part, start, start + part))
            start += part
        if stop - start >= shard_rows:
            pieces.append(Piece(start, stop - start, start, stop))
            start = stop
    if stop > start:
        pieces.append(Piece(start, stop - start, start, stop))
    return tuple(pieces)


def read_parquet(shard: Shard) -> Iterator[pa.RecordBatch]:
    """The shard's rows; of the first row group, what lies before the shard is decoded and let go."""
    start, stop = shard.start or 0, shard.stop
    with pq.ParquetFile(shard.paths[0], buffer_size=1 << 20, pre_buffer=False) as file:
        groups, position, before = [], 0, 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if position + size > start and (stop is None or position < stop):
                before = position if not groups else before
                groups.append(group)
            position += size
        position = before
        for batch in file.iter_batches(BATCH_ROWS, groups, columns=shard.schema.names, use_threads=False):
            low = max(start - position, 0)
            high = batch.num_rows if stop is None else min(stop - position, batch.num_rows)
            if high > low:
                yield _intact(batch.slice(low, high - low), position + low)
            position += batch.num_rows


def describe_npy(paths: Sequence[Path], shard_rows: int) -> Layout:
    """One array [N, T] of token ids (`tokens`), or prefix, suffix, or pre-prefix, prefix, suffix."""
    columns = {1: ("tokens",), 2: ("prefix", "suffix"), 3: ("pre_prefix", "prefix", "suffix")}.get(len(paths))
    if columns is None:
        raise InputError(f"{len(paths)} npy files; expected prefix.npy,suffix.npy (or preprefix,prefix,suffix).")
    lengths = {}
    for path in paths:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "iu":
            found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
            raise InputError(f"{path}: found {found}; expected integer token ids, one row per sequence.")
        lengths[path.name] = array.shape[0]
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name}: {rows}" for name, rows in lengths.items())
        raise InputError(f"The npy files have different numbers of rows ({counts}); they must be of one set.")
    rows = next(iter(lengths.values()))
    schema = pa.schema([(name, pa.list_(pa.int64())) for name in columns])
    return Layout(schema, rows, _row_ranges([rows], shard_rows))


def read_npy(shard: Shard) -> Iterator[pa.RecordBatch]:
    """The shard's rows of memory-mapped arrays."""
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in shard.paths]
    stop = len(arrays[0]) if shard.stop is None else shard.stop
    for low in range(shard.start or 0, stop, BATCH_ROWS):
        high = min(low + BATCH_ROWS, stop)
        columns = []
        for array in arrays:
            offsets = pa.array(np.arange(high - low + 1) * array.shape[1], pa.int32())
            columns.append(pa.ListArray.from_arrays(offsets, array[low:high].astype(np.int64).ravel()))
        yield _intact(pa.RecordBatch.from_arrays(columns, schema=shard.schema), low)


def describe_csv(paths: Sequence[Path], shard_rows: int) -> Layout:
    """Columns from the header line; every one is text."""
    header = text_files.csv_header(paths[0])
    return Layout(pa.schema([(name, pa.string()) for name in header]), None, (Piece(),))


def read_csv(shard: Shard) -> Iterator[pa.RecordBatch]:
    """Rows by the header's names. Python's csv goes on after a bad row; tokenizing costs far more."""
    header = text_files.csv_header(Path(shard.paths[0]))

    def fit(record: text_files.Record) -> dict:
        if len(record.value) != len(header):
            raise MisfitError(
                MALFORMED,
                f"{record.lines}: found {len(record.value)} cells, expected {len(header)} as in the header",
            )
        for name, cell in zip(header, record.value, strict=True):
            if not encodable(cell):
                raise MisfitError(MALFORMED, f"{record.lines}, column {name!r}: not valid UTF-8")
        return dict(zip(header, record.value, strict=True))

    yield from _batches(text_files.csv_records(Path(shard.paths[0])), fit, shard)


def describe_jsonl(paths: Sequence[Path], shard_rows: int) -> Layout:
    """Columns and types from the first 1,000 rows; plain files are cut into byte ranges at line ends."""
    path = paths[0]
    schema = schema_of_rows(text_files.json_lines(path, 0, None), path)
    if path.suffix == ".gz":
        return Layout(schema, None, (Piece(),))
    pieces, lines = text_files.line_ranges(path, shard_rows)
    return Layout(schema, lines, tuple(Piece(row, rows, start, stop) for row, rows, start, stop in pieces))


def read_jsonl(shard: Shard) -> Iterator[pa.RecordBatch]:
    """One row a line; its row number is the line's, counted from 0, blank lines included."""
    lines = text_files.json_lines(Path(shard.paths[0]), shard.start or 0, shard.stop, shard.row)
    yield from _batches(lines, lambda record: fit_object(record, shard.schema), shard)


def describe_json(paths: Sequence[Path], shard_rows: int) -> Layout:
    """A json array of objects, read whole, or a `.json` file that has one object a line."""
    return Layout(schema_of_rows(text_files.json_items(paths[0]), paths[0]), None, (Piece(),))


def read_json(shard: Shard) -> Iterator[pa.RecordBatch]:
    """The items of the array."""
    items = text_files.json_items(Path(shard.paths[0]))
    yield from _batches(items, lambda record: fit_object(record, shard.schema), shard)


# Kind -> how a file of it is described and read.
READERS: dict[str, tuple[Callable[..., Layout], Callable[[Shard], Iterator[pa.RecordBatch]]]] = {
    "parquet": (describe_parquet, read_parquet),
    "jsonl": (describe_jsonl, read_jsonl),
    "json": (describe_json, read_json),
    "csv": (describe_csv, read_csv),
    "npy": (describe_npy, read_npy),
}


def _intact(batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
    """Adds the reader's columns to rows that can all be read."""
    nothing = pa.nulls(batch.num_rows, pa.string())
    rows = pa.array(np.arange(first_row, first_row + batch.num_rows))
    fields = [*batch.schema.remove_metadata(), *READER_FIELDS]
    return pa.RecordBatch.from_arrays([*batch.columns, rows, nothing, nothing, nothing], schema=pa.schema(fields))


def _batches(
    records: Iterable[text_files.Record], fit: Callable[[text_files.Record], dict], shard: Shard
) -> Iterator[pa.RecordBatch]:
    """Collects records into batches; one that does not fit takes part with its reason."""
    schema = pa.schema([*shard.schema, *READER_FIELDS])
    rows: list[dict] = []
    size = 0
    for record in records:
        row: dict = {ROW: record.row}
        try:
            if record.problem is not None:
                raise MisfitError(MALFORMED, f"{record.lines}: {record.problem}")
            row |= fit(record)
        except MisfitError as misfit:
            reason, detail = misfit.args
            row |= {REASON: reason, DETAIL: detail, RAW: json.dumps(record.raw)}
        rows.append(row)
        size += len(record.raw)
        if len(rows) == BATCH_ROWS or size > BATCH_CHARACTERS:
            yield pa.RecordBatch.from_pylist(rows, schema)
            rows, size = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema)
