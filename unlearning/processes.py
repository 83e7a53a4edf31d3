"""One process among several that unlearn together: its device, its share of a batch, sums and mean gradients.

Started by hand there is one process, on the device it is told (`auto` is the GPU if there is one). Started as several,
each process holds the whole model and

* takes `cuda:i`, i being its number on its machine, where there are GPUs and `auto` or `cuda` is asked for (over NCCL):
  `accelerate launch --multi_gpu --num_processes 4 -m unlearning ...`;
* takes the CPU where there are none or where `cpu` is asked for (over gloo): `torchrun --standalone --nproc-per-node 4
  -m unlearning --device cpu ...`, since `accelerate launch --cpu` starts several processes through MPI only.

One GPU by its number, such as `cuda:1`, is refused for several processes, and so are launches that would split the
model (FSDP, DeepSpeed).
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence

import torch
from accelerate import Accelerator
from accelerate.state import PartialState, is_initialized
from accelerate.utils import DistributedType
from torch import Tensor
from torch.nn import Parameter

from metrics.loading import resolve_device
from unlearning.method import UnlearningError

_WHOLE_MODELS = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)


class Processes:
    """This process and the others.

    Attributes:
        accelerator: What accelerate knows of this process.
        rank: Its number; the main one is 0.
        world: How many there are.
        device: Where it computes, as `metrics.loading` takes it.
    """

    def __init__(self, device: str = "auto") -> None:
        """Asks accelerate how this process was started.

        Raises:
            ModelError: No such device.
            UnlearningError: A device or a way of launching that does not fit several processes.
        """
        self.device = resolve_device(device)
        on_cpu = self.device == "cpu"
        if on_cpu and is_initialized() and PartialState().num_processes == 1:
            on_cpu = False  # what accelerate was set up for before stays; a process alone does not ask it for a device
        self.accelerator = Accelerator(cpu=on_cpu)
        if self.accelerator.distributed_type not in _WHOLE_MODELS:
            raise UnlearningError(
                f"accelerate is set up for {self.accelerator.distributed_type.value}: here every process holds the "
                "whole model. Type accelerate launch --multi_gpu --num_processes N, or torchrun --nproc-per-node N"
            )
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        if self.world > 1:
            atexit.unregister(_leave_group)  # once, however many ask
            atexit.register(_leave_group)
            self.device = self._among_others(device)

    def _among_others(self, device: str) -> str:
        if device not in ("auto", "cpu", "cuda"):
            raise UnlearningError(
                f"--device {device} names one device for {self.world} processes: type --device auto, cpu or cuda, and "
                "choose the GPUs with CUDA_VISIBLE_DEVICES"
            )
        found = self.accelerator.device
        if device == "cuda" and found.type != "cuda":
            raise UnlearningError(f"--device cuda, but this was launched for {found}: launch it without --cpu")
        return str(found)

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch that every process has: rows rank, rank + world, ...; maybe none."""
        return rows[self.rank :: self.world]

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, the same on each to the bit; every process has to call it."""
        if self.world == 1:
            return value
        return self.accelerator.reduce(value.detach().to(self.accelerator.device), "sum").to(value.device)

    def gather(self, values: Tensor) -> Tensor:
        """Everybody's values [n], by rank: [world, n], on the CPU; every process has to call it."""
        if self.world == 1:
            return values.cpu()[None]
        return self.accelerator.gather(values.to(self.accelerator.device)[None]).cpu()

    def average_gradients(self, parameters: Sequence[Parameter]) -> None:
        """Replaces every gradient by its mean over the processes, in one exchange.

        The mean is the gradient that one process would have had with the whole batch where each process's loss is the
        sum over its rows, divided by the whole batch's count, times `world`. For a mean over rows that is the plain
        mean, as long as all shares are equally large. A process without a gradient counts as 0; a parameter that has
        none on any process keeps none, so that optimizers pass over it as they do in one process.

        Args:
            parameters: The same on every process, in the same order; float32.
        """
        if self.world == 1:
            return
        grads = [weight.grad for weight in parameters]
        has_one = torch.tensor([float(grad is not None) for grad in grads], device=parameters[0].device)
        flat = [(torch.zeros_like(w) if g is None else g).flatten() for w, g in zip(parameters, grads, strict=True)]
        bucket = self.total(torch.cat([has_one, *flat]))
        has_one, bucket = bucket[: len(parameters)] > 0, bucket[len(parameters) :] / self.world
        means = bucket.split([weight.numel() for weight in parameters])
        for weight, mean, wanted in zip(parameters, means, has_one.tolist(), strict=True):
            weight.grad = mean.view_as(weight) if wanted else None

    def on_main(self, action: Callable[[], None]) -> None:
        """Does something on the main process, while the others wait; every process has to call it.

        Raises:
            Exception: What went wrong on the main process, there.
            SystemExit: On the others, so that none of them waits for the main process in vain.
        """
        error: Exception | None = None
        if self.rank == 0:
            try:
                action()
            except Exception as caught:
                error = caught
        failed = self.total(torch.tensor(float(error is not None)))
        if error is not None:
            raise error
        if failed:
            raise SystemExit(1)


def _leave_group() -> None:
    """Ends the threads that exchange tensors; where they outlive Python, a process that did its work ends by abort."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
