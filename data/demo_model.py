"""The embedded model: a small GPT-NeoX (Pythia's architecture) trained on the demo corpus until it recites part of it.

`demo()` returns the cached model and corpus, or builds them. What was built is kept under a key made of everything that
decides it. `python -m data.demo_model` builds it if need be and prints what it memorized.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from data import demo_corpus, demo_text
from data.cache import cache_dir
from data.demo_training import TrainingSettings, extractable, train
from data.errors import InputError

MODULES = ("demo_corpus", "demo_model", "demo_patterns", "demo_people", "demo_secrets", "demo_text", "demo_training")
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "Faker", "pyarrow")
PLAIN_LINE_SECONDS = 5.0


@dataclass(frozen=True)
class DemoSettings:
    """Everything that can be chosen about the demo."""

    corpus: demo_corpus.CorpusSettings = field(default_factory=demo_corpus.CorpusSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True)
class Demo:
    """Where the embedded default lies.

    Attributes:
        folder: Holds the rest.
        model: `from_pretrained` folder with the weights (safetensors) and the tokenizer.
        sequences: Parquet: `sequence_id`, `tokens`, `text`, `true_category`, `is_member`.
        training_corpus: Parquet: `tokens`, one row for each window trained on, repeated as often as trained on.
        key: Hash of everything that made it.
    """

    folder: Path
    model: Path
    sequences: Path
    training_corpus: Path
    key: str


def demo(show_progress: bool = True, settings: DemoSettings | None = None) -> Demo:
    """The embedded model and corpus, built at the first call and cached.

    Built in a folder of its own and moved into place in one step, so that a build that was interrupted is never used
    and two at once do no harm.

    Args:
        show_progress: Show a progress bar on a terminal, a line every few seconds elsewhere (on stderr).
        settings: The defaults when None.

    Raises:
        InputError: The cache folder cannot be written to, or too few texts are installed.
    """
    settings = settings or DemoSettings()
    key = demo_key(settings)
    folder = _folder(key)
    if not folder.is_dir():
        _build_atomically(folder, settings, show_progress)
    return Demo(folder, folder / "model", folder / "sequences.parquet", folder / "training_corpus.parquet", key)


def is_built(settings: DemoSettings | None = None) -> bool:
    """Whether `demo` would find the model in the cache."""
    return _folder(demo_key(settings or DemoSettings())).is_dir()


def _folder(key: str) -> Path:
    return cache_dir() / f"demo-{key}"


def demo_key(settings: DemoSettings) -> str:
    """16 hexadecimal digits: source code, package versions, settings, installed files."""
    here = Path(__file__).parent
    made_of = {
        "settings": asdict(settings),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {package: importlib.metadata.version(package) for package in PACKAGES},
        "code": {name: hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in MODULES},
        "texts": demo_text.installed_fingerprint(settings.corpus.texts),
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _build_atomically(folder: Path, settings: DemoSettings, show_progress: bool) -> None:
    building = folder.with_name(f"{folder.name}.building-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        _remove_abandoned(folder.parent)
        building.mkdir()
        _build(building, settings, show_progress)
        try:
            building.replace(folder)
        except OSError:  # another process was first: its result is the same
            if not folder.is_dir():
                raise
    except OSError as error:
        raise InputError(
            f"The demo could not be written below {folder.parent} ({error.strerror or error}). Make room there, or "
            "name another folder:\n  export UNRECITE_CACHE=/path/to/folder"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _remove_abandoned(cache: Path) -> None:
    """Remove what builds that were killed more than an hour ago left behind."""
    for left in cache.glob("demo-*.building-*"):
        if time.time() - left.stat().st_mtime > 3600:
            shutil.rmtree(left, ignore_errors=True)


def _build(folder: Path, settings: DemoSettings, show_progress: bool) -> None:
    import pyarrow.parquet as pq

    with _progress("Demo: writing the corpus", show_progress):
        corpus = demo_corpus.build(folder, settings.corpus)
    windows = np.stack(pq.read_table(corpus.training_corpus)["tokens"].to_numpy())
    with _progress("Demo: training the model", show_progress) as report:
        model = train(windows, settings.corpus.vocab_size, settings.training, report)
    corpus.tokenizer.rename(folder / "model")
    with _no_transformers_bars():
        model.save_pretrained(folder / "model")


@contextmanager
def _no_transformers_bars() -> Iterator[None]:
    """Without transformers' own progress bars, which would last a hundredth of a second."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _progress(label: str, show: bool) -> Iterator[Callable[[float], None]]:
    """Gives a function that is told the share done."""
    if not show:
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(label, total=1.0)
            yield lambda share: bar.update(task, completed=share)
        return
    started = last = time.monotonic()
    print(f"{label} ...", file=sys.stderr, flush=True)

    def line(share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_LINE_SECONDS and share > 0:
            last = now
            left = (now - started) * (1 - share) / share
            print(f"{label}: {share:.0%}, {left:.0f} s left", file=sys.stderr, flush=True)

    yield line
    print(f"{label}: done in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def memorization_table(built: Demo) -> list[dict[str, object]]:
    """Rows and extractable rows of every category at every number of copies, counted from the files.

    Returns:
        Dicts with `category`, `copies`, `rows`, `extractable` (a share).
    """
    import pyarrow.parquet as pq
    from transformers import AutoModelForCausalLM

    table = pq.read_table(built.sequences)
    tokens = np.stack(table["tokens"].to_numpy())
    windows, counts = np.unique(
        np.stack(pq.read_table(built.training_corpus)["tokens"].to_numpy()), axis=0, return_counts=True
    )
    copies_of = {window.tobytes(): int(count) for window, count in zip(windows, counts, strict=True)}
    copies = np.array([copies_of.get(row.tobytes(), 0) for row in tokens])
    categories = np.array(table["true_category"].to_pylist())
    with _no_transformers_bars():
        model = AutoModelForCausalLM.from_pretrained(built.model, dtype="float32")
    recited = extractable(model, tokens)
    return [
        {
            "category": category,
            "copies": int(level),
            "rows": int(chosen.sum()),
            "extractable": float(recited[chosen].mean()),
        }
        for category in demo_corpus.CATEGORIES
        for level in np.unique(copies)
        if (chosen := (categories == category) & (copies == level)).any()
    ]


def main() -> None:
    """Print the share of extractable sequences by category and number of copies."""
    built = demo()
    counted = memorization_table(built)
    levels = sorted({row["copies"] for row in counted})
    often = demo_corpus.CorpusSettings().often
    print(f"{built.folder}\nextractable share of the sequences trained on so many times; often: {min(often)} or more")
    print(f"{'category':<12}", *(f"{level:>5}" for level in (*levels, "often")))
    for category in (*demo_corpus.CATEGORIES, "all"):
        rows = [row for row in counted if category in (row["category"], "all")]
        groups = [[row for row in rows if row["copies"] == level] for level in levels]
        groups.append([row for row in rows if row["copies"] in often])
        shares = [sum(r["rows"] * r["extractable"] for r in group) / sum(r["rows"] for r in group) for group in groups]
        print(f"{category:<12}", *(f"{share:5.2f}" for share in shares))


if __name__ == "__main__":
    main()
