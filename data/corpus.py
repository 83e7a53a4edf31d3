"""The tokenized training corpus in pieces that workers read on their own: tables of token lists, or token files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import megatron
from data.errors import InputError, did_you_mean
from data.files import open_shards, read_shard
from data.source import Shard, is_token_list

PIECE_BYTES = 32 * 2**20  # of a token file; what one worker reads at a time
_BLOCK_TOKENS = 2**22  # handed over together, at least a document
_NO_TOKEN = -1
_COLUMN = "tokens"


@dataclass(frozen=True)
class TokenRange:
    """The sequences of a token file that begin in some of its bytes.

    Attributes:
        bin_file, idx_file: The pair, see `data.megatron`.
        start, stop: Bytes of `bin_file`.
    """

    bin_file: str
    idx_file: str
    start: int
    stop: int


Piece = Shard | TokenRange


def open_corpus(spec: str | Path, piece_bytes: int = PIECE_BYTES) -> tuple[Piece, ...]:
    """The pieces of a corpus, none of them read yet.

    Args:
        spec: Parquet or npy with a column `tokens` (one row a training window or document), a folder of such files; or
            `name.bin` and `name.idx` (or `name`) of Megatron-LM or GPT-NeoX.
        piece_bytes: Bytes of a token file that make a piece.

    Raises:
        InputError: It is not there, cannot be read, or is nothing of the kind.
    """
    files = corpus_files(spec)
    if len(files) == 2:
        bin_file, idx_file = (file.absolute() for file in files)
        megatron.open_tokens(bin_file, idx_file)
        size = bin_file.stat().st_size
        return tuple(
            TokenRange(str(bin_file), str(idx_file), start, min(start + piece_bytes, size))
            for start in range(0, size, piece_bytes)
        )
    shards = open_shards(spec)
    schema = shards[0].schema
    if shards[0].kind not in ("parquet", "npy") or _COLUMN not in schema.names:
        raise InputError(
            f"--corpus {spec}: expected parquet or npy with a column `{_COLUMN}`, one row a training window, or a pair "
            f"of token files (name.bin and name.idx); found {shards[0].kind}. {did_you_mean(_COLUMN, schema.names)}"
        )
    field = schema.field(_COLUMN)
    if not is_token_list(field.type):
        raise InputError(f"--corpus {spec}: column `{_COLUMN}` is {field.type}; expected lists of token ids.")
    return tuple(replace(shard, schema=pa.schema([shard.schema.field(_COLUMN)])) for shard in shards)


def corpus_files(spec: str | Path) -> tuple[Path, ...]:
    """What `spec` names: a file, a folder, or both files of a pair."""
    path = Path(spec).expanduser()
    return (path,) if path.is_dir() else megatron.pair(path) or (path,)


def read_corpus(piece: Piece) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The piece's documents, some at a time.

    Yields:
        int [C], the tokens of D documents one after the other, -1 for a missing one; int64 [D], where each ends.

    Raises:
        InputError: The file has become unreadable.
    """
    yield from _read_range(piece) if isinstance(piece, TokenRange) else _read_table(piece)


def _read_range(piece: TokenRange) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    file = megatron.open_tokens(Path(piece.bin_file), Path(piece.idx_file))
    first, last = file.sequences_in(piece.start, piece.stop)
    while first < last:
        ends = np.cumsum(file.sizes[first : min(last, first + _BLOCK_TOKENS)], dtype=np.int64)
        count = max(1, int(np.searchsorted(ends, _BLOCK_TOKENS, side="right")))
        begin, last_begin = (int(file.pointers[at]) // file.tokens.itemsize for at in (first, first + count - 1))
        if last_begin + int(file.sizes[first + count - 1]) != begin + int(ends[count - 1]):
            raise InputError(f"{piece.idx_file}: sequences {first} to {first + count - 1} do not follow one another.")
        yield file.tokens[begin : begin + int(ends[count - 1])], ends[:count]
        first += count


def _read_table(shard: Shard) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for batch in read_shard(shard):
        rows = batch.column(_COLUMN).drop_null()
        sizes = pc.list_value_length(rows).to_numpy(zero_copy_only=False)
        tokens = pc.list_flatten(rows)
        if pa.types.is_unsigned_integer(tokens.type):  # has no -1
            tokens = tokens.cast(pa.int32() if tokens.type.bit_width < 32 else pa.int64(), safe=False)
        tokens = tokens.fill_null(_NO_TOKEN).to_numpy(zero_copy_only=False)
        if tokens.dtype.kind == "f":
            tokens = tokens.astype(np.int64)
        yield tokens, np.cumsum(sizes, dtype=np.int64)
