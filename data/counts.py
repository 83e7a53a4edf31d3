"""Tables beside the sequences: how often each sequence, and each token id, occurs in the training corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.columns import integer_column
from data.errors import InputError, did_you_mean, shown
from data.files import open_shards, read_shard
from data.source import ROW, Shard

ID_NAMES = ("sequence_id", "Index", "index")
TOKEN_NAMES = ("TokenID", "token_id", "token")
COUNT_NAMES = ("count", "Counts", "counts", "Frequency", "frequency", "duplicates", "copies")


def read_duplicates(path: str | Path) -> pa.Table:
    """How often each sequence occurs in the training corpus.

    Args:
        path: Parquet, jsonl or csv with an id column (`sequence_id`, `Index`) and a count column
            (`count`, `Counts`, `duplicates`, `copies`), or a folder of such files.

    Returns:
        `sequence_id` int64, ascending and unique, and `duplicates` int64, at least 0.

    Raises:
        InputError: Unreadable, missing columns, a value that is no integer, a negative count, an id twice.
    """
    ids, counts = _id_and_count(path, ID_NAMES, "sequence_id")
    order = np.argsort(ids, kind="stable")
    ids, counts = ids[order], counts[order]
    _check_unique(path, ids, "sequence_id")
    return pa.table({"sequence_id": pa.array(ids, pa.int64()), "duplicates": pa.array(counts, pa.int64())})


def read_token_counts(path: str | Path, vocab_size: int) -> np.ndarray:
    """How often each token id occurs in the training corpus.

    Args:
        path: Parquet, jsonl or csv with a token id column (`TokenID`, `token_id`) and a count column
            (`Frequency`, `count`), or a npy array of counts, indexed by token id.
        vocab_size: V of the model.

    Returns:
        int64 [V]; 0 for ids that the table does not have.

    Raises:
        InputError: Unreadable, missing columns, a value that is no integer, a negative count, an id
            twice or not below V.
    """
    if Path(path).suffix == ".npy":
        counts = _count_array(path)
        ids = np.arange(len(counts))
        # Tables are padded as vocabularies are: zeros beyond the vocabulary say nothing.
        said = (ids < vocab_size) | (counts > 0)
        ids, counts = ids[said], counts[said]
    else:
        ids, counts = _id_and_count(path, TOKEN_NAMES, "token id")
    if len(ids) and (ids.min() < 0 or ids.max() >= vocab_size):
        worst = ids.min() if ids.min() < 0 else ids.max()
        raise InputError(
            f"{path}: found token id {worst}, but the model's vocabulary has {vocab_size} "
            f"(ids 0 to {vocab_size - 1}). Is the table of another tokenizer?"
        )
    _check_unique(path, np.sort(ids), "token id")
    total = np.zeros(vocab_size, np.int64)
    total[ids] = counts
    return total


def _count_array(path: str | Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as a npy array ({type(error).__name__}).") from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
        raise InputError(f"{path}: found {found}; expected one integer count per token id.")
    _check_counts(path, array)
    return array.astype(np.int64)


def _id_and_count(path: str | Path, id_names: Sequence[str], what: str) -> tuple[np.ndarray, np.ndarray]:
    """Both columns of a table, int64, in its order."""
    shards = open_shards(path)
    schema = shards[0].schema
    id_name = _column(path, schema, id_names, what)
    count_name = _column(path, schema, COUNT_NAMES, "count")
    ids, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for shard, batch in _batches(shards):
        for name, into in ((id_name, ids), (count_name, counts)):
            values, wrong = integer_column(batch.column(name))
            bad = {*wrong, *np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))}
            if bad:
                raise InputError(
                    f"{shard.file_name}: row {batch.column(ROW)[int(min(bad))]} (from 0) has no integer in "
                    f"column {shown(name)}."
                )
            into.append(values.to_numpy(zero_copy_only=False))
    _check_counts(path, np.concatenate(counts))
    return np.concatenate(ids), np.concatenate(counts)


def _batches(shards: Sequence[Shard]) -> Iterator[tuple[Shard, pa.RecordBatch]]:
    for shard in shards:
        for batch in read_shard(shard):
            yield shard, batch


def _column(path: str | Path, schema: pa.Schema, names: Sequence[str], what: str) -> str:
    found = next((name for name in names if name in schema.names), None)
    if found is None:
        raise InputError(
            f"{path} has no column for the {what}; expected one of {', '.join(names)}. "
            f"{did_you_mean(names[0], schema.names)}"
        )
    return found


def _check_counts(path: str | Path, counts: np.ndarray) -> None:
    if len(counts) == 0:
        raise InputError(f"{path}: found no rows.")
    if counts.min() < 0:
        raise InputError(f"{path}: found a negative count in row {int(counts.argmin())}; counts are 0 or more.")


def _check_unique(path: str | Path, ascending: np.ndarray, what: str) -> None:
    twice = np.flatnonzero(ascending[1:] == ascending[:-1])
    if len(twice):
        raise InputError(f"{path}: {what} {ascending[twice[0]]} appears twice; expected one count for each.")
