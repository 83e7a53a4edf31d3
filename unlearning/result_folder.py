"""The folder of an unlearning: what it was asked to do, what is finished, and one process at a time."""

from __future__ import annotations

import fcntl
import json
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unlearning.checkpoint import update_results
from unlearning.disk import write_json, writing
from unlearning.method import UnlearningError
from unlearning.plan import Plan

_PACKAGES = ("torch", "transformers", "accelerate", "peft", "trl", "pyspark", "sacrebleu")
_OF_A_TRAINING = ("training.jsonl", "state", "model", "controls", "after", "comparison.json")


class ResultFolder:
    """The folder of an unlearning.

    Attributes:
        path: The folder.
        split: Table of the split of every row.
        about: What `unlearning.json` says; filled by `opened`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.split = path / "split.parquet"
        self.about: dict[str, Any] = {}

    @property
    def _memory(self) -> Path:
        return self.path / "unlearning.json"

    def training(self, control: str) -> Path:
        """Where the training (`none`) or one of its controls goes."""
        return self.path if control == "none" else self.path / "controls" / control

    def finished(self, plan: Plan) -> dict[str, Any] | None:
        """The comparison, if it was made with these settings and holds the controls asked for."""
        path = self.path / "comparison.json"
        made = self._made()
        if made is None or not path.is_file():
            return None
        self._check(plan, made)
        comparison = json.loads(path.read_text(encoding="utf-8"))
        shown = comparison.get("show_text", False) == plan.config.show_text
        return comparison if shown and set(plan.controls) <= set(comparison["controls"]) else None

    @contextmanager
    def opened(self, plan: Plan, is_main: bool) -> Iterator[None]:
        """Takes the folder's lock and notes what is being done.

        Raises:
            UnlearningError: It holds an unlearning of other settings, or another process works in it.
            DiskError: It can't be written to.
        """
        made = self._made()
        if made is not None:
            self._check(plan, made)
            self.about = made
        else:
            self.about = plan.about() | {
                "key": plan.key(),
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": shlex.join(["unlearn", *sys.argv[1:]]),
                "versions": {
                    "unrecite": "0.1.0",
                    "python": platform.python_version(),
                    **{name: version(name) for name in _PACKAGES},
                },
            }
        if not is_main:
            yield
            return
        with writing("the result", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UnlearningError(
                    f"another process is working on {self.path}; wait for it, or name another folder with --out."
                ) from error
            with writing("the result", self.path):
                table = pa.Table.from_pandas(plan.selection.split, preserve_index=False)
                fresh = self.split.with_name(".split.parquet")
                pq.write_table(table, fresh)
                fresh.replace(self.split)
                write_json(self._memory, self.about)
            yield

    def finish(self, plan: Plan, comparison: dict[str, Any]) -> None:
        """Keeps the comparison, here and in the checkpoint.

        Raises:
            DiskError: The disk does not take it.
        """
        comparison["show_text"] = plan.config.show_text
        with writing("the comparison", self.path):
            (self.path / "report.html").unlink(missing_ok=True)  # of an earlier comparison
            write_json(self.path / "comparison.json", comparison)
            write_json(self._memory, self.about | {"settings": comparison["settings"], "finished": True})
        update_results(self.path / "model", comparison)

    def _made(self) -> dict[str, Any] | None:
        """What was begun here; None where nothing was trained yet, so that other settings may take the folder."""
        if not self._memory.is_file() or not any((self.path / name).exists() for name in _OF_A_TRAINING):
            return None
        try:
            return json.loads(self._memory.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UnlearningError(
                f"{self._memory} is not readable as JSON ({error}); name another folder with --out."
            ) from error

    def _check(self, plan: Plan, made: dict[str, Any]) -> None:
        """Refuses a folder that was begun with other settings."""
        if made["key"] == plan.key():
            return
        wanted = json.loads(json.dumps(plan.about(), default=str))
        then, now = (
            {**value, **{f"settings: {name}": one for name, one in value["settings"].items()}}
            for value in (made, wanted)
        )
        differences = [
            f"  {name}: {then.get(name)!r} then, {value!r} now"
            for name, value in now.items()
            # What was worked out since is no difference.
            if then.get(name) != value
            and not (value is None and name.startswith("settings: "))
            and name not in ("forget_ids", "held_out_ids", "name", "run", "settings")
        ]
        raise UnlearningError(
            f"{self.path} holds an unlearning with other settings:\n"
            + "\n".join(differences)
            + "\nNothing was changed. Name another folder with --out, or leave it out to get one of its own."
        )
