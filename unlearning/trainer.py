"""Trains: a plan in, a checkpoint out. Knows neither Spark nor the terminal."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from unlearning import state
from unlearning.checkpoint import write_checkpoint
from unlearning.method import NonFiniteError, Task
from unlearning.plan import Plan
from unlearning.policy import Policy
from unlearning.training import TrainingFolder


class Progress(AbstractContextManager, Protocol):
    """Shows the iterations to whoever is watching."""

    def __call__(self, record: Mapping[str, Any]) -> None:
        """An iteration is done."""


@dataclass(frozen=True)
class Outcome:
    """What a training left.

    Attributes:
        model: Folder of the checkpoint.
        settings: The hyper-parameters as they were used, nothing left to be worked out.
        iterations: How many were done.
        stopped: Why it ended.
        seconds: Wall time, all of its sittings together.
        records: One an iteration, as in training.jsonl.
    """

    model: Path
    settings: dict[str, Any]
    iterations: int
    stopped: str
    seconds: float
    records: list[dict[str, Any]]


def finished(folder: Path) -> Outcome | None:
    """The outcome of a training that was finished before; None where there is none."""
    path = folder / "model" / "unlearning.json"
    if not path.is_file():
        return None
    about = json.loads(path.read_text(encoding="utf-8"))
    lines = (folder / "training.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return Outcome(folder / "model", about["settings"], records=records, **about["training"])


def is_interrupted(folder: Path) -> int:
    """How many iterations an interrupted training had saved; 0 where there is nothing to go on from."""
    saves = [path.name for path in (folder / "state").glob("[0-9]*") if path.name.isdigit()]
    return max(map(int, saves), default=0)


def train(
    plan: Plan,
    folder: Path,
    *,
    like: Outcome | None = None,
    control: str = "none",
    about: Mapping[str, Any],
    watch: Callable[[int], Progress],
    resume: bool = False,
) -> Outcome:
    """Runs the plan's method and writes its checkpoint into `folder/model`.

    Args:
        plan: What to do.
        folder: Receives training.jsonl, the saved state and the checkpoint.
        like: The training that this one is a control of: same settings, as many iterations, nothing skipped.
        control: `none`, `constant` or `permuted`.
        about: What the checkpoint says of itself, beside the outcome.
        watch: The most iterations there will be -> a context that is called with every record.
        resume: Go on from the state that an interrupted training saved.

    Raises:
        UnlearningError: Settings that the model or the rows do not allow.
        NonFiniteError, DiskError: Training broke off; what was saved stays.
        KeyboardInterrupt: Ctrl-C; the iteration was finished and saved.
    """
    config = plan.config
    policy = Policy.load(
        plan.model.name,
        plan.model.revision,
        device=config.device,
        precision=config.precision,
        lora=config.lora,
        lora_rank=config.lora_rank,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
    )
    tokenizer = plan.tokenizer()
    task = make_task(plan, tokenizer)
    if like is None:
        torch.manual_seed(config.seed)
        settings = plan.method.prepare(policy, task, plan.settings)
        iterations, stop = plan.method.iterations(settings, task), plan.stop
    else:
        used = {name: tuple(value) if isinstance(value, list) else value for name, value in like.settings.items()}
        settings = replace(plan.settings, **used | {"control": control, "iterations": like.iterations})
        if hasattr(settings, "skip"):
            settings = replace(settings, skip=False)
        iterations, stop = like.iterations, "steps"
    torch.manual_seed(config.seed)
    progress = watch(iterations)
    training = TrainingFolder(
        folder,
        policy,
        task,
        iterations=iterations,
        stop=stop,
        save_every=config.save_every,
        show=progress,
        resume=resume,
    )
    started = time.monotonic()
    try:
        with progress, training:
            if not training.stopped:
                plan.method.train(policy, task, settings, training)
    except NonFiniteError as error:
        raise _with_last_good(error, policy, tokenizer, folder, about) from error
    seconds = sum(record.get("seconds", 0.0) for record in training.records)
    outcome = Outcome(
        model=folder / "model",
        settings=json.loads(json.dumps(asdict(settings))),
        iterations=training.records[-1]["iteration"] if training.records else 0,
        stopped=training.stopped,
        seconds=round(max(seconds, time.monotonic() - started), 1),
        records=training.records,
    )
    left = {"iterations": outcome.iterations, "stopped": outcome.stopped, "seconds": outcome.seconds}
    write_checkpoint(
        policy, tokenizer, outcome.model, {**about, "control": control, "settings": outcome.settings, "training": left}
    )
    policy.on_main(lambda: shutil.rmtree(folder / "state", ignore_errors=True))
    return outcome


def _with_last_good(
    error: NonFiniteError, policy: Policy, tokenizer: Any, folder: Path, about: Mapping[str, Any]
) -> NonFiniteError:
    """Makes a checkpoint of the last saved weights, for whoever wants to look at them."""
    saved = state.load(folder / "state")
    if saved is None:
        return error
    policy.load_weights(saved.weights)
    left = {"iterations": saved.iteration, "stopped": "a number was not finite"}
    write_checkpoint(policy, tokenizer, folder / "last-good", {**about, "training": left})
    return NonFiniteError(f"{error} {folder / 'last-good'} is a checkpoint of it, to be loaded like any other.")


def make_task(plan: Plan, tokenizer: Any) -> Task:
    """The rows as tensors."""
    chosen, run = plan.selection, plan.run

    def rows(ids: Any) -> torch.Tensor:
        return torch.from_numpy(run.tokens(ids))

    return Task(
        forget=rows(chosen.forget),
        retain_benign=rows(chosen.retain_benign),
        retain_ordinary=rows(chosen.retain_ordinary),
        unseen=rows(chosen.unseen),
        prefix_tokens=run.config["prefix_tokens"],
        tokenizer=tokenizer,
        eos_token_ids=plan.model.eos_token_ids,
        seed=plan.config.seed,
    )
