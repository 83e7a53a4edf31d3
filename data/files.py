"""Sequences in local files: one file, a folder of them, or npy arrays that belong together."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from data.columns import INTEGER
from data.errors import InputError, did_you_mean, shown
from data.folders import EXPECTED, KINDS, find_files, find_splits, suffix, visible_names
from data.json_rows import SAMPLE_ROWS
from data.readers import READERS, Layout
from data.source import (
    TYPED_METADATA,
    Roles,
    Shard,
    Source,
    is_list,
    is_text,
    metadata_columns,
    resolve_roles,
    storage_type,
)

__all__ = [
    "Shard",
    "Source",
    "find_files",
    "find_splits",
    "open_files",
    "open_shards",
    "read_shard",
    "suffix",
]

SHARD_ROWS = 32_768
# What the readers raise on a damaged file; numpy says ValueError of a header it cannot make out.
_DAMAGED = (OSError, EOFError, zlib.error, pa.ArrowException)


def open_files(
    paths: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    split: str | None = None,
    id_column: str | None = None,
    tokens_column: str | None = None,
    text_column: str | None = None,
    shard_rows: int = SHARD_ROWS,
) -> Source:
    """Looks at files without reading them through.

    Args:
        paths: A file, a folder, `prefix.npy,suffix.npy` (`preprefix.npy,prefix.npy,suffix.npy`), or a list of
            files, whose order is the input's order.
        name: What to call the source; its path where none is given.
        split: For a folder: the split, as the hub lays them out (`data/<split>-00000-of-00001.parquet`,
            `<split>.jsonl`, `<split>/...`).
        id_column, tokens_column, text_column: Column names, where the usual ones are not there.
        shard_rows: About how many rows a shard has where the format allows choosing.

    Returns:
        The source, its shards in input order.

    Raises:
        InputError: Missing, empty, unreadable or damaged files, no files, several kinds or columns in one
            folder, an unknown split or column, nothing to take sequences from.
    """
    found = _look(paths, split, shard_rows)
    roles = resolve_roles(
        found.layouts[0].schema,
        found.groups[0][0].name,
        text_holds_lists=found.kind == "csv",
        id_column=id_column,
        tokens_column=tokens_column,
        text_column=text_column,
    )
    _check_same(found, needed=roles.used, any_width={*roles.used, *TYPED_METADATA})
    shards = _shards(found)
    roles = _with_integer_id(roles, shards)
    totals = [layout.rows for layout in found.layouts]
    return Source(
        name=name or found.name,
        split=split,
        shards=shards,
        roles=roles,
        columns=metadata_columns(found.layouts[0].schema, roles),
        fingerprint=_fingerprint([path for group in found.groups for path in group]),
        rows=None if None in totals else sum(totals),
    )


def open_shards(paths: str | Path | Sequence[str | Path]) -> tuple[Shard, ...]:
    """The shards of any table, whatever its columns are for. Arguments and errors as `open_files`."""
    found = _look(paths, None, SHARD_ROWS)
    names = found.layouts[0].schema.names
    _check_same(found, needed=names, any_width=names)
    return _shards(found)


def read_shard(shard: Shard) -> Iterator[pa.RecordBatch]:
    """The shard's rows in batches of at most 4,096, with the columns of `data.source.READER_FIELDS`.

    Raises:
        InputError: The file has become unreadable or is damaged where this shard lies.
    """
    try:
        yield from READERS[shard.kind][1](shard)
    except _DAMAGED as error:
        raise _unreadable(shard.file_name, error) from error


@dataclass(frozen=True)
class _Files:
    """Files of one kind; a group is one file, or the npy files that belong together."""

    name: str
    kind: str
    groups: tuple[tuple[Path, ...], ...]
    layouts: tuple[Layout, ...]

    @property
    def is_json(self) -> bool:
        return self.kind in ("json", "jsonl")


def _look(paths: str | Path | Sequence[str | Path], split: str | None, shard_rows: int) -> _Files:
    files, name = _listed(paths, split)
    kinds: dict[str, list[Path]] = {}
    for file in files:
        kinds.setdefault(_kind(file), []).append(file)
    if len(kinds) > 1:
        listed = "; ".join(f"{kind}: {_names(paths)}" for kind, paths in sorted(kinds.items()))
        raise InputError(f"Files of several kinds ({listed}). Give one file, or a folder that holds one kind.")
    kind = next(iter(kinds))
    groups = (tuple(files),) if kind == "npy" else tuple((file,) for file in files)
    return _Files(name, kind, groups, tuple(_describe(kind, group, shard_rows) for group in groups))


def _listed(paths: str | Path | Sequence[str | Path], split: str | None) -> tuple[list[Path], str]:
    """The files, and what to call them."""
    try:
        if isinstance(paths, str) and "," in paths and not Path(paths).exists():
            paths = [part.strip() for part in paths.split(",")]
        if isinstance(paths, str | Path):
            path = Path(paths).expanduser()
            _require(path)
            if path.is_dir():
                return find_files(path, split), str(paths)
            if split is not None:
                raise InputError(f"{path} is one file and has no splits. Leave --split out, or name its folder.")
            return [path], str(paths)
        files = [Path(part).expanduser() for part in paths]
        for file in files:
            _require(file)
        return files, ",".join(str(file) for file in files)
    except OSError as error:
        raise _unreadable(str(paths), error) from error


def _require(path: Path) -> None:
    """Raises InputError with the nearest names of its folder where the path does not exist."""
    try:
        path.stat()
        return
    except (FileNotFoundError, NotADirectoryError):
        pass
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path} does not exist: there is no folder {folder}.")
    raise InputError(f"{path} does not exist. {did_you_mean(path.name, visible_names(folder))}")


def _kind(path: Path) -> str:
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file.")
    if not suffix(path):
        raise InputError(f"{path}: cannot tell what kind of file this is from its name. {EXPECTED}")
    return KINDS[suffix(path)]


def _describe(kind: str, group: Sequence[Path], shard_rows: int) -> Layout:
    for path in group:
        try:
            if path.stat().st_size == 0:
                raise InputError(f"{path} is empty (0 bytes).")
        except OSError as error:
            raise _unreadable(str(path), error) from error
    try:
        return READERS[kind][0](group, shard_rows)
    except (*_DAMAGED, ValueError) as error:
        raise _unreadable(", ".join(str(path) for path in group), error) from error


def _unreadable(what: str, error: BaseException) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(f"{what}: permission denied. Make the file and its folders readable for this user.")
    if isinstance(error, FileNotFoundError):
        return InputError(f"{what} does not exist (any more).")
    why = (str(error).strip().splitlines() or [""])[0][:160]
    return InputError(f"{what} cannot be read, it may be damaged or cut off ({type(error).__name__}: {why}).")


def _check_same(found: _Files, *, needed: Iterable[str], any_width: Collection[str]) -> None:
    """Raises InputError where a later file has other columns than the first.

    Args:
        found: The files.
        needed: Columns that each must have. JSON may leave the others out, other kinds may not.
        any_width: Columns whose integers and strings may differ in width.
    """
    first = found.groups[0][0].name
    ours = _signature(found.layouts[0].schema, any_width)
    needed = set(needed if found.is_json else ours)
    for group, layout in zip(found.groups[1:], found.layouts[1:], strict=True):
        theirs = _signature(layout.schema, any_width)
        parts = [f"has no {shown(name)}" for name in sorted(needed - set(theirs))]
        if not found.is_json:
            parts += [f"also has {shown(name)}" for name in sorted(set(theirs) - set(ours))]
        for name in sorted(needed & set(theirs)):
            if ours[name] != theirs[name]:
                parts.append(f"has {shown(name)} as {theirs[name]}, not {ours[name]}")
        if parts:
            raise InputError(
                f"{group[0].name} differs from {first}: it {'; it '.join(parts[:8])}. "
                "Files of one source have the same columns."
            )


def _signature(schema: pa.Schema, any_width: Collection[str]) -> dict[str, str]:
    def plain(dtype: pa.DataType) -> str:
        if is_text(dtype):
            return "text"
        if is_list(dtype):
            return f"list of {plain(dtype.value_type)}"
        return "integer" if pa.types.is_integer(dtype) else str(dtype)

    return {
        field.name: plain(field.type) if field.name in any_width else str(storage_type(field.type)) for field in schema
    }


def _shards(found: _Files) -> tuple[Shard, ...]:
    """Every piece of every file, numbered over the whole input as long as all files before it are counted.

    Raises:
        InputError: There is not one row.
    """
    shards = []
    before: int | None = 0
    for index, (group, layout) in enumerate(zip(found.groups, found.layouts, strict=True)):
        for piece in layout.pieces:
            shards.append(
                Shard(
                    paths=tuple(str(path.absolute()) for path in group),
                    kind=found.kind,
                    # JSON's types are inferred: the first file's hold for all. Others keep their own widths.
                    schema=found.layouts[0].schema if found.is_json else layout.schema,
                    file_index=index,
                    row=piece.row,
                    start=piece.start,
                    stop=piece.stop,
                    rows=piece.rows,
                    first_row=None if before is None else before + piece.row,
                )
            )
        before = None if before is None or layout.rows is None else before + layout.rows
    if all(_first_batch(shard) is None for shard in shards):
        raise InputError(f"{found.name}: found no rows.")
    return tuple(shards)


def _first_batch(shard: Shard) -> pa.RecordBatch | None:
    return next(iter(read_shard(shard)), None)


def _with_integer_id(roles: Roles, shards: Sequence[Shard]) -> Roles:
    """Drops the id role where the column holds no integers: such ids stay as metadata and rows are numbered.

    Every table joins on an int64 `sequence_id`. Hashing text into one could make two ids equal, and none
    would be readable. Text counts as integer ids where most of the first rows' values are.
    """
    if roles.id is None:
        return roles
    dtype = shards[0].schema.field(roles.id).type
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        return roles
    if is_text(dtype):
        batch = next(batch for batch in map(_first_batch, shards) if batch is not None).slice(0, SAMPLE_ROWS)
        values = [value for value in batch.column(roles.id).to_pylist() if value]
        whole = sum(INTEGER.fullmatch(value) is not None for value in values)
        if whole * 2 > len(values):
            return roles
    return replace(roles, id=None)


def _fingerprint(files: Sequence[Path]) -> str:
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(stats).encode()).hexdigest()


def _names(paths: Sequence[Path]) -> str:
    return f"{len(paths)} ({', '.join(path.name for path in paths[:3])}{', ...' if len(paths) > 3 else ''})"
