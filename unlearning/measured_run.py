"""A measured run as unlearning sees it: read from its folder with pyarrow, without Spark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from unlearning.method import UnlearningError

_NEEDED = ("score", "measure", "label")
_LABELS = (
    "sequence_id",
    "category",
    "is_harmful",
    "has_pii",
    "licence_context",
    "organisation_context",
    "has_credentials",
)


@dataclass(frozen=True)
class MeasuredRun:
    """A run folder whose tables are complete.

    Attributes:
        folder: The run's folder.
        config: The settings it was measured with, as run.json holds them.
        model: Hub id or folder of the model that was measured.
        revision: Its resolved revision.
        fingerprint: The fingerprint that its weights had then.
        tokenizer, tokenizer_revision: Of the tokenizer that made the tokens.
        vocab_size: Rows of the model's input embedding.
    """

    folder: Path
    config: dict[str, Any]
    model: str
    revision: str | None
    fingerprint: str
    tokenizer: str
    tokenizer_revision: str | None
    vocab_size: int

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name

    @property
    def model_name(self) -> str:
        """What people call the model: `demo` for the embedded one."""
        try:
            return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))["model"]["name"]
        except (OSError, ValueError, KeyError):
            return self.model

    def rows(self) -> pd.DataFrame:
        """One row a sequence, by ascending `sequence_id`: what decides its split.

        Returns:
            `sequence_id`, `extractable`, the evidence columns of harm, `category`, `is_harmful`, and `is_member`
            (nullable boolean; from `is_member` of the sequences, else from a count of 0 duplicates).
        """
        metrics = self._read("metrics", ("sequence_id", "extractable", "duplicates"))
        table = metrics.merge(self._read("labels", _LABELS), on="sequence_id", validate="one_to_one")
        if missing := set(_LABELS) - set(table):
            raise UnlearningError(
                f"{self.folder / 'labels.parquet'} has no column {', '.join(sorted(missing))}: another version "
                "measured the run. Measure again (python calculate_metrics.py ...)."
            )
        member = pd.Series(pd.NA, index=table.index, dtype="boolean")
        if "duplicates" in table:
            member = (table.pop("duplicates").astype("Int64") > 0).astype("boolean")
        known = self._read("sequences", ("sequence_id", "is_member"))
        if "is_member" in known:
            said = table[["sequence_id"]].merge(known, on="sequence_id", how="left")["is_member"].astype("boolean")
            member = said.fillna(member)
        return table.assign(is_member=member).sort_values("sequence_id", ignore_index=True)

    def tokens(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """The tokens of some sequences.

        Args:
            ids: N ids.

        Returns:
            int64 [N, T], in the order of `ids`.
        """
        length = self.config["prefix_tokens"] + self.config["suffix_tokens"]
        wanted = pa.array(np.asarray(ids, np.int64))
        table = ds.dataset(self._path("sequences")).to_table(
            columns=["sequence_id", "tokens"], filter=pc.field("sequence_id").isin(wanted)
        )
        place = {number: row for row, number in enumerate(table.column("sequence_id").to_pylist())}
        lists = table.column("tokens").combine_chunks()
        flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64).reshape(-1, length)
        return flat[[place[int(number)] for number in ids]] if len(ids) else np.zeros((0, length), np.int64)

    def _path(self, table: str) -> Path:
        return self.folder / f"{table}.parquet"

    def _read(self, table: str, columns: Sequence[str]) -> pd.DataFrame:
        data = ds.dataset(self._path(table))
        return data.to_table(columns=[name for name in columns if name in data.schema.names]).to_pandas()


def find_run(name: str | None, runs_dir: Path) -> MeasuredRun:
    """The run to unlearn from.

    Args:
        name: Name of a run in `runs_dir`, or the folder of one; None is the one that was measured or shown last.
        runs_dir: The folder that holds the runs.

    Raises:
        UnlearningError: There is no such run, or its tables are not complete.
    """
    if name is None:
        finished = {path: _finished(path) for path in sorted(runs_dir.glob("*/run.json"))}
        latest = max((path for path in finished if finished[path]), key=finished.get, default=None)
        if latest is None:
            raise UnlearningError(
                f"no finished run in {runs_dir}/. Measure a model first: type python calculate_metrics.py (the "
                "embedded demo), or with --model and --sequences your own; or name another folder with --runs-dir."
            )
        return _open(latest.parent)
    for folder in (runs_dir / name, Path(name).expanduser()):
        if (folder / "run.json").is_file():
            return _open(folder)
    there = sorted(path.parent.name for path in runs_dir.glob("*/run.json"))
    raise UnlearningError(
        f"no run {name} in {runs_dir}/; "
        + (f"there: {', '.join(there)}." if there else "there is none yet: type python calculate_metrics.py.")
    )


def _finished(path: Path) -> float:
    """When the run was last measured or shown; 0 where a table that is needed here is missing."""
    stages = _state(path).get("stages", {})
    return path.stat().st_mtime if all(name in stages for name in _NEEDED) else 0.0


def _state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnlearningError(f"{path} is not readable as JSON ({error}); name another run with --run.") from error
    return state if isinstance(state, dict) else {}


def _open(folder: Path) -> MeasuredRun:
    state = _state(folder / "run.json")
    missing = [name for name in _NEEDED if name not in state.get("stages", {})]
    if missing:
        command = state.get("command", "python calculate_metrics.py")
        raise UnlearningError(
            f"the run {folder} is not finished (left to do: {', '.join(missing)}). Type the command that began it "
            f"again: {command}"
        )
    scored = state["stages"]["score"]["settings"]
    return MeasuredRun(
        folder=folder,
        config=state["config"],
        model=scored["model"],
        revision=scored["revision"],
        fingerprint=scored["model fingerprint"],
        tokenizer=scored["tokenizer"],
        tokenizer_revision=scored["tokenizer revision"],
        vocab_size=scored["vocabulary"],
    )
