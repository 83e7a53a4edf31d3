"""An input embedding that reads the rows it needs from the model's file, where a worker would come to hold all of them.

safetensors maps the file, and Linux maps 16 pages (or many more) around each row that is looked up: those of a few
hundred tokens are nearly all of the table, which then is as much a part of the process's memory as if it had been
copied: 100 MB of the Pythia of 70 million parameters.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from metrics.memory import FileMap

# Tables of fewer bytes stay: passes of small models are short, and reading would be more of them.
_LEAST = 2**26


class FileEmbedding(nn.Module):
    """In place of an `nn.Embedding`, for inference on a CPU."""

    def __init__(self, weight: nn.Parameter, file: BinaryIO, offset: int) -> None:
        """Reads from a file from now on.

        Args:
            weight: [V, width], contiguous.
            file: Where its rows are stored, one after the other.
            offset: From this byte on.
        """
        super().__init__()
        self.weight = weight
        self._file, self._offset = file, offset

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 [...] to [..., width].

        Raises:
            IndexError: A token that has no row.
            OSError: The file has become shorter.
        """
        rows, width = self.weight.shape
        distinct, place = tokens.unique(return_inverse=True)
        if len(distinct) and not 0 <= int(distinct[0]) <= int(distinct[-1]) < rows:
            raise IndexError(f"token ids from {int(distinct[0])} to {int(distinct[-1])}, of {rows} rows")
        found = self.weight.new_empty(len(distinct), width)
        for token, row in zip(distinct.tolist(), found.view(torch.uint8).numpy(), strict=True):
            if os.preadv(self._file.fileno(), [row], self._offset + token * row.nbytes) != row.nbytes:
                raise OSError(f"{self._file.name} has become shorter since the model was loaded from it")
        return found[place]


def read_embedding_from_file(model: PreTrainedModel, maps: Sequence[FileMap]) -> bool:
    """Puts a `FileEmbedding` in place of the input embedding, where that is large and its table is nobody else's.

    Args:
        model: Without gradients, on a CPU.
        maps: Of the model's files, to which nothing was written.

    Returns:
        Whether it did.
    """
    embedding = model.get_input_embeddings()
    if type(embedding) is not nn.Embedding or embedding.max_norm is not None or embedding.weight.nbytes < _LEAST:
        return False
    table = embedding.weight
    owners = sum(weight is table for module in model.modules() for weight in module.parameters(recurse=False))
    first, last = table.data_ptr(), table.data_ptr() + table.nbytes - 1
    its_map = next((one for one in maps if first in one.addresses and last in one.addresses), None)
    if owners > 1 or not table.is_contiguous() or its_map is None:
        return False
    try:
        file = its_map.path.open("rb", buffering=0)
    except OSError:  # deleted since
        return False
    own = FileEmbedding(table, file, its_map.offset + first - its_map.addresses.start)
    some = torch.tensor([0, len(table) // 2, len(table) - 1])
    try:
        is_same = os.fstat(file.fileno()).st_ino == its_map.inode and torch.equal(own(some), table[some])
        if is_same:
            model.set_input_embeddings(own)
    except (OSError, AttributeError, NotImplementedError):  # shorter; or a model that lets nobody replace it
        is_same = False
    if not is_same:
        file.close()
    return is_same
