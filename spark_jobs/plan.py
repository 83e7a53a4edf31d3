"""Plan: what a run will do, worked out and checked before Spark starts."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data import Source, open_sequences
from data.corpus import corpus_files, open_corpus
from data.errors import InputError
from metrics.categories.ner import NerModelError, load_ner
from metrics.loading import ModelInfo, describe_model, load_tokenizer, resolve_device, tokenizer_fits
from metrics.token_scores import ScoreLevel
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder, settings_key

_MASTER = re.compile(r"local(\[(\d+|\*)(,\s*\d+)?\])?|local-cluster\[.+\]|yarn|(spark|k8s)://\S+")
_RUN_NAME = re.compile(r"(?!\.)[\w.\- ]+")
_LEAST_SHARED = 0.9

TABLE_STAGES = ("prepare", "count", "score", "measure", "label", "predict")
STAGES = (*TABLE_STAGES, "summarize")


class UsageMistakeError(Exception):
    """Options that make no sense, alone or together."""


@dataclass(frozen=True)
class Plan:
    """A run, resolved.

    Attributes:
        config: The settings as they will be used.
        model: What is known of the model without loading its weights.
        model_name: Name for people; `demo` for the embedded model.
        tokenizer: Hub id or folder of the tokenizer.
        tokenizer_revision: Its revision.
        source: The sequences.
        source_name: Name for people.
        device: `cpu` or `cuda...`.
        settings: Stage to everything that its result depends on.
        warnings: What the reader of the numbers must know.
    """

    config: RunConfig
    model: ModelInfo
    model_name: str
    tokenizer: str
    tokenizer_revision: str | None
    source: Source
    source_name: str
    device: str
    settings: dict[str, dict[str, Any]]
    warnings: tuple[str, ...]

    @property
    def run(self) -> str:
        """Name of the run."""
        return self.config.run or self._default_name()

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return Path(self.config.runs_dir) / self.run

    @property
    def table_settings(self) -> dict[str, dict[str, Any]]:
        """`settings` of the stages that write tables, which are never made anew with other settings."""
        return {stage: self.settings[stage] for stage in TABLE_STAGES}

    @property
    def level(self) -> ScoreLevel:
        """How much is asked of the model."""
        return ScoreLevel.of(self.config.scores)

    def overview(self) -> dict[str, str]:
        """The plan in words, in the order of `--dry-run`."""
        config = self.config
        rows = f"{self.source.rows:,} rows" if self.source.rows is not None else "rows not counted yet"
        done = RunFolder(self.folder).state["stages"] if self.folder.is_dir() else {}
        return {
            "run": f"{self.run} (in {self.folder})",
            "model": f"{self.model_name} ({self.model.parameters:,} parameters, {config.dtype}, {self.device})"
            if self.model.parameters
            else f"{self.model_name} ({config.dtype}, {self.device})",
            "revision": str(self.model.revision or "none"),
            "tokenizer": self.tokenizer,
            "sequences": f"{self.source_name} ({rows})",
            "split": self.source.split or "none",
            "window": f"{config.prefix_tokens} tokens of prompt, {config.suffix_tokens} to be reproduced",
            "prompt lengths": ", ".join(map(str, config.k)),
            "sample": "all rows" if config.sample is None else f"{config.sample:,} rows, seed {config.seed}",
            "scores": config.scores,
            "Spark": config.master or "local[*]",
            "stages": ", ".join(f"{stage} (done)" if stage in done else stage for stage in STAGES),
        }

    def _default_name(self) -> str:
        parts = dict.fromkeys((self.model_name, self.config.revision or "", Path(self.source_name).stem))
        slug = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part.split("/")[-1]).strip("-") for part in parts if part)
        return f"{slug[:60]}-{settings_key(self.table_settings)[:8]}"


def _checked(config: RunConfig) -> RunConfig:
    """The settings with `k` in order.

    Raises:
        UsageMistakeError: A setting does not make sense, alone or beside the others.
    """
    for name in ("prefix_tokens", "suffix_tokens", "checkpoint_rows"):
        if getattr(config, name) < 1:
            raise UsageMistakeError(f"--{name.replace('_', '-')} is {getattr(config, name)}; expected 1 or more.")
    for k in config.k:
        if not 1 <= k <= config.prefix_tokens:
            raise UsageMistakeError(
                f"--k {k} is not a prompt length: expected 1 to --prefix-tokens, which is {config.prefix_tokens}."
            )
    if config.master is not None and not _MASTER.fullmatch(config.master):
        raise UsageMistakeError(
            f"--master {config.master} is no Spark master: expected local[*], local[2], spark://HOST:7077, yarn or "
            "k8s://https://HOST:PORT."
        )
    if config.run is not None and not _RUN_NAME.fullmatch(config.run):
        raise UsageMistakeError(
            f"--run {config.run!r} is no name for a folder: expected letters, digits, '.', '_', '-' and spaces. "
            "Another place is --runs-dir."
        )
    if config.revision is not None and Path(config.model or "").expanduser().is_dir():
        raise UsageMistakeError(
            f"--revision {config.revision} is for models of the hub, and {config.model or 'the demo'} is a folder: "
            "leave it out."
        )
    if config.sequences is None and config.model is not None:
        raise UsageMistakeError(
            f"--model {config.model} needs sequences to measure it on: type --sequences FILE (parquet, jsonl, csv, "
            "npy pair), a folder, or a dataset id; or --pythia SIZE for the Pythia models and their memorized sets."
        )
    if config.sequences is not None and config.model is None:
        raise UsageMistakeError(
            f"--sequences {config.sequences} needs a model: type --model FOLDER or a hub id such as "
            "EleutherAI/pythia-70m-deduped."
        )
    return replace(config, k=tuple(sorted({*config.k, config.prefix_tokens})))


def _absolute(name: str | None) -> str | None:
    """A folder by its whole path, since workers run elsewhere; a hub id as it is."""
    return str(Path(name).expanduser().resolve()) if name and Path(name).expanduser().exists() else name


def _file_state(*specs: str | Path | None) -> Any:
    """Names, sizes and times of what is given as an option, so that a changed file is noticed."""
    if None in specs:
        return None
    files: list[Path] = []
    for path in map(Path, specs):
        if not path.exists():
            raise InputError(f"no such file: {path}.")
        files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]


def make_plan(config: RunConfig) -> Plan:
    """Resolves `config`: the demo is built or found, model, tokenizer and sequences are looked at.

    Raises:
        UsageMistakeError: Options that make no sense together.
        InputError, ModelError: Something named there is not there or does not fit.
    """
    config = _checked(config)
    names = (config.model, config.sequences)
    is_demo = config.model is None
    if is_demo:
        from data.demo_model import demo

        made = demo()
        config = replace(
            config,
            model=str(made.model),
            sequences=str(made.sequences),
            corpus=config.corpus or str(made.training_corpus),
        )
        names = ("demo", "demo")
    else:
        config = replace(config, model=_absolute(config.model), tokenizer=_absolute(config.tokenizer))
    config = replace(config, ner_model=_absolute(config.ner_model))
    if config.ner_model:
        try:
            load_ner(config.ner_model)
        except NerModelError as error:
            raise InputError(f"--ner-model: {error}") from error
    # On a cluster the device is the workers', which may not be here.
    device = resolve_device(config.device) if (config.master or "local").startswith("local") else config.device
    model = describe_model(config.model, config.revision)
    tokenizer = config.tokenizer or config.model
    tokenizer_revision = None if config.tokenizer else config.revision
    loaded = load_tokenizer(tokenizer, tokenizer_revision)
    tokenizer_fits(loaded, model.vocab_size)
    if config.tokenizer and len(loaded) < _LEAST_SHARED * model.vocab_size:
        raise InputError(
            f"--tokenizer {config.tokenizer} knows {len(loaded):,} tokens and the model {model.vocab_size:,}: it "
            "belongs to another model. Leave it out, or name the model's own."
        )
    window = config.prefix_tokens + config.suffix_tokens
    if model.max_positions is not None and window > model.max_positions:
        raise InputError(
            f"{config.model} reads {model.max_positions} tokens at most; --prefix-tokens {config.prefix_tokens} and "
            f"--suffix-tokens {config.suffix_tokens} make {window}."
        )
    if config.corpus:
        open_corpus(config.corpus)
    source = open_sequences(
        config.sequences,
        split=config.split,
        revision=config.sequences_revision,
        id_column=config.id_column,
        tokens_column=config.tokens_column,
        text_column=config.text_column,
    )
    return Plan(
        config=config,
        model=model,
        model_name=names[0],
        tokenizer=tokenizer,
        tokenizer_revision=tokenizer_revision,
        source=source,
        source_name=names[1],
        device=device,
        settings=_stage_settings(config, model, source, tokenizer, tokenizer_revision),
        warnings=_warnings(config),
    )


def _stage_settings(
    config: RunConfig, model: ModelInfo, source: Source, tokenizer: str, tokenizer_revision: str | None
) -> dict[str, dict[str, Any]]:
    prepare = {
        "sequences": config.sequences,
        "split": config.split,
        "sequences fingerprint": source.fingerprint,
        "id_column": config.id_column,
        "tokens_column": config.tokens_column,
        "text_column": config.text_column,
        "tokenizer": tokenizer,
        "tokenizer revision": tokenizer_revision,
        "prefix_tokens": config.prefix_tokens,
        "suffix_tokens": config.suffix_tokens,
        "sample": config.sample,
        "seed": config.seed,
        "vocabulary": model.vocab_size,
    }
    count = prepare | {
        "duplicates": _file_state(config.duplicates),
        "token_counts": _file_state(config.token_counts),
        "corpus": _file_state(*corpus_files(config.corpus)) if config.corpus else None,
    }
    score = prepare | {
        "model": config.model,
        "revision": model.revision,
        "model fingerprint": model.fingerprint,
        "k": list(config.k),
        "scores": config.scores,
        "el_rows": config.el_rows if ScoreLevel.of(config.scores) == ScoreLevel.FULL else None,
        "dtype": config.dtype,
        "checkpoint_rows": config.checkpoint_rows,
    }
    label = count | {"include_attribution": config.include_attribution, "ner_model": config.ner_model}
    return {
        "prepare": prepare,
        "count": count,
        "score": score,
        "measure": count | score,
        "label": label,
        "predict": label | score,
        "summarize": label | score | {"show_text": config.show_text},
    }


def _warnings(config: RunConfig) -> tuple[str, ...]:
    if config.dtype == "float32":
        return ()
    return (
        f"Scored in {config.dtype}: near-ties between tokens fall otherwise than in float32, and labels with them "
        "(up to a quarter of the labels on small models). float32 is the reference.",
    )


def plain(config: RunConfig) -> dict[str, Any]:
    """The settings as JSON holds them."""
    return {
        name: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        for name, value in asdict(config).items()
    }
