"""Linear layers with weights packed for the CPU: the same products in less than half the time.

`torch.nn.functional.linear` in float32 hands its weight to the BLAS as it lies in memory, to be packed anew at every
call, and on AMD processors MKL uses but 256-bit kernels. oneDNN takes the weight packed once and for all. That pays for
the head, which has a large weight beside few rows, and with AVX-512 for every layer; with AVX2 the others are as fast
as they are, or faster (`benchmarks/scoring.py` has both), and stay in the file that all workers map.

How torch itself does it under `torch.compile(..., freezing=True)` is what is called here; the two operators are private
to torch, so they are tried once on this machine, and where they are absent or do not multiply right a model stays as it
is.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

# A head tied to the input embedding can't be packed without a second copy; up to this size it is worth it.
_LARGEST_COPY_BYTES = 2**28


class PackedLinear(nn.Module):
    """A linear layer for inference in float32 on a CPU, in place of an `nn.Linear` or `Conv1D`."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """Packs the weight; the given one is not kept.

        Args:
            weight: float32 [out, in], on a CPU.
            bias: float32 [out], or None.
        """
        super().__init__()
        self.out_features, self.in_features = weight.shape
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
        self.register_buffer("packed", packed, persistent=False)
        self.register_buffer("bias", None if bias is None else bias.detach(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """float32 [..., in] to float32 [..., out]."""
        rows = values.numel() // self.in_features
        taken = _rows_taken(rows)
        if rows == taken:
            return torch.ops.mkldnn._linear_pointwise(values, self.packed, self.bias, "none", [], "")
        padded = torch.nn.functional.pad(values.reshape(rows, -1), (0, 0, 0, taken - rows))
        product = torch.ops.mkldnn._linear_pointwise(padded, self.packed, self.bias, "none", [], "")
        return product[:rows].view(*values.shape[:-1], self.out_features)

    @property
    def weight(self) -> Tensor:
        """float32 [out, in], unpacked anew: for the few models that look at a layer's weight beside calling it."""
        return self.packed.to_dense()

    def extra_repr(self) -> str:
        """What `print(model)` shows of it."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def even_rows(rows: int) -> int:
    """The largest number of rows, up to this one, that packed layers take as it is: four to each power of two."""
    return rows - rows % _step(rows)


def _rows_taken(rows: int) -> int:
    """The next of these numbers.

    oneDNN compiles and keeps a kernel for every number of rows it meets; as rows drop out of a batch it would meet
    all of them, and what is allocated for ever other sizes fragments the memory: hundreds of MB in a long job.
    """
    return -(-rows // _step(rows)) * _step(rows)


def _step(rows: int) -> int:
    return max(4, 1 << max(0, rows.bit_length() - 3))


@cache
def can_pack() -> bool:
    """Whether this torch has the operators, and they multiply on this machine."""
    if not torch.backends.mkldnn.is_available():
        return False
    weight, bias = torch.arange(6.0).view(2, 3), torch.tensor([10.0, 20.0])
    try:
        product = PackedLinear(weight, bias)(torch.tensor([[1.0, 2.0, 3.0]]))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):  # no such operator, or another signature
        return False
    return product.tolist() == [[18.0, 46.0]]


def pack_linears(model: PreTrainedModel, *, body: bool | None = None) -> int:
    """Packs the linear layers of a model for inference, one after the other, so that memory does not double.

    The model can only be run from then on: its packed weights can't be trained, saved or moved.

    Args:
        model: In evaluation mode, without gradients. Nothing happens unless it is float32 on a CPU.
        body: Whether layers beside the head are; None where it pays.

    Returns:
        How many layers were packed.
    """
    if not can_pack():
        return 0
    embedded, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    body = torch.backends.cpu.get_cpu_capability() != "AVX2" if body is None else body
    places = [
        (parent, name)
        for parent in model.modules()
        for name, child in parent.named_children()
        if _is_linear(child) and (body or child is head)
    ]
    packed = 0
    for parent, name in places:
        layer = getattr(parent, name)
        weight = layer.weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32 or weight.requires_grad:
            continue
        if weight is embedded and weight.nbytes > _LARGEST_COPY_BYTES:
            continue
        setattr(parent, name, PackedLinear(weight.T if isinstance(layer, Conv1D) else weight, layer.bias))
        packed += 1
    return packed


def _is_linear(module: nn.Module) -> bool:
    """Whether it is a plain linear layer; subclasses may do more, and are left."""
    return type(module) in (nn.Linear, Conv1D)
