"""What a source of sequences is: its shards, what its columns are for, what is kept beside the tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.types as pat

from data.errors import InputError, did_you_mean, shown

# Columns that a reader adds to those of the file.
ROW = "__row__"  # int64, row number within the file, counting rows that could not be read
REASON = "__reason__"  # string, why the reader set the row aside; null where it did not
DETAIL = "__detail__"  # string
RAW = "__raw__"  # string, JSON text of a row that was set aside; its columns are null
READER_FIELDS = (pa.field(ROW, pa.int64()), *(pa.field(name, pa.string()) for name in (REASON, DETAIL, RAW)))

# Why a reader sets a row aside.
MALFORMED = "malformed row"
WRONG_TYPE = "wrong type"


class MisfitError(Exception):
    """A row to be set aside: reason, detail. Never leaves the readers."""


# Columns of a prepared batch that no metadata column may be called.
RESERVED = ("sequence_id", "tokens", "text", "input_order", "reason", "detail", "source", "row", "raw")

ID_NAMES = ("sequence_id", "index", "id", "idx", "example_id")
TOKENS_NAMES = ("tokens", "input_ids", "token_ids")
TEXT_NAMES = ("text",)
PREFIX_NAMES = ("prefix",)
SUFFIX_NAMES = ("suffix",)
PRE_PREFIX_NAMES = ("pre_prefix", "preprefix")

# Metadata that later stages know and need typed, whatever the file has them as.
TYPED_METADATA = {
    "is_member": pa.bool_(),
    "duplicates": pa.int64(),
    "copies": pa.int64(),
    "true_category": pa.string(),
}


@dataclass(frozen=True)
class Shard:
    """A part of the input that one worker reads on its own. Picklable and self-contained.

    Attributes:
        paths: The file; for npy, one file per column of `schema`.
        kind: `parquet`, `jsonl`, `json`, `csv` or `npy`.
        schema: The file's columns as the reader returns them.
        file_index: Position of the file in input order.
        row: Row number within the file of the shard's first row.
        start, stop: Where the shard lies in the file: rows (parquet, npy), bytes (jsonl), None for all of it.
        rows: Number of rows, None where that takes a reading.
        first_row: Number of the shard's first row over the whole input, None where files before it were not
            counted.
    """

    paths: tuple[str, ...]
    kind: str
    schema: pa.Schema
    file_index: int = 0
    row: int = 0
    start: int | None = None
    stop: int | None = None
    rows: int | None = None
    first_row: int | None = None

    @property
    def file_name(self) -> str:
        """Name of the file without its folder; npy files joined by commas."""
        return ",".join(Path(path).name for path in self.paths)


@dataclass(frozen=True)
class Roles:
    """Which column of the files is what. Exactly one of tokens, (prefix and suffix), text is used.

    Attributes:
        id: Integer id; None where there is none, so that rows are numbered.
        tokens: Lists of token ids.
        prefix, suffix: Text or token lists, given apart.
        pre_prefix: What comes before the prefix, where the file has it.
        text: Text to be tokenized.
    """

    id: str | None = None
    tokens: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    pre_prefix: str | None = None
    text: str | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that have a role."""
        names = (self.id, self.tokens, self.prefix, self.suffix, self.pre_prefix, self.text)
        return tuple(name for name in names if name is not None)


@dataclass(frozen=True)
class MetadataColumn:
    """A column kept beside the tokens: its name in the tables, in the file, and its type in the tables."""

    name: str
    file_column: str
    type: pa.DataType


@dataclass(frozen=True)
class Source:
    """Where the sequences of a run come from. `dataclasses.replace(source, shards=())` is small in a closure.

    Attributes:
        name: As the user named it.
        split: Split of the data set, None where there is none.
        shards: In input order.
        roles: Which column is what.
        columns: The metadata columns.
        fingerprint: sha256 over paths, sizes and modification times.
        rows: Rows in total where known without reading everything.
        revision: Resolved commit of a hub data set.
    """

    name: str
    split: str | None
    shards: tuple[Shard, ...]
    roles: Roles
    columns: tuple[MetadataColumn, ...]
    fingerprint: str
    rows: int | None = None
    revision: str | None = None


def is_text(dtype: pa.DataType) -> bool:
    """Whether a column holds strings of any Arrow kind, dictionary-encoded ones included."""
    if pat.is_dictionary(dtype):
        dtype = dtype.value_type
    return pat.is_string(dtype) or pat.is_large_string(dtype) or pat.is_string_view(dtype)


def is_list(dtype: pa.DataType) -> bool:
    """Whether a column holds lists of any Arrow kind."""
    kinds = (pat.is_list, pat.is_large_list, pat.is_fixed_size_list, pat.is_list_view, pat.is_large_list_view)
    return any(kind(dtype) for kind in kinds)


def is_token_list(dtype: pa.DataType) -> bool:
    """Whether a column holds lists of numbers; floats are let through, row by row they must be whole."""
    return is_list(dtype) and (
        pat.is_integer(dtype.value_type) or pat.is_floating(dtype.value_type) or pat.is_null(dtype.value_type)
    )


def resolve_roles(
    schema: pa.Schema,
    file: str,
    *,
    text_holds_lists: bool = False,
    id_column: str | None = None,
    tokens_column: str | None = None,
    text_column: str | None = None,
) -> Roles:
    """Decides which column is what: a named column, else tokens, else prefix and suffix, else text.

    Args:
        schema: The file's columns.
        file: Its name, for messages.
        text_holds_lists: Tokens may be written as text (`[1, 2, 3]`), as in csv.
        id_column, tokens_column, text_column: The user's choice.

    Raises:
        InputError: A named column is missing or of the wrong type, two share a name, or nothing is usable.
    """
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise InputError(f"{file}: column {shown(twice[0])} appears twice. Rename one of them.")
    for option, name in (
        ("--id-column", id_column),
        ("--tokens-column", tokens_column),
        ("--text-column", text_column),
    ):
        if name is not None and name not in schema.names:
            raise InputError(f"{file} has no column {shown(name)} ({option}). {did_you_mean(name, schema.names)}")

    def tokens_usable(dtype: pa.DataType) -> bool:
        return is_token_list(dtype) or (text_holds_lists and is_text(dtype))

    id_name = id_column or _first(schema, ID_NAMES)
    if tokens_column is not None:
        if not tokens_usable(schema.field(tokens_column).type):
            found = schema.field(tokens_column).type
            raise InputError(f"{file}: column {shown(tokens_column)} is {found}; expected lists of token ids.")
        return Roles(id=id_name, tokens=tokens_column)
    if text_column is not None:
        if not is_text(schema.field(text_column).type):
            found = schema.field(text_column).type
            raise InputError(f"{file}: column {shown(text_column)} is {found}; expected text.")
        return Roles(id=id_name, text=text_column)

    tokens = _first(schema, TOKENS_NAMES)
    if tokens is not None and tokens_usable(schema.field(tokens).type):
        return Roles(id=id_name, tokens=tokens)
    prefix, suffix = _first(schema, PREFIX_NAMES), _first(schema, SUFFIX_NAMES)
    if prefix is not None and suffix is not None:
        for usable in (is_token_list, is_text):
            if usable(schema.field(prefix).type) and usable(schema.field(suffix).type):
                before = _first(schema, PRE_PREFIX_NAMES)
                if before is not None and not usable(schema.field(before).type):
                    before = None
                return Roles(id=id_name, prefix=prefix, suffix=suffix, pre_prefix=before)
    text = _first(schema, TEXT_NAMES)
    if text is not None and is_text(schema.field(text).type):
        return Roles(id=id_name, text=text)
    found = ", ".join(f"{shown(field.name)} ({field.type})" for field in list(schema)[:40])
    raise InputError(
        f"{file}: no column to take sequences from. Found {found or 'no columns'}. Expected 'tokens' "
        "(lists of token ids), or 'prefix' and 'suffix', or 'text'; for other names use --tokens-column or "
        "--text-column."
    )


def metadata_columns(schema: pa.Schema, roles: Roles) -> tuple[MetadataColumn, ...]:
    """The columns without a role, under names that clash with nothing (to Spark, `Row` and `row` are one)."""
    taken = set(RESERVED)
    columns = []
    for field in schema:
        if field.name in roles.used:
            continue
        name = field.name
        while name.casefold() in taken:
            name = f"original_{name}"
        taken.add(name.casefold())
        dtype = TYPED_METADATA.get(field.name, storage_type(field.type))
        columns.append(MetadataColumn(name, field.name, dtype))
    return tuple(columns)


def storage_type(dtype: pa.DataType) -> pa.DataType:
    """The nearest type that Spark tables have, too; what has none is kept as JSON text.

    Unsigned integers widen, float16 becomes float32, times get microseconds, all lists become plain lists.
    """
    if pat.is_dictionary(dtype):
        return storage_type(dtype.value_type)
    if is_text(dtype) or pat.is_null(dtype):
        return pa.string()
    if pat.is_binary(dtype) or pat.is_large_binary(dtype) or pat.is_fixed_size_binary(dtype):
        return pa.binary()
    if pat.is_timestamp(dtype):
        return pa.timestamp("us", tz=dtype.tz)
    if is_list(dtype):
        inner = storage_type(dtype.value_type)
        has_none = inner == pa.string() and not is_text(dtype.value_type)
        return pa.string() if has_none else pa.list_(inner)
    widened = {
        pa.uint8(): pa.int16(),
        pa.uint16(): pa.int32(),
        pa.uint32(): pa.int64(),
        pa.float16(): pa.float32(),
    }
    if dtype in widened:
        return widened[dtype]
    if pat.is_boolean(dtype) or pat.is_signed_integer(dtype) or pat.is_floating(dtype) or pat.is_date32(dtype):
        return dtype
    return pa.string()


def _first(schema: pa.Schema, names: Sequence[str]) -> str | None:
    """The first of the names that the schema has; an exact match before one that differs in case."""
    folded: dict[str, str] = {}
    for column in schema.names:
        folded.setdefault(column.casefold(), column)
    return _present(names, schema.names) or next((folded[name] for name in names if name in folded), None)


def _present(names: Iterable[str], present: Sequence[str]) -> str | None:
    return next((name for name in names if name in present), None)
