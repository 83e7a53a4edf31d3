"""What a Python worker keeps between tasks: the model and the tokenizer, loaded once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark import TaskContext

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ArrowFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def settled(run: ArrowFunction) -> ArrowFunction:
    """A function for `mapInArrow` whose tasks hide what they imported and loaded from Python's garbage collector.

    PySpark collects garbage after every task, and torch, transformers and pandas come with so many objects that a
    collection takes up to a quarter of a second.
    """

    @wraps(run)
    def whole(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from run(batches)
        _hide_imports()

    return whole


_hidden_modules = 0


def _hide_imports() -> None:
    global _hidden_modules
    if len(sys.modules) > _hidden_modules:
        gc.collect()
        gc.freeze()
        _hidden_modules = len(sys.modules)


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def task_device(device: str) -> str:
    """The device for the task that is running: the GPU that Spark assigned to it, where it assigns any.

    Args:
        device: What was asked for. `auto` and `cuda` leave it open which GPU; `cpu` and `cuda:1` do not, and stay.

    Raises:
        ModelError: The assigned address is no number; torch counts GPUs from 0.
    """
    from metrics.model_errors import ModelError

    context = TaskContext.get()
    assigned = context.resources().get("gpu") if context else None
    if assigned is None or device not in ("auto", "cuda"):
        return device
    address = assigned.addresses[0]
    if not address.isdecimal():
        raise ModelError(
            f"Spark assigned the GPU {address!r}: expected a number, as nvidia-smi --query-gpu=index prints it; "
            "correct the discovery script"
        )
    return f"cuda:{address}"


def model(name: str, revision: str | None, dtype: str, device: str) -> PreTrainedModel:
    """The model on the device of this task, loaded at the first call in this process.

    CPU workers use one thread each.
    """
    return _model(name, revision, dtype, task_device(device))


@lru_cache(maxsize=1)
def _model(name: str, revision: str | None, dtype: str, device: str) -> PreTrainedModel:
    import torch

    from metrics.file_embedding import read_embedding_from_file
    from metrics.loading import load_model
    from metrics.memory import give_back, keep_freed, unwritten_maps
    from metrics.packed_linear import pack_linears

    _quiet()
    keep_freed()
    torch.set_num_threads(1)
    loaded = load_model(name, revision, dtype, device)
    mapped = [weight.data_ptr() for weight in loaded.parameters()]
    if pack_linears(loaded):
        files = unwritten_maps(mapped)
        read_embedding_from_file(loaded, files)
        give_back(files)
    return loaded


@lru_cache(maxsize=1)
def tokenizer(name: str, revision: str | None) -> PreTrainedTokenizerBase:
    """The tokenizer, loaded at the first call in this process."""
    from metrics.loading import load_tokenizer

    _quiet()
    return load_tokenizer(name, revision)


def decoder(name: str, revision: str | None) -> Callable[[Sequence[Sequence[int]]], list[str]]:
    """A function from token lists to texts: special tokens kept, spaces untouched."""
    loaded = tokenizer(name, revision)
    if loaded.is_fast:  # without the wrapper's work on each row: a third less time
        backend = loaded.backend_tokenizer
        return lambda rows: backend.decode_batch(rows, skip_special_tokens=False)
    return lambda rows: loaded.batch_decode(rows, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def together(
    batches: Iterator[pa.RecordBatch], rows: int = 16_384, most_bytes: int = 2**24
) -> Iterator[pa.RecordBatch]:
    """The same rows in fewer batches, none of which is empty.

    Args:
        batches: As Spark hands them over.
        rows: Enough for a batch.
        most_bytes: So is this much.
    """
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows:
            held.append(batch)
        if sum(one.num_rows for one in held) >= rows or sum(one.nbytes for one in held) >= most_bytes:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


# Between Arrow and NumPy without pandas: most of pyarrow's own ways import it, for which a worker that scores has no
# other use.


def matrix(column: pa.Array | pa.ChunkedArray, rows: int) -> np.ndarray:
    """A list column whose lists have one length, as an array [rows, length] that may not be written to.

    Nulls are NaN, which only floating-point numbers have.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values = column.flatten()
    if values.null_count:
        values = values.fill_null(float("nan"))
    return np.from_dlpack(values).reshape(rows, -1)


def flags(column: pa.Array) -> np.ndarray:
    """A column of truth values without nulls, as bool [rows]."""
    return np.from_dlpack(column.cast(pa.uint8())).astype(bool)


def numbers(array: np.ndarray) -> pa.Array:
    """An array [N] of numbers as a column; NaN is null."""
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), bool)
    return _column(array, pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None)


def lists(array: np.ndarray) -> pa.Array:
    """An array [N, L] of numbers or truth values as a list column of N lists."""
    rows, length = array.shape
    ends = np.arange(rows + 1, dtype=np.int32) * np.int32(length)
    return pa.ListArray.from_arrays(_column(ends), _column(array.reshape(-1)))


def _column(array: np.ndarray, valid: pa.Buffer | None = None) -> pa.Array:
    bits = np.packbits(array, bitorder="little") if array.dtype == bool else np.ascontiguousarray(array)
    return pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [valid, pa.py_buffer(bits)])
