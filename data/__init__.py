"""Where sequences come from. A source is one loader and one line in `SOURCES`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data import files, hub
from data.errors import InputError, did_you_mean
from data.files import read_shard
from data.folders import visible_names
from data.sequences import DUPLICATE_ID, REASONS, output_schema, prepare
from data.source import Shard, Source

__all__ = [
    "DUPLICATE_ID",
    "REASONS",
    "SOURCES",
    "InputError",
    "Shard",
    "Source",
    "open_sequences",
    "output_schema",
    "prepare",
    "read_shard",
]

Loader = Callable[..., Source | None]


def _open_npy(spec: str, *, split: str | None, revision: str | None, **columns: str | None) -> Source | None:
    """`prefix.npy,suffix.npy`."""
    parts = spec.split(",")
    if len(parts) < 2 or not all(part.strip().endswith(".npy") for part in parts):
        return None
    return files.open_files(spec, **columns)


def _open_card(spec: str, *, split: str | None, revision: str | None, **columns: str | None) -> Source | None:
    """A local copy of a hub data set, whose card says which files its splits have."""
    folder = Path(spec).expanduser()
    if not folder.is_dir() or not hub.has_card(folder):
        return None
    return hub.open_dataset(str(folder), split=split, **columns)


def _open_files(spec: str, *, split: str | None, revision: str | None, **columns: str | None) -> Source | None:
    """An existing file or folder."""
    if not Path(spec).expanduser().exists():
        return None
    return files.open_files(spec, split=split, **columns)


def _open_hub(spec: str, *, split: str | None, revision: str | None, **columns: str | None) -> Source | None:
    """`organisation/name`."""
    if not hub.DATASET_ID.fullmatch(spec) or spec.startswith((".", "~")) or files.suffix(Path(spec)):
        return None
    try:
        return hub.open_dataset(spec, split=split, revision=revision, **columns)
    except InputError as error:
        folder = Path(spec).parent
        if not folder.is_dir():
            raise
        near = did_you_mean(Path(spec).name, visible_names(folder))
        raise InputError(f"{error} If it is a path, in {folder}: {near}") from error


# Asked in this order; a loader answers None where the name is not of its kind.
SOURCES: dict[str, Loader] = {
    "npy arrays": _open_npy,
    "local copy of a hub data set": _open_card,
    "files": _open_files,
    "hub": _open_hub,
}


def open_sequences(
    spec: str | Path,
    split: str | None = None,
    revision: str | None = None,
    id_column: str | None = None,
    tokens_column: str | None = None,
    text_column: str | None = None,
) -> Source:
    """Opens what the user named.

    Args:
        spec: An existing file or folder, `prefix.npy,suffix.npy`, or a hub data set id.
        split: Of a folder or a hub data set.
        revision: Branch, tag or commit of a hub data set.
        id_column, tokens_column, text_column: Column names, where the usual ones are not there.

    Raises:
        InputError: It is nothing of these, or cannot be used.
    """
    columns = {"id_column": id_column, "tokens_column": tokens_column, "text_column": text_column}
    try:
        for loader in SOURCES.values():
            source = loader(str(spec), split=split, revision=revision, **columns)
            if source is not None:
                return source
        return files.open_files(spec, split=split, **columns)  # says what is there instead
    except PermissionError as error:
        raise InputError(f"{spec}: permission denied. Make it readable for this user.") from error
