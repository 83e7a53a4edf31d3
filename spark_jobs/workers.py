"""What a Python worker keeps between tasks: the model and the tokenizer, loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


@lru_cache(maxsize=1)
def model(name: str, revision: str | None, dtype: str, device: str) -> PreTrainedModel:
    """The model, loaded at the first call in this process. CPU workers use one thread each."""
    import torch

    from metrics.loading import load_model

    _quiet()
    torch.set_num_threads(1)
    return load_model(name, revision, dtype, device)


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


def matrix(column: pa.Array | pa.ChunkedArray, rows: int) -> np.ndarray:
    """A list column whose lists have one length, as an array [rows, length]."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.flatten().to_numpy(zero_copy_only=False).reshape(rows, -1)


def lists(array: np.ndarray) -> pa.Array:
    """An array [N, L] as a list column of N lists."""
    rows, length = array.shape
    offsets = pa.array(
        np.arange(0, (rows + 1) * length, length, dtype=np.int32) if length else np.zeros(rows + 1, np.int32)
    )
    return pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(array).reshape(-1)))
