"""What an unlearning will do, worked out and checked before anything is trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics.loading import ModelInfo, describe_model, load_tokenizer, resolve_device, tokenizer_fits
from metrics.splits import SPLITS
from unlearning.config import UnlearnConfig
from unlearning.measured_run import MeasuredRun, find_run
from unlearning.method import Method, UnlearningError
from unlearning.select import Selection, select

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTROLS = ("constant", "permuted")


@dataclass(frozen=True)
class Plan:
    """An unlearning, resolved.

    Attributes:
        config: The settings as typed.
        method: The method.
        settings: Its hyper-parameters; those that are None are worked out when training starts.
        stop: The stop rule.
        run: The measured run.
        model: What is known of the model that training starts from.
        selection: The rows.
        device: `cpu` or `cuda...`.
        folder: Where everything goes.
        warnings: What the reader of the numbers must know.
    """

    config: UnlearnConfig
    method: Method
    settings: Any
    stop: str
    run: MeasuredRun
    model: ModelInfo
    selection: Selection
    device: str
    folder: Path
    warnings: tuple[str, ...]

    @property
    def controls(self) -> tuple[str, ...]:
        """The controls that were asked for."""
        return CONTROLS if self.config.control else ()

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The run's tokenizer."""
        return load_tokenizer(self.run.tokenizer, self.run.tokenizer_revision)

    def about(self) -> dict[str, Any]:
        """What unlearning.json says at the start."""
        return {
            "name": self.folder.name,
            "parent": {
                "model": self.model.name,
                "revision": self.model.revision,
                "fingerprint": self.model.fingerprint,
            },
            "run": str(self.run.folder),
            "categories": list(self.config.category),
            "forget_ids": self.selection.forget.tolist(),
            "held_out_ids": self.selection.held_out.tolist(),
            "method": self.method.name,
            "method_title": self.method.title,
            "source": self.method.source,
            "preset": self.config.preset,
            "settings": asdict(self.settings),
            "stop": self.stop,
            "holdout": self.config.holdout,
            "seed": self.config.seed,
            "lora_rank": self.config.lora_rank if self.config.lora else None,
            "precision": self.config.precision,
        }

    def key(self) -> str:
        """A short hash of everything that the checkpoint depends on."""
        return _key(self.about())

    def overview(self) -> dict[str, str]:
        """The plan in words, in the order of `--dry-run`."""
        selection = self.selection
        counts = selection.split["split"].value_counts()
        parts = [f"{title} {counts[name]:,}" for name, title in SPLITS.items() if name in counts]
        weights = f"LoRA of rank {self.config.lora_rank}" if self.config.lora else "all weights"
        return {
            "run": f"{self.run.name} (in {self.run.folder})",
            "model": f"{self.model.name} ({self.model.parameters:,} parameters)",
            "categories": ", ".join(self.config.category),
            "rows": ", ".join(parts),
            "retained": f"{len(selection.retain_benign):,} that the model recites, "
            f"{len(selection.retain_ordinary):,} that it does not",
            "method": f"{self.method.title} ({self.method.source}), preset {self.config.preset}, {weights}",
            "settings": ", ".join(
                f"{name} {'worked out at the start' if value is None else value}"
                for name, value in asdict(self.settings).items()
                if name != "control"
            ),
            "stop": self.stop,
            "controls": ", ".join(self.controls) or "none (--control)",
            "device": self.device,
            "seed": str(self.config.seed),
            "then": f"the Spark jobs of {self.run.name} again, on the new checkpoint; a report of before and after",
            "result": str(self.folder),
        }


def _key(about: Mapping[str, Any]) -> str:
    # Not where the run lies: a folder that was moved is still the same run.
    decides = {name: value for name, value in about.items() if name not in ("name", "run")}
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:8]


def make_plan(config: UnlearnConfig, method: Method, settings: Any) -> Plan:
    """Resolves `config`: the run is found and read, the model looked at, the rows chosen.

    Raises:
        UnlearningError: No such run, nothing in it to be unlearned, or a model that does not fit it.
        ModelError: The model cannot be loaded.
    """
    run = find_run(config.run, Path(config.runs_dir))
    if config.control and not hasattr(settings, "control"):
        raise UnlearningError(
            f"--control replaces the rewards, and {config.method} has none: leave it out, or choose --method demem."
        )
    if config.revision is not None and config.model is None:
        raise UnlearningError(f"--revision {config.revision} needs a hub model: type --model ID too.")
    model, warnings = _model(config, run)
    selection = select(
        run.rows(), config.category, config.holdout, config.seed, run.config.get("include_attribution", False)
    )
    if not len(selection.retain_benign) + len(selection.retain_ordinary):
        warnings.append("The run has no benign row to retain: nothing holds the model where it was but the KL penalty.")
    if run.config["scores"] != "full":
        warnings.append(f"The run was measured with --scores {run.config['scores']}: the report compares labels only.")
    if run.config["dtype"] != "float32":
        warnings.append(f"The run was measured in {run.config['dtype']}; training starts from float32 weights.")
    stop = config.stop or getattr(settings, "stop", "steps")
    if hasattr(settings, "stop"):  # of each of its parts, for a method that has parts
        settings = replace(settings, stop=stop)
    plan = Plan(
        config=config,
        method=method,
        settings=settings,
        stop=stop,
        run=run,
        model=model,
        selection=selection,
        device=resolve_device(config.device),
        folder=Path(),
        warnings=tuple(warnings),
    )
    name = f"{'-'.join(config.category)}-{method.name}-{plan.key()}"
    folder = Path(config.out or run.folder / "unlearned" / name)
    _refuse_foreign(folder, model)
    return replace(plan, folder=folder)


def _refuse_foreign(folder: Path, model: ModelInfo) -> None:
    """Refuses a folder that holds anything but an unlearning: what is in it would be lost."""
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()} - {"lock", "split.parquet", "error.log"}  # of one just begun
        if names and not (folder / "unlearning.json").is_file():
            raise UnlearningError(
                f"--out {folder} holds other files ({', '.join(sorted(names)[:3])}): name a folder that is new, or "
                "leave it out to get one inside the run's."
            )
    parent = Path(model.name).expanduser()
    if parent.is_dir() and parent.resolve() in (folder.resolve(), (folder / "model").resolve()):
        raise UnlearningError(
            f"--out {folder} would overwrite {model.name}, the model to start from: name another one."
        )


def _model(config: UnlearnConfig, run: MeasuredRun) -> tuple[ModelInfo, list[str]]:
    """The model to start from, checked against the run."""
    own = config.model is None
    found = describe_model(config.model or run.model, run.revision if own else config.revision)
    if own and found.fingerprint != run.fingerprint:
        raise UnlearningError(
            f"{run.model} is not the model that {run.folder} measured: its weights have changed since. Measure it "
            f"again (python calculate_metrics.py --model {run.model} ...), or name the one to start from with --model."
        )
    if found.vocab_size != run.vocab_size:
        raise UnlearningError(
            f"--model {found.name} has a vocabulary of {found.vocab_size:,} tokens and the run's model "
            f"{run.vocab_size:,}: the run's tokens mean something else to it. Name a descendant of {run.model}, or "
            "measure the model first."
        )
    length = run.config["prefix_tokens"] + run.config["suffix_tokens"]
    if found.max_positions is not None and length > found.max_positions:
        raise UnlearningError(f"{found.name} reads {found.max_positions} tokens at most, the run's rows have {length}.")
    tokenizer_fits(load_tokenizer(run.tokenizer, run.tokenizer_revision), found.vocab_size)
    if found.fingerprint == run.fingerprint:
        return found, []
    return found, [
        f"Training starts from {found.name}, but `before` is {run.model}, which the run measured: the difference "
        "between the two is part of what the report shows."
    ]
