"""Where an interrupted unlearning goes on from: weights, the method's `State`, random state and counters on disk.

Each save is a folder of its own, `state/000012` after iteration 12, with safetensors and JSON and no pickle in it. It
gets its name once everything in it is on the disk, and only then older ones are removed: whatever happens while one is
written, the one before is whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor
from torch.optim import Optimizer

from unlearning.disk import DiskError, write_folder, write_json, writing
from unlearning.method import State, UnlearningError

__all__ = [
    "DiskError",
    "Saved",
    "clear",
    "generator_from",
    "generator_tensor",
    "latest",
    "load",
    "load_optimizer",
    "optimizer_tensors",
    "save",
]

FORMAT = 1


@dataclass(frozen=True)
class Saved:
    """A point that training can go on from.

    Attributes:
        iteration: How many iterations were finished.
        weights: The policy's trained weights by name.
        state: What the method handed over.
        random: uint8 [world, n] by kind of device, torch's global generators of every process.
        counters: What the loop itself remembers, as JSON holds it.
    """

    iteration: int
    weights: Mapping[str, Tensor]
    state: State
    random: Mapping[str, Tensor]
    counters: Mapping[str, Any]


def save(folder: Path, saved: Saved) -> None:
    """Writes a save into `folder` and removes older ones once it is whole.

    Raises:
        DiskError: The disk does not take it; the save before stays.
        ValueError: A value that JSON does not hold.
    """
    target = _place(folder, saved.iteration)
    before = latest(folder)
    kept = (
        f"The state after iteration {before} stays in {_place(folder, before)}; --resume goes on from it."
        if before
        else ""
    )
    parts = {"weights": saved.weights, "method": saved.state.tensors, "random": saved.random}

    def fill(fresh: Path) -> None:
        for name, tensors in parts.items():
            # Copied, since safetensors refuses tensors that share memory, as views of one buffer do.
            copies = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in tensors.items()}
            save_file(copies, fresh / f"{name}.safetensors")
        values = {"format": FORMAT, "iteration": saved.iteration, "values": dict(saved.state.values)}
        write_json(fresh / "state.json", values | {"counters": dict(saved.counters)})

    with writing(f"the state after iteration {saved.iteration}", target, kept):
        write_folder(target, fill)
    for other in folder.iterdir():  # older ones, and what a process was writing when it was killed
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def latest(folder: Path) -> int:
    """The iteration of the newest save in `folder`; 0 where there is none."""
    return max((int(path.name) for path in _saves(folder)), default=0)


def load(folder: Path) -> Saved | None:
    """The newest save in `folder`, or None.

    Raises:
        UnlearningError: It can't be read.
    """
    iteration = latest(folder)
    if not iteration:
        return None
    place = _place(folder, iteration)
    try:
        values = json.loads((place / "state.json").read_text(encoding="utf-8"))
        parts = {name: load_file(place / f"{name}.safetensors") for name in ("weights", "method", "random")}
    except Exception as error:
        raise UnlearningError(
            f"the saved state {place} can't be read ({type(error).__name__}); start anew without --resume"
        ) from error
    if values.get("format") != FORMAT:
        raise UnlearningError(
            f"the saved state {place} has format {values.get('format')!r}, this version reads {FORMAT}; start anew "
            "without --resume"
        )
    state = State(parts["method"], values["values"])
    return Saved(iteration, parts["weights"], state, parts["random"], values["counters"])


def clear(folder: Path) -> None:
    """Removes every save."""
    shutil.rmtree(folder, ignore_errors=True)


def _place(folder: Path, iteration: int) -> Path:
    return folder / f"{iteration:06d}"


def _saves(folder: Path) -> list[Path]:
    return [path for path in folder.glob("[0-9]*") if path.name.isdecimal()] if folder.is_dir() else []


def optimizer_tensors(optimizer: Optimizer, prefix: str = "optimizer") -> dict[str, Tensor]:
    """What an optimizer remembers, as tensors for `State.tensors`; views of its own, valid until its next step.

    Args:
        optimizer: Any whose state is numbers and tensors, such as Adam.
        prefix: Begins every name; one an optimizer.

    Returns:
        `<prefix>.<parameter>.<name>`, such as `optimizer.0.exp_avg`, and `<prefix>.lr`, float64 [groups]. Everything
        else (betas, weight decay) is taken from the optimizer that `load_optimizer` fills.
    """
    state = optimizer.state_dict()
    tensors = {
        f"{prefix}.{number}.{name}": torch.as_tensor(value)
        for number, entry in state["state"].items()
        for name, value in entry.items()
    }
    rates = [float(group["lr"]) for group in state["param_groups"]]
    return tensors | {f"{prefix}.lr": torch.tensor(rates, dtype=torch.float64)}


def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], prefix: str = "optimizer") -> None:
    """Gives an optimizer what `optimizer_tensors` took from another one over the same parameters.

    Raises:
        UnlearningError: It was taken from an optimizer with other groups.
    """
    rates = tensors.get(f"{prefix}.lr")
    groups = optimizer.state_dict()["param_groups"]
    if rates is None or len(rates) != len(groups):
        raise UnlearningError(
            f"the saved state has {0 if rates is None else len(rates)} groups of parameters for {prefix}, expected "
            f"{len(groups)}: it is of another method; start anew without --resume"
        )
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        parts = name.removeprefix(f"{prefix}.").split(".")
        if name.startswith(f"{prefix}.") and len(parts) == 2:
            entries.setdefault(int(parts[0]), {})[parts[1]] = tensor.clone()
    for group, rate in zip(groups, rates.tolist(), strict=True):
        group["lr"] = rate
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def generator_tensor(generator: Generator | None = None) -> Tensor:
    """The state of a generator, or of torch's global one on the CPU: uint8 [n]."""
    return torch.get_rng_state() if generator is None else generator.get_state()


def generator_from(tensor: Tensor, generator: Generator | None = None) -> None:
    """Puts back what `generator_tensor` gave."""
    tensor = tensor.clone()  # torch reads it from the beginning of its storage, wherever a view of it begins
    if generator is None:
        torch.set_rng_state(tensor)
    else:
        generator.set_state(tensor)
