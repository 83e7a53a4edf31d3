"""A run on disk: what is finished stays, what is not is done again, and two processes never work on one run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spark_jobs.errors import MachineError

FORMAT = 1


class RunConflictError(Exception):
    """The folder holds a run made with other settings, or another process is at work in it."""


def settings_key(settings: Mapping[str, Any]) -> str:
    """A short hash of everything that a stage's result depends on."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _noted(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"key": settings_key(settings), "settings": json.loads(json.dumps(settings, default=str))}


def write_json(path: Path, value: Any) -> None:
    """Writes `value` so that `path` holds either the old or the whole new text."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class RunFolder:
    """The folder of one run, with `run.json` as its memory.

    Attributes:
        path: The folder.
        state: What `run.json` holds: `stages` maps a stage to its settings, key, rows and seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: dict[str, Any] = {"format": FORMAT, "stages": {}}
        self._lock: Any = None
        if self._memory.is_file():
            try:
                self.state = json.loads(self._memory.read_text(encoding="utf-8"))
            except ValueError as error:
                raise RunConflictError(
                    f"{self._memory} is not readable as JSON ({error}); choose another --run, or move the folder away."
                ) from error
            found = self.state.get("format") if isinstance(self.state, dict) else None
            if found != FORMAT:
                raise RunConflictError(
                    f"{self._memory} has format {found!r}, this version writes {FORMAT}; choose another --run."
                )

    @property
    def _memory(self) -> Path:
        return self.path / "run.json"

    def open(self) -> None:
        """Creates the folder, takes its lock and clears what an interrupted process left half done.

        Raises:
            MachineError: The folder cannot be written.
            RunConflictError: Another process works on this run.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "run.lock").open("a+")
        except OSError as error:
            raise MachineError(
                f"cannot write to {self.path}: {error.strerror}. Choose another folder with --runs-dir."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunConflictError(
                f"another process is working on {self.path}; wait for it, or choose another --run."
            ) from error
        for leftover in self.path.glob(".writing-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def close(self) -> None:
        """Gives the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def check(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        """Compares the settings of finished stages, and of those that left parts, with those wanted now.

        Args:
            settings: Stage name to everything its result depends on.

        Raises:
            RunConflictError: A stage, or a part of one, was made with other settings; lists the differences.
        """
        differences = []
        for stage, wanted in settings.items():
            made = self.state["stages"].get(stage) or self._begun.get(stage)
            if made is None or made["key"] == settings_key(wanted):
                continue
            plain = json.loads(json.dumps(wanted, default=str))
            for name in sorted(plain.keys() | made["settings"].keys()):
                old, new = made["settings"].get(name), plain.get(name)
                if old != new:
                    differences.append(f"  {name}: {old!r} then, {new!r} now")
        if differences:
            raise RunConflictError(
                f"{self.path} holds a run made with other settings:\n"
                + "\n".join(dict.fromkeys(differences))
                + "\nNothing was changed. Type --run with another name (or leave it out to get a name of its own)."
            )

    def is_complete(self, stage: str) -> bool:
        """Whether `stage` was finished; `check` has made sure that it was with the same settings."""
        return stage in self.state["stages"]

    @property
    def _begun(self) -> dict[str, Any]:
        return self.state.get("begun", {})

    def begin(self, stage: str, settings: Mapping[str, Any], table: str) -> None:
        """Remembers what the parts of `table` are made with that `stage` keeps; `check` then knows of them.

        Parts that nothing is remembered of are cleared.
        """
        if stage not in self._begun:
            shutil.rmtree(self.partial(table), ignore_errors=True)
            self.save(begun=self._begun | {stage: _noted(settings)})

    def finish(self, stage: str, settings: Mapping[str, Any], rows: int, seconds: float, **more: Any) -> None:
        """Remembers that `stage` is finished."""
        self._begun.pop(stage, None)
        self.state["stages"][stage] = _noted(settings) | {
            "rows": rows,
            "seconds": round(seconds, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        self.save()

    def forget(self, stage: str) -> None:
        """Takes back that `stage` is finished."""
        if self.state["stages"].pop(stage, None):
            self.save()

    def save(self, **more: Any) -> None:
        """Writes `run.json`, with `more` added to it."""
        self.state.update(more)
        write_json(self._memory, self.state)

    def table(self, name: str) -> Path:
        """Where table `name` is, once whole."""
        return self.path / f"{name}.parquet"

    def writing(self, name: str) -> Path:
        """Where this process writes `name` before it is whole; cleared when the run is next opened."""
        return self.path / f".writing-{os.getpid()}-{name}"

    def partial(self, name: str) -> Path:
        """Where finished parts of `name` wait for the rest; kept when the run is interrupted."""
        return self.path / f".partial-{name}"

    def publish(self, written: Path, name: str) -> None:
        """Makes the folder `written` table `name` in one step."""
        final = self.table(name)
        if final.exists():
            # Left by a process that was stopped between this step and the note of it in run.json.
            shutil.rmtree(final)
        written.rename(final)
