"""How fast a machine multiplies large matrices in float32: the rate that everything else can be held against."""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

from metrics.packed_linear import PackedLinear, can_pack

_SIZES = {"cpu": 2048, "cuda": 8192}


def matrix_rate(device: str, repeats: int = 5) -> float:
    """Operations a second of one large product, a multiplication and an addition counted as two.

    On a CPU by CPU time of one thread, packed or not, whichever is faster; on a GPU by the clock, without TF32.
    """
    kind = torch.device(device).type
    size = _SIZES.get(kind, 2048)
    layer = nn.Linear(size, size, device=device).requires_grad_(False)
    layers = [layer, PackedLinear(layer.weight, layer.bias)] if kind == "cpu" and can_pack() else [layer]
    rows = torch.randn(size, size, device=device)
    clock = time.perf_counter if kind == "cuda" else time.process_time
    medians = []
    for used in layers:
        seconds = []
        with torch.no_grad():
            for _ in range(repeats + 1):
                started = clock()
                used(rows)
                if kind == "cuda":
                    torch.cuda.synchronize(device)
                seconds.append(clock() - started)
        medians.append(statistics.median(seconds[1:]))
    return 2 * size**3 / min(medians)
