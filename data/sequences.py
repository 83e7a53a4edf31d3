"""From rows as they come to sequences of exactly P + S tokens: what is accepted, what is set aside and why.

Every row of the input comes out once, in input order: `reason` is null for an accepted sequence and otherwise
one of `REASONS`. Text is tokenized without special tokens. A prefix and a suffix given apart are tokenized
apart, as DeMem does (Kassem et al. 2023): the prompt then ends where the file says it does, whereas joint
tokenization may put a token across the border. A pre-prefix is on the prefix's side of it, so those two are
joined first; it matters where the prefix alone has fewer than P tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.columns import integer_column, invalid_text, plain_value, storage_column, text_values, token_lists
from data.source import DETAIL, MALFORMED, RAW, REASON, ROW, TYPED_METADATA, WRONG_TYPE, Shard, Source
from data.token_lists import TokenLists

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NO_ID = "no sequence_id"
NEGATIVE_ID = "negative sequence_id"
NO_TOKENS = "no tokens"
NO_TEXT = "no text"
TOO_SHORT = "too short"
OUT_OF_VOCABULARY = "token id out of vocabulary"
DUPLICATE_ID = "duplicate sequence_id"  # found over the whole input by the job that has all of it
REASONS = (
    MALFORMED,
    NO_ID,
    NEGATIVE_ID,
    NO_TOKENS,
    NO_TEXT,
    WRONG_TYPE,
    TOO_SHORT,
    OUT_OF_VOCABULARY,
    DUPLICATE_ID,
)

# input_order = file number << 40 | row number in the file: the same however the input is cut into shards.
ROW_BITS = 40


def output_schema(source: Source) -> pa.Schema:
    """The columns of a prepared batch.

    `sequence_id`; `tokens`, P + S ids; `text`, these tokens decoded; the metadata columns; `input_order`,
    unique and ascending with the input; `reason`, null where accepted; `detail`, for people; `source`, the
    file's name; `row`, the row's number within it, from 0; `raw`, the row as JSON text where it was set
    aside.
    """
    return pa.schema(
        [
            ("sequence_id", pa.int64()),
            ("tokens", pa.list_(pa.int32())),
            ("text", pa.string()),
            *((column.name, column.type) for column in source.columns),
            ("input_order", pa.int64()),
            ("reason", pa.string()),
            ("detail", pa.string()),
            ("source", pa.string()),
            ("row", pa.int64()),
            ("raw", pa.string()),
        ]
    )


def prepare(
    batch: pa.RecordBatch,
    source: Source,
    shard: Shard,
    tokenizer: PreTrainedTokenizerBase,
    *,
    prefix_tokens: int,
    suffix_tokens: int,
    vocab_size: int,
) -> pa.RecordBatch:
    """Turns one batch of `read_shard` into sequences and rows set aside.

    Args:
        batch: N rows with the columns of the shard and those of the reader.
        source: Roles and metadata columns; its shards are not used.
        shard: Where the batch comes from.
        tokenizer: The model's.
        prefix_tokens: P.
        suffix_tokens: S.
        vocab_size: V of the model; ids are 0..V-1.

    Returns:
        N rows of `output_schema(source)`, in the same order.
    """
    rows = batch.num_rows
    verdicts = _Verdicts(batch)
    ids = _sequence_ids(batch, source, shard, verdicts)
    metadata = [_metadata(batch, column.file_column, column.type, verdicts) for column in source.columns]
    matrix = _windows(batch, source, tokenizer, prefix_tokens, suffix_tokens, verdicts)

    out = np.flatnonzero(((matrix < 0) | (matrix >= vocab_size)).any(axis=1) & verdicts.accepted)
    for row in out:
        position = int(np.flatnonzero((matrix[row] < 0) | (matrix[row] >= vocab_size))[0])
        found = f"token {matrix[row, position]} at position {position}; the model's vocabulary has {vocab_size}"
        verdicts.reject([row], OUT_OF_VOCABULARY, found)

    accepted = verdicts.accepted
    kept = matrix[accepted].astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(accepted * matrix.shape[1])])
    tokens = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(kept.ravel(), pa.int32()), mask=pa.array(~accepted)
    )
    decoded = tokenizer.batch_decode(kept.tolist(), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    text = np.full(rows, None, object)
    text[accepted] = decoded
    numbers = batch.column(ROW)
    order = pc.add(numbers, shard.file_index << ROW_BITS)
    columns = [ids, tokens, pa.array(text, pa.string()), *metadata, order]
    columns += [
        verdicts.reasons(),
        verdicts.details(),
        pa.repeat(shard.file_name, rows),
        numbers,
        verdicts.raw(),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=output_schema(source))


class _Verdicts:
    """Why each row of a batch is set aside; the first reason stays."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self._reasons: list[str | None] = batch.column(REASON).to_pylist()
        self._details: list[str | None] = batch.column(DETAIL).to_pylist()

    @property
    def accepted(self) -> np.ndarray:
        """bool [N]."""
        return np.fromiter((reason is None for reason in self._reasons), bool, len(self._reasons))

    def reject(self, rows: Iterable[int], reason: str, detail: str | Callable[[int], str]) -> None:
        """Sets rows aside that have not been yet."""
        for row in rows:
            if self._reasons[row] is None:
                self._reasons[row] = reason
                self._details[row] = detail if isinstance(detail, str) else detail(int(row))

    def reasons(self) -> pa.Array:
        return pa.array(self._reasons, pa.string())

    def details(self) -> pa.Array:
        return pa.array(self._details, pa.string())

    def raw(self) -> pa.Array:
        """The rows set aside as JSON text, ASCII only, so that nothing in them can be invalid Unicode."""
        texts: list[str | None] = self._batch.column(RAW).to_pylist()
        names = [name for name in self._batch.schema.names if name not in (ROW, REASON, DETAIL, RAW)]
        for row, reason in enumerate(self._reasons):
            if reason is not None and texts[row] is None:
                values = {name: plain_value(self._batch.column(name)[row]) for name in names}
                texts[row] = json.dumps(values, default=str)
        return pa.array(texts, pa.string())


def _sequence_ids(batch: pa.RecordBatch, source: Source, shard: Shard, verdicts: _Verdicts) -> pa.Array:
    """The id column, else the row's number over the input; `input_order` where files before are uncounted."""
    if source.roles.id is None:
        if shard.first_row is None:
            return pc.add(batch.column(ROW), shard.file_index << ROW_BITS)
        return pc.add(batch.column(ROW), shard.first_row - shard.row)
    name = source.roles.id
    column = batch.column(name)
    ids, wrong = integer_column(column)
    verdicts.reject(wrong, WRONG_TYPE, f"column {name!r}: not an integer of 64 bits")
    verdicts.reject(_nonzero(pc.is_null(ids)), NO_ID, f"column {name!r} is empty")
    negative = _nonzero(pc.less(ids, 0))
    verdicts.reject(negative, NEGATIVE_ID, lambda row: f"column {name!r}: found {ids[row]}")
    return ids


def _metadata(batch: pa.RecordBatch, name: str, dtype: pa.DataType, verdicts: _Verdicts) -> pa.Array:
    """A column kept beside the tokens; a value that its type cannot hold sets the row aside."""
    column = batch.column(name)
    bad = invalid_text(column)
    verdicts.reject(bad, MALFORMED, f"column {name!r}: not valid UTF-8")
    if bad:
        column = pa.array([None if row in bad else column[row].as_py() for row in range(len(column))], column.type)
    stored, wrong = storage_column(column, dtype, known=name in TYPED_METADATA)
    verdicts.reject(wrong, WRONG_TYPE, f"column {name!r}: expected {dtype}")
    return stored


def _windows(
    batch: pa.RecordBatch,
    source: Source,
    tokenizer: PreTrainedTokenizerBase,
    prefix_tokens: int,
    suffix_tokens: int,
    verdicts: _Verdicts,
) -> np.ndarray:
    """int64 [N, P + S]: what each row gives to the model; rows set aside are zero."""
    roles = source.roles

    def lists(*names: str) -> TokenLists:
        if pa.types.is_nested(batch.schema.field(names[-1]).type) or roles.tokens is not None:
            parts = [_given_tokens(batch.column(name), name, verdicts) for name in names]
            verdicts.reject(_nonzero(pc.is_null(parts[-1])), NO_TOKENS, f"column {names[-1]!r} is empty")
            return TokenLists.joined(parts)
        return _tokenized([batch.column(name) for name in names], names, tokenizer, verdicts)

    if roles.prefix is None or roles.suffix is None:
        needed = prefix_tokens + suffix_tokens
        whole = lists(roles.tokens or roles.text)
        verdicts.reject(
            np.flatnonzero(whole.lengths < needed),
            TOO_SHORT,
            lambda row: f"found {whole.lengths[row]} tokens, needs {prefix_tokens} + {suffix_tokens} = {needed}",
        )
        return _checked(*whole.first(needed), verdicts)
    before = (roles.pre_prefix,) if roles.pre_prefix else ()
    sides = []
    for side, needed, part in (
        ("prefix", prefix_tokens, lists(*before, roles.prefix)),
        ("suffix", suffix_tokens, lists(roles.suffix)),
    ):
        verdicts.reject(
            np.flatnonzero(part.lengths < needed),
            TOO_SHORT,
            lambda row, part=part, side=side, needed=needed: (
                f"found {part.lengths[row]} tokens in the {side}, needs {needed}"
            ),
        )
        sides.append(part.last(needed) if side == "prefix" else part.first(needed))
    values = np.concatenate([side[0] for side in sides], axis=1)
    nulls = np.concatenate([side[1] for side in sides], axis=1)
    return _checked(values, nulls, verdicts)


def _checked(values: np.ndarray, nulls: np.ndarray, verdicts: _Verdicts) -> np.ndarray:
    rows = np.flatnonzero(nulls.any(axis=1))
    verdicts.reject(rows, NO_TOKENS, lambda row: f"no token at position {int(np.argmax(nulls[row]))}")
    return values


def _given_tokens(column: pa.Array, name: str, verdicts: _Verdicts) -> pa.LargeListArray:
    lists, wrong = token_lists(column)
    verdicts.reject(wrong, WRONG_TYPE, f"column {name!r}: expected a list of integers of 64 bits")
    return lists


def _tokenized(
    columns: Sequence[pa.Array], names: Sequence[str], tokenizer: PreTrainedTokenizerBase, verdicts: _Verdicts
) -> TokenLists:
    """Tokenizes the columns' text, joined row by row. Only the last column must be there."""
    parts: list[list[str | None]] = []
    for column, name in zip(columns, names, strict=True):
        bad = invalid_text(column)
        verdicts.reject(bad, MALFORMED, f"column {name!r}: not valid UTF-8")
        parts.append(text_values(column, bad))
    verdicts.reject(
        [row for row, text in enumerate(parts[-1]) if text is None], NO_TEXT, f"column {names[-1]!r} is empty"
    )
    rows = np.flatnonzero(verdicts.accepted)
    texts = ["".join(part[row] or "" for part in parts) for row in rows]
    ids: list[list[int] | None] = [None] * len(parts[-1])
    if texts:
        encoded: Any = tokenizer(
            texts,
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        for row, tokens in zip(rows, encoded["input_ids"], strict=True):
            ids[row] = tokens
    return TokenLists(pa.array(ids, pa.large_list(pa.int64())))


def _nonzero(mask: pa.BooleanArray) -> np.ndarray:
    return np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))
