"""An input embedding that reads the rows it needs from the model's file, where a worker would come to hold all of them.

safetensors maps the file, and Linux maps 16 pages (or many more) around each row that is looked up: those of a few
hundred tokens are nearly all of the table, which then is as much a part of the process's memory as if it had been
copied: 100 MB of the Pythia of 70 million parameters.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from metrics.memory import FileMap

# Tables of fewer bytes stay: passes of small models are short, and reading would be more of them.
_LEAST = 2**26


class FileEmbedding(nn.Module):
    """In place of an `nn.Embedding`, for inference on a CPU."""

    def __init__(self, weight: nn.Parameter, path: Path, offset: int) -> None:
        """Opens the file.

        Args:
            weight: [V, width], contiguous.
            path: Where its rows are stored, one after the other.
            offset: From this byte on.

        Raises:
            OSError: There is no such file, or it can't be read.
            ValueError: Other rows are stored there.
        """
        super().__init__()
        self.weight = weight
        self._path, self._offset = path, offset
        self._file = path.open("rb", buffering=0)
        some = torch.tensor([0, len(weight) // 2, len(weight) - 1])
        if not torch.equal(self(some).view(torch.uint8), weight[some].view(torch.uint8)):
            raise ValueError(f"the weights at byte {offset} of {path} are others than those in memory")

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
                raise OSError(f"{self._path} has become shorter since the model was loaded from it")
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
    table = embedding.weight
    if type(embedding) is not nn.Embedding or embedding.max_norm is not None or table.nbytes < _LEAST:
        return False
    owners = sum(weight is table for module in model.modules() for weight in module.parameters(recurse=False))
    if owners > 1 or not table.is_contiguous():
        return False
    for one in maps:
        if table.data_ptr() in one.addresses and table.data_ptr() + table.nbytes - 1 in one.addresses:
            offset = one.offset + table.data_ptr() - one.addresses.start
            try:
                model.set_input_embeddings(FileEmbedding(table, one.path, offset))
            except (OSError, ValueError):  # deleted or replaced since
                return False
            return True
    return False
