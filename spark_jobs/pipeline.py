"""The measuring half, end to end: sequences -> token scores -> metrics -> categories -> predictor -> summary."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.counts import count_tables, duplicates_table, token_counts
from spark_jobs.examples import examples
from spark_jobs.label import LabelSettings, labelled
from spark_jobs.measure import MeasureSettings, measured
from spark_jobs.near_duplicates import near_duplicates
from spark_jobs.partitions import set_shuffle_partitions, spread
from spark_jobs.plan import TABLE_STAGES, Plan, plain
from spark_jobs.predict import predict
from spark_jobs.prepare import PrepareSettings, prepare_tables, rejected_by_reason
from spark_jobs.run_folder import RunFolder, settings_key, write_json
from spark_jobs.score import ScoreSettings, score_table
from spark_jobs.summarize import column_reference, summarize
from spark_jobs.watch import run_action


class StageProgress(Protocol):
    """Where a stage says how far it is."""

    def update(self, done_rows: int) -> None:
        """Rows done so far."""


class Progress(Protocol):
    """Shows the stages to whoever is watching."""

    def stage(self, name: str, description: str, total_rows: int | None) -> AbstractContextManager[StageProgress]:
        """A stage begins; it ends with the context."""

    def skipped(self, name: str, why: str) -> None:
        """A stage has nothing to do."""


class Pipeline:
    """One run: each stage writes its tables whole, notes that it did, and is skipped when that was done before."""

    def __init__(
        self, spark: SparkSession, plan: Plan, folder: RunFolder, progress: Progress, no_predictor: str | None = None
    ) -> None:
        """A run of `plan` in `folder`; `no_predictor` says why the predictor is left out, if it is."""
        self.spark = spark
        self.plan = plan
        self.folder = folder
        self.progress = progress
        self.no_predictor = no_predictor
        self.rows = folder.state.get("rows", {})
        self._skipped: set[str] = set()

    def run(self, about: dict[str, Any]) -> dict[str, Any]:
        """Runs every stage that is not finished.

        Args:
            about: What the summary says of the run beside the counted numbers (command, versions, ...).

        Returns:
            The summary, also written as `summary.json`.
        """
        self._stage("prepare", "read, tokenize, check", self.plan.source.rows, self._prepare)
        rows = self.rows["sampled"]
        set_shuffle_partitions(self.spark, rows)
        self._stage("count", "duplicates and token frequencies", rows, self._count)
        self._stage("score", "one pass of the model", rows, self._score)
        self._stage("measure", "metrics", rows, self._measure)
        self._stage("label", "near-duplicates and categories", rows, self._label)
        self._stage("predict", "what tells a recited row from another", rows, self._predict)
        return self._summarize(about)

    def table(self, name: str) -> DataFrame:
        """Table `name` of the run."""
        return self.spark.read.parquet(str(self.folder.table(name)))

    def _stage(
        self,
        name: str,
        description: str,
        total: int | None,
        work: Callable[[StageProgress, int | None], None],
    ) -> None:
        if self.folder.is_complete(name):
            self._skipped.add(name)
            self.progress.skipped(name, "done before with the same settings")
            return
        started = time.monotonic()
        self.spark.sparkContext.setJobDescription(f"{name}: look at the tables")
        with self.progress.stage(name, description, total) as shown:
            work(shown, total)
            rows = self.rows["read"] if name == "prepare" else self.rows["sampled"]
            shown.update(rows)
        self.folder.finish(name, self.plan.settings[name], rows, time.monotonic() - started)

    def _prepare(self, shown: StageProgress, total: int | None) -> None:
        config = self.plan.config
        settings = PrepareSettings(
            tokenizer=self.plan.tokenizer,
            tokenizer_revision=self.plan.tokenizer_revision,
            prefix_tokens=config.prefix_tokens,
            suffix_tokens=config.suffix_tokens,
            vocab_size=self.plan.model.vocab_size,
            sample=config.sample,
            seed=config.seed,
        )
        self.rows = prepare_tables(self.spark, self.folder, self.plan.source, settings, _rows_of(shown, total))
        self.folder.save(rows=self.rows)

    def _count(self, shown: StageProgress, total: int | None) -> None:
        count_tables(
            self.spark,
            self.folder,
            self.plan.config,
            self.table("sequences"),
            self.plan.model.vocab_size,
            _rows_of(shown, total),
        )

    def _score(self, shown: StageProgress, total: int | None) -> None:
        config = self.plan.config
        settings = ScoreSettings(
            model=config.model,
            revision=self.plan.model.revision,
            dtype=config.dtype,
            device=config.device,
            prefix_tokens=config.prefix_tokens,
            k_values=config.k,
            level=self.plan.level,
            eos_token_ids=self.plan.model.eos_token_ids,
            batch_size=config.batch_size,
            checkpoint_rows=config.checkpoint_rows,
        )
        self.folder.begin("score", self.plan.settings["score"], "scores")
        score_table(self.spark, self.folder, settings, self.rows["sampled"], config.el_rows, config.seed, shown.update)

    def _measure(self, shown: StageProgress, total: int | None) -> None:
        settings = MeasureSettings(
            tokenizer=self.plan.tokenizer,
            tokenizer_revision=self.plan.tokenizer_revision,
            vocab_size=self.plan.model.vocab_size,
            prefix_tokens=self.plan.config.prefix_tokens,
            k_values=self.plan.config.k,
            level=self.plan.level,
        )
        counts: np.ndarray | None = token_counts(self.folder, self.plan.model.vocab_size)
        frame = measured(
            self._spread("sequences"),
            self._spread("scores"),
            duplicates_table(self.spark, self.folder),
            settings,
            counts,
        )
        self._write(frame, "metrics", "measure: metrics", shown, total)

    def _label(self, shown: StageProgress, total: int | None) -> None:
        tokens = self.table("sequences").select("sequence_id", "tokens")
        copies = run_action(self.spark, "label: near-duplicates", lambda: near_duplicates(tokens))
        frame = labelled(
            self._spread("sequences"),
            copies,
            duplicates_table(self.spark, self.folder),
            LabelSettings(self.plan.config.include_attribution, self.plan.config.ner_model),
        )
        self._write(frame, "labels", "label: evidence and categories", shown, total)

    def _predict(self, shown: StageProgress, total: int | None) -> None:
        writing = self.folder.writing("predictions")
        if self.no_predictor:
            section = {"skipped": self.no_predictor}
        else:
            section = predict(
                self.spark,
                self.table("metrics"),
                self.table("labels"),
                writing,
                self.plan.config.seed,
                _rows_of(shown, total),
            )
        if not section["skipped"]:
            self.folder.publish(writing, "predictions")
        write_json(self.folder.path / "predictor.json", section)

    def _spread(self, name: str) -> DataFrame:
        """Table `name` by id over enough partitions to keep every core busy."""
        return self.table(name).repartition(spread(self.spark, self.rows["sampled"]), "sequence_id")

    def _write(self, frame: DataFrame, name: str, description: str, shown: StageProgress, total: int | None) -> None:
        writing = self.folder.writing(name)
        run_action(self.spark, description, lambda: frame.write.parquet(str(writing)), _rows_of(shown, total))
        self.folder.publish(writing, name)

    def _summarize(self, about: dict[str, Any]) -> dict[str, Any]:
        plan, config = self.plan, self.plan.config
        started = time.monotonic()
        self.spark.sparkContext.setJobDescription("summarize: look at the tables")
        with self.progress.stage("summarize", "the numbers of the report", None) as shown:
            counted = run_action(
                self.spark,
                "summarize: count by category",
                lambda: summarize(
                    self.table("sequences"),
                    self.table("metrics"),
                    self.table("labels"),
                    self.table("scores"),
                    config.k,
                ),
            )
            shown_rows = run_action(self.spark, "summarize: choose examples", lambda: examples(self, config))
            reasons = rejected_by_reason(self.spark, self.folder)
            shown.update(self.rows["sampled"])
        self.folder.forget("summarize")  # until summary.json is the one that these settings give
        seconds = time.monotonic() - started
        summary = {
            "run": plan.run,
            **about,
            "config": plain(config),
            "model": {
                "name": plan.model_name,
                "revision": plan.model.revision,
                "parameters": plan.model.parameters,
                "vocab_size": plan.model.vocab_size,
                "fingerprint": plan.model.fingerprint,
            },
            "source": {
                "name": plan.source_name,
                "split": plan.source.split,
                "fingerprint": plan.source.fingerprint,
            },
            "rows": self.rows | {"rejected_by_reason": reasons},
            "prefix_tokens": config.prefix_tokens,
            "suffix_tokens": config.suffix_tokens,
            "k": list(config.k),
            "scores": config.scores,
            "warnings": list(plan.warnings),
            **counted,
            "predictor": json.loads((self.folder.path / "predictor.json").read_text(encoding="utf-8")),
            "examples": shown_rows,
            "stages": [
                {
                    "name": name,
                    "rows": self.folder.state["stages"][name]["rows"],
                    "seconds": self.folder.state["stages"][name]["seconds"],
                    "skipped": name in self._skipped,
                }
                for name in TABLE_STAGES
            ]
            + [
                {
                    "name": "summarize",
                    "rows": self.rows["sampled"],
                    "seconds": round(seconds, 3),
                    "skipped": False,
                }
            ],
            "columns": column_reference(plan.level),
        }
        write_json(self.folder.path / "summary.json", summary)
        self.folder.finish("summarize", plan.settings["summarize"], self.rows["sampled"], seconds)
        return summary


def finished_summary(plan: Plan, folder: RunFolder) -> dict[str, Any] | None:
    """The summary of a run that was finished with these settings; None where something is left to do."""
    made = folder.state["stages"].get("summarize")
    path = folder.path / "summary.json"
    if made is None or made["key"] != settings_key(plan.settings["summarize"]) or not path.is_file():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def _rows_of(shown: StageProgress, total: int | None) -> Callable[[float], None]:
    """A share of tasks done, as rows done."""
    return lambda share: shown.update(int(share * total)) if total else None
