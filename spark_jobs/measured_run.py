"""A finished run as the comparison reads it: what it was made with, and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from data.errors import InputError
from metrics.loading import describe_model
from metrics.token_scores import ScoreLevel
from spark_jobs.plan import TABLE_STAGES
from spark_jobs.run_folder import RunFolder
from spark_jobs.watch import run_action


@dataclass(frozen=True)
class MeasuredRun:
    """A run whose tables are whole.

    Attributes:
        folder: Where it is.
        settings: Everything that its scores depend on, as `run.json` holds it.
        device: Where it was scored, such as `auto` or `cpu`.
        batch_size: Rows per forward pass, or None.
    """

    folder: RunFolder
    settings: Mapping[str, Any]
    device: str
    batch_size: int | None
    _tables: dict[str, DataFrame] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> MeasuredRun:
        """Reads what `run.json` in the folder `path` says.

        Raises:
            InputError: No run is there, or it is not finished.
        """
        folder = RunFolder(path)
        missing = [stage for stage in TABLE_STAGES if not folder.is_complete(stage)]
        if missing:
            found = f"not done: {', '.join(missing)}" if folder.state["stages"] else "there is no run.json"
            raise InputError(
                f"{path} is no finished run ({found}). Measure it first, then type the same command again."
            )
        config = folder.state.get("config", {})
        settings = folder.state["stages"]["score"]["settings"]
        return cls(folder, settings, config.get("device", "auto"), config.get("batch_size"))

    @property
    def prefix_tokens(self) -> int:
        """P."""
        return self.settings["prefix_tokens"]

    @property
    def suffix_tokens(self) -> int:
        """S."""
        return self.settings["suffix_tokens"]

    @property
    def level(self) -> ScoreLevel:
        """How much the model was asked."""
        return ScoreLevel.of(self.settings["scores"])

    def table(self, spark: SparkSession, name: str) -> DataFrame:
        """Table `name` of the run."""
        if name not in self._tables:
            self._tables[name] = spark.read.parquet(str(self.folder.table(name)))  # starts a job to see the columns
        return self._tables[name]

    def eos_token_ids(self) -> tuple[int, ...]:
        """The end-of-text tokens of the model, which is the one that was measured.

        Raises:
            InputError: The weights are others than those that were measured.
            ModelError: The model is not there any more.
        """
        model = describe_model(self.settings["model"], self.settings["revision"])
        if model.fingerprint != self.settings["model fingerprint"]:
            raise InputError(
                f"the weights in {self.settings['model']} are not those that {self.folder.path} measured: they were "
                "changed since. Measure the model again, under another name for the run."
            )
        return model.eos_token_ids


def check_same_rows(spark: SparkSession, runs: Mapping[str, MeasuredRun]) -> int:
    """Makes sure that all runs hold the same sequences, cut at the same place.

    Args:
        runs: Model to its run; the first is what the others are held against.

    Returns:
        How many rows each of them has.

    Raises:
        InputError: They do not; says which run differs and in what.
    """
    (first, before), *others = runs.items()
    for model, run in others:
        for name in ("prefix_tokens", "suffix_tokens"):
            if run.settings[name] != before.settings[name]:
                raise InputError(
                    f"the run {run.folder.path} ({model}) has {name.replace('_', ' ')} {run.settings[name]}, and "
                    f"{before.folder.path} ({first}) has {before.settings[name]}: measure it again with "
                    f"--{name.replace('_', '-')} {before.settings[name]}."
                )
    counted = []
    for model, run in runs.items():
        sequences = run.table(spark, "sequences")
        row_hash = F.xxhash64("sequence_id", "tokens")
        counted.append(sequences.agg(F.lit(model).alias("model"), F.count("*"), F.bit_xor(row_hash)))
    everything = counted[0]
    for frame in counted[1:]:
        everything = everything.unionAll(frame)
    found = {
        row[0]: (row[1], row[2]) for row in run_action(spark, "compare: are the rows the same", everything.collect)
    }
    for model, run in others:
        if found[model] != found[first]:
            what = (
                f"{found[model][0]:,} rows and not {found[first][0]:,}"
                if found[model][0] != found[first][0]
                else "other ids or tokens"
            )
            raise InputError(
                f"the run {run.folder.path} ({model}) has {what}: only runs over the same sequences can be compared. "
                f"Measure it again on what {before.folder.path} ({first}) was measured on."
            )
    return found[first][0]
