"""The records of a training: `training.jsonl`, and TensorBoard where it is installed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unlearning.disk import write_text, writing


class TrainingLog:
    """A record an iteration, on the disk before the iteration counts as done."""

    def __init__(self, folder: Path) -> None:
        """Changes nothing yet.

        Args:
            folder: Holds, or will hold, `training.jsonl` and `tensorboard/`.
        """
        self._folder, self._path = folder, folder / "training.jsonl"
        self._board: Any = None

    def read(self, last: int) -> list[dict[str, Any]]:
        """The records up to iteration `last`, without the line that a killed process did not finish."""
        records: list[dict[str, Any]] = []
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []:
            try:
                record = json.loads(line)
            except ValueError:
                break
            if record["iteration"] <= last:
                records.append(record)
        return records

    def open(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Begins with the given records and none beyond them.

        Raises:
            DiskError: The folder can't be written to.
        """
        with writing("the log of the training", self._path):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._path, "".join(map(_line, records)))
            if not records:
                shutil.rmtree(self._folder / "tensorboard", ignore_errors=True)
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        last = records[-1]["iteration"] if records else 0
        self._board = SummaryWriter(str(self._folder / "tensorboard"), purge_step=last + 1)

    def append(self, record: Mapping[str, Any], kept: str) -> None:
        """Adds the record of an iteration.

        Args:
            record: Numbers by name, `iteration` among them.
            kept: What stays if this fails, as a sentence.

        Raises:
            DiskError: The disk does not take it.
        """
        with writing("the log of the training", self._path, kept), self._path.open("a", encoding="utf-8") as file:
            file.write(_line(record))
            file.flush()
            os.fsync(file.fileno())
        if self._board is not None:
            for name, value in record.items():
                if name != "iteration":
                    self._board.add_scalar(name, value, record["iteration"])
            self._board.flush()

    def close(self) -> None:
        """Ends what TensorBoard has open."""
        if self._board is not None:
            self._board.close()


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
