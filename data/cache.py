"""Where files that can be built again are kept, outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

from data.errors import InputError


def cache_dir() -> Path:
    """The cache folder, created on demand.

    It is `$UNRECITE_CACHE`, else `$XDG_CACHE_HOME/unrecite`, else `~/.cache/unrecite`.

    Raises:
        InputError: The folder cannot be made or written to.
    """
    if os.environ.get("UNRECITE_CACHE"):
        folder = Path(os.environ["UNRECITE_CACHE"]).expanduser()
    elif os.environ.get("XDG_CACHE_HOME"):
        folder = Path(os.environ["XDG_CACHE_HOME"]).expanduser() / "unrecite"
    else:
        folder = Path("~/.cache/unrecite").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except (OSError, RuntimeError) as error:
        raise _not_usable(folder, str(error)) from error
    if not writable:
        raise _not_usable(folder, "no permission to write there")
    return folder


def _not_usable(folder: Path, reason: str) -> InputError:
    return InputError(
        f"The cache folder {folder} cannot be used ({reason}). Name a folder that can be written to:\n"
        "  export UNRECITE_CACHE=/path/to/folder"
    )
