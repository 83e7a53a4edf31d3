"""Data sets of the Hugging Face hub: which files a split has, and only those downloaded.

The `datasets` library resolves splits (the card's configs, else its file name patterns);
`huggingface_hub` downloads, resumes and caches in HF_HOME. No code of a data set is ever run. A local
folder with a data set's card is resolved the same way.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError, did_you_mean, shown
from data.files import open_files
from data.folders import find_files
from data.source import Source

if TYPE_CHECKING:
    from datasets import DatasetBuilder

DATASET_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_FILE = re.compile(r"hf://datasets/(?P<dataset>[^@]+)@(?P<commit>[^/]+)/(?P<file>.+)")


def open_dataset(
    name: str,
    *,
    split: str | None = None,
    revision: str | None = None,
    id_column: str | None = None,
    tokens_column: str | None = None,
    text_column: str | None = None,
) -> Source:
    """Finds a split's files, downloads those that are not cached, and opens them.

    Args:
        name: Data set id (`EleutherAI/pythia-memorized-evals`), or a folder laid out like one.
        split: May be left out where there is only one.
        revision: Branch, tag or commit; None is the default branch.
        id_column, tokens_column, text_column: Column names, where the usual ones are not there.

    Returns:
        The source; its `revision` is the commit the files are of, None for a folder.

    Raises:
        InputError: Unknown data set, revision or split, no access, or the hub cannot be reached and the
            split is not cached.
    """
    columns = {"id_column": id_column, "tokens_column": tokens_column, "text_column": text_column}
    commit = None
    try:
        try:
            data_files = _builder(name, revision).config.data_files
        except InputError:
            if not Path(name).is_dir():
                raise
            # A copy of one split only: the card names files that are not there.
            files = find_files(Path(name), split)
            return replace(open_files(files, name=name, **columns), split=split)
        located = _of_split(name, data_files, split)
        matches = [_HUB_FILE.fullmatch(location) for location in located]
        if all(matches):
            commit = matches[0]["commit"]
            files = [_download(match["dataset"], match["file"], match["commit"]) for match in matches]
        else:
            files = [Path(location) for location in located]
    except ConnectionError as error:
        files, commit = _cached(name, split, revision, error)
    return replace(open_files(files, name=name, **columns), split=split, revision=commit)


def has_card(folder: Path) -> bool:
    """Whether a folder's README says, as data set cards do, which files its splits have."""
    card = folder / "README.md"
    if not card.is_file():
        return False
    front = card.read_text(encoding="utf-8", errors="replace").split("\n---", 1)[0]
    return front.startswith("---") and re.search(r"^\s*-?\s*data_files:", front, re.MULTILINE) is not None


def _builder(name: str, revision: str | None) -> DatasetBuilder:
    """Resolves the data set; nothing but its card is downloaded.

    Raises:
        InputError: It is not there, or is no data set.
        ConnectionError: The hub cannot be reached.
    """
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        return load_dataset_builder(name, revision=revision)
    except (DatasetNotFoundError, HFValidationError) as error:
        at = f" at revision {shown(revision)}" if revision else ""
        raise InputError(
            f"{shown(name)} is no file or folder here and was not found on the hub{at}, or needs access "
            "for which there is no token here. Check the name, run `hf auth login`, or give a file or folder."
        ) from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise ConnectionError(str(error)) from error
    except HfHubHTTPError as error:
        raise ConnectionError(f"the hub answered {error}") from error
    except (FileNotFoundError, ValueError, RuntimeError) as error:
        # No data files, several configs, or files made by a script: the library's first line says it.
        why = (str(error).strip().splitlines() or ["no data files"])[0][:300]
        raise InputError(f"{name}: {why}") from error


def _of_split(name: str, data_files: dict[str, list[str]], split: str | None) -> list[str]:
    splits = {str(key): files for key, files in (data_files or {}).items()}
    if split is None and len(splits) == 1:
        split = next(iter(splits))
    if split is None:
        raise InputError(f"{name} has several splits: choose one with --split. {did_you_mean('', splits)}")
    if split not in splits:
        raise InputError(f"{name} has no split {shown(split)}. {did_you_mean(split, splits)}")
    return list(splits[split])


def _download(dataset: str, file: str, commit: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(dataset, file, repo_type="dataset", revision=commit))
    except LocalEntryNotFoundError as error:
        raise ConnectionError(str(error)) from error
    except HfHubHTTPError as error:
        raise InputError(f"{dataset}: {file} could not be downloaded: {error}") from error
    except OSError as error:
        raise InputError(
            f"{dataset}: {file} could not be stored ({error.strerror or error}). HF_HOME names the folder of the cache."
        ) from error


def _cached(name: str, split: str | None, revision: str | None, error: Exception) -> tuple[list[Path], str | None]:
    """The split's files from an earlier download, where the hub cannot be reached.

    Raises:
        InputError: They are not there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        snapshot = Path(snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True))
        return find_files(snapshot, split), snapshot.name
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError, InputError):
        raise InputError(
            f"The hub cannot be reached; {name} (split {split}) is neither a path here nor cached. Download "
            f"it where there is a connection, `hf download --repo-type dataset {name} --local-dir FOLDER`, "
            "and give --sequences FOLDER."
        ) from error
