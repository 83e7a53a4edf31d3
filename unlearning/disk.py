"""Files and folders that are whole or not there, and what is said where a disk will not take them."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskError(Exception):
    """Something can't be written; what was whole before still is. The message says what to do."""


@contextmanager
def writing(what: str, path: Path, kept: str = "") -> Iterator[None]:
    """Turns an error of the disk inside into a DiskError.

    Args:
        what: What is being written, for the message.
        path: Where.
        kept: What is still there in spite of the failure, as a sentence.

    Raises:
        DiskError: The disk is full, or the place can't be written to.
    """
    try:
        yield
    except Exception as error:
        number = _errno(error)
        if number is None:
            raise
        remedy = (
            "Free some space there, or choose another folder."
            if number in _FULL
            else "Check that the folder exists and may be written to."
        )
        said = [f"{what} can't be written to {path}: {os.strerror(number)}.", kept, remedy]
        raise DiskError(" ".join(filter(None, said))) from error


def _errno(error: Exception) -> int | None:
    """The error number of a failed write; safetensors gives it in the text of its own exception only."""
    if isinstance(error, OSError):
        return error.errno
    if type(error).__name__ == "SafetensorError" and (found := re.search(r"\(os error (\d+)\)", str(error))):
        return int(found[1])
    return None


def write_text(path: Path, text: str) -> None:
    """Writes `text` so that `path` holds either the old or the whole new text, also after a power cut."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as `write_text` does."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Makes a folder that is whole or not there; one of that name is replaced once the new one is whole.

    Args:
        folder: Its final place.
        fill: Writes the files into the empty folder it is given.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir()
        fill(fresh)
        _settle(fresh)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        _sync(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            old.rename(folder)


def _settle(folder: Path) -> None:
    """Brings a folder's files to the disk, with the rights that the user's umask gives.

    safetensors makes files that only their owner can read, whatever the umask.
    """
    umask = os.umask(0)
    os.umask(umask)
    for path in folder.iterdir():
        path.chmod(0o666 & ~umask)
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
