"""What `test_parallel.py` has one process do, and several, to see that they end up with the same."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from unlearning import state as saves
from unlearning.evaluation import forgetting, recitation
from unlearning.method import State, Task, UnlearningError
from unlearning.policy import Policy
from unlearning.processes import Processes
from unlearning.training import TrainingFolder

PREFIX = 8


def model() -> GPTNeoXForCausalLM:
    """The same every time."""
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=32,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    return GPTNeoXForCausalLM(config)


def rows() -> Tensor:
    """int64 [7, 20]: no number of processes gets equal shares of them."""
    return torch.randint(0, 32, (7, 20), generator=torch.Generator().manual_seed(1))


def steps(policy: Policy, count: int, noise: float = 0.0) -> dict[str, Tensor]:
    """Steps of Adam on a toy loss over all rows, with two parameters outside the model; returns the last gradients."""
    batch = rows()
    # One is used by a single row, and so by a single process; the other by none.
    single, unused = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
    # With its usual epsilon Adam makes full steps of gradients that are rounding errors, as a key bias has.
    optimizer = torch.optim.Adam([*policy.trainable(), single, unused], lr=1e-2, eps=1e-4)
    own, numbers = policy.share(batch), policy.share(torch.arange(len(batch)))
    for _ in range(count):
        logprob = policy.logits(own, PREFIX).log_softmax(-1).gather(-1, own[:, PREFIX:, None])[..., 0]
        loss = -(logprob * (1 + 0.1 * numbers[:, None])).sum()
        if 1 in numbers:
            loss = loss + (single**2).sum()
        mean = policy.world * loss / (len(batch) * logprob.shape[1])
        optimizer.zero_grad()
        mean.backward()
        for weight in policy.trainable():
            weight.grad += noise * torch.randn_like(weight)
        policy.average_gradients([single, unused])
        optimizer.step()
    assert unused.grad is None
    return {f"grad {name}": w.grad for name, w in policy.model.named_parameters() if w.requires_grad} | {
        "grad single": single.grad,
        "single": single.detach(),
    }


def compute(lora: bool) -> dict[str, Tensor]:
    """Everything that must not depend on the number of processes."""
    policy = Policy(model(), lora=lora)
    found = steps(policy, 3) | policy.weights()
    seen = [*recitation(policy, rows(), PREFIX, (0,)), *forgetting(policy, rows(), PREFIX, (0,))]
    return found | {"figures": torch.tensor(seen), "total": policy.total(policy.share(torch.arange(7)).sum())}


def follow(folder: Path, interrupt: bool, resume: bool) -> TrainingFolder:
    """A training of four iterations with noise from torch's global generator, which differs between processes."""
    policy = Policy(model())
    task = Task(rows(), rows()[:3], rows()[:0], rows()[:0], PREFIX, None, (0,), 0)  # nobody decodes
    torch.manual_seed(100 + policy.rank + 10 * resume)
    following = TrainingFolder(folder, policy, task, iterations=4, stop="steps", save_every=10, resume=resume)
    with following as training:
        saved = training.resumed
        assert (saved is not None) == resume
        for number in range(training.start + 1, 5):
            steps(policy, 1, noise=0.1)
            if interrupt and number == 2 and policy.rank == 1:
                os.kill(os.getpid(), signal.SIGINT)  # for one process only
            if not training.iteration(number, {"loss": 1.0}, State):
                break
    return training


def check_training(folder: Path) -> None:
    """Interrupts one process and resumes both; the states on disk are compared by the test."""
    follow(folder / "whole", False, False)
    try:
        follow(folder / "pieces", True, False)
    except KeyboardInterrupt:
        assert saves.latest(folder / "pieces" / "state") == 2
    else:
        raise AssertionError("not interrupted")
    training = follow(folder / "pieces", False, True)
    assert (training.start, training.stopped) == (2, "all 4 iterations done")


def check_errors(folder: Path) -> None:
    """What goes wrong on the main process ends the others, too; one device is refused."""
    processes = Processes("cpu")
    try:
        processes.on_main(lambda: (folder / "no" / "such").write_text(""))
    except FileNotFoundError:
        assert processes.rank == 0
    except SystemExit:
        assert processes.rank == 1
    else:
        raise AssertionError("went unnoticed")
    try:
        Processes("cpu:0")
    except UnlearningError as error:
        assert "for 2 processes" in str(error)
    else:
        raise AssertionError("one device for two processes")


def main(folder: Path) -> None:
    """Runs in every process."""
    torch.set_num_threads(1)
    for lora in (False, True):
        found = compute(lora)
        processes = Processes("cpu")
        name = f"{'lora' if lora else 'full'}-{processes.rank}.safetensors"
        save_file({key: value.detach().contiguous() for key, value in found.items()}, folder / name)
    check_training(folder)
    check_errors(folder)
    Processes("cpu").accelerator.wait_for_everyone()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
