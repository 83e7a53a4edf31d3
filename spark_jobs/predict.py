"""Predict: the probability that a row is recited, from what kind of row it is.

1. Features of a hashed sample of rows, standardised (`predictor_features`).
2. Logistic regressions: one for all rows, which is the baseline of Prashanth et al. 2024, and one for each class of
   the taxonomy; each without one fifth, and without two fifths, of the groups of near-duplicates; with and without
   the perplexities that were measured on the suffix (`predictor_fit`).
3. Platt scaling for each fold, from the other four alone: on log-odds of models that saw neither it nor the row.
4. The figures of the held-out probabilities (`predictor_figures`).
5. Every row, sampled or not, gets its probability from models that saw neither it nor a near copy of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from metrics.platt import Platt, fit_platt
from spark_jobs import workers
from spark_jobs.predictor_features import (
    CLASS_NAMES,
    SUFFIX_FEATURES,
    Scaling,
    described,
    feature_columns,
    scaling_of,
)
from spark_jobs.predictor_figures import Approach, Sample, section
from spark_jobs.predictor_fit import Linear, Task, fit_all
from spark_jobs.schemas import PREDICTIONS, arrow_schema
from spark_jobs.watch import run_action

FOLDS = 5
# Single folds for the predictions; pairs for the calibration, whose models must not have seen the fold either.
HELD_OUT: tuple[tuple[int, ...], ...] = (*((fold,) for fold in range(FOLDS)), *combinations(range(FOLDS), 2))
MAX_ROWS = 20_000  # that models are fitted on: some 25 inputs need no more, and each row enters up to 80 models
MIN_ROWS = 100  # of either outcome; with fewer the figures of five folds are noise
MIN_CLASS_ROWS = 50  # the same within a class of the taxonomy


@dataclass(frozen=True)
class FoldModels:
    """The models that did not see one fold.

    Attributes:
        single: The model of all rows.
        by_class: The models of the classes that have one.
    """

    single: Linear
    by_class: Mapping[str, Linear]

    def log_odds(self, inputs: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Log-odds float64 [N]; rows of a class that has no model get those of the single one."""
        result = self.single(inputs)
        for name, model in self.by_class.items():
            result = np.where(classes == name, model(inputs), result)
        return result


def predict(
    spark: SparkSession,
    metrics: DataFrame,
    labels: DataFrame,
    writing: Path,
    seed: int,
    on_share: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Fits the predictor, judges it, and writes table `predictions`.

    Args:
        spark: The session.
        metrics: Table `metrics`.
        labels: Table `labels`, with `taxonomy` and `near_duplicate_group`.
        writing: Where to write the table.
        seed: Of the folds, the sample and the resamples.
        on_share: Called with the share of tasks done of the last and longest action.

    Returns:
        Section `predictor` of the summary. Where `skipped` is not None it says why, with nothing else and no table.
    """
    rows = described(metrics, labels, seed, FOLDS)
    names = tuple(feature_columns(metrics, labels))
    total = run_action(spark, "predict: count rows", metrics.count)
    sample = run_action(spark, "predict: a sample of rows", lambda: _sample(rows, total, names, seed))
    reason = _why_skipped(sample)
    if reason:
        return {"skipped": reason}
    scaling = scaling_of(sample.features, names)
    inputs = scaling(sample.features)
    missing = {name: _why_no_model(sample, name) for name in CLASS_NAMES if (sample.classes == name).any()}
    with_model = [name for name, why in missing.items() if why is None]
    sets = _feature_sets(scaling)
    models = run_action(
        spark, "predict: logistic regressions", lambda: _fit(spark, sample, inputs, list(sets.values()), with_model)
    )
    approaches = []
    for (label, chosen), held_out in zip(sets.items(), models, strict=True):
        alone = {folds: FoldModels(found.single, {}) for folds, found in held_out.items()}
        for model, parts in (("single", alone), ("by class", held_out))[: 2 if with_model else 1]:
            folds = [parts[fold,] for fold in range(FOLDS)]
            platts = _calibration(sample, inputs, parts)
            probability = _held_out(sample.fold, sample.classes, inputs, folds, platts)
            approaches.append(Approach(label, model, chosen, folds, platts, probability))
    first_set = next(iter(sets))
    best = [approach for approach in approaches if approach.features == first_set][-1]
    frame = rows.mapInArrow(
        _predicted(scaling, best.folds, best.platts),
        from_arrow_schema(arrow_schema(PREDICTIONS)),
    )
    run_action(spark, "predict: every row", lambda: frame.write.parquet(str(writing)), on_share)
    return section(sample, total, scaling.names, approaches, missing, seed)


def _sample(rows: DataFrame, total: int, names: Sequence[str], seed: int) -> Sample:
    """At most about `MAX_ROWS` of all rows, chosen by a hash of the id."""
    if total > MAX_ROWS:
        place = F.pmod(F.xxhash64("sequence_id", F.lit(seed).cast("long"), F.lit("predict")), F.lit(total))
        rows = rows.where(place < MAX_ROWS)
    table = rows.toArrow().sort_by("sequence_id")
    features = workers.matrix(table.column("features"), table.num_rows) if table.num_rows else np.empty((0, len(names)))
    return Sample(
        features=features.astype(np.float64),
        outcome=table.column("extractable").to_numpy().astype(bool),
        classes=np.array(table.column("class").to_pylist(), dtype=object),
        fold=table.column("fold").to_numpy(),
        group=table.column("group").to_numpy(),
    )


def _why_skipped(sample: Sample) -> str | None:
    positives, rows = int(sample.outcome.sum()), len(sample.outcome)
    if min(positives, rows - positives) < MIN_ROWS:
        return (
            f"{positives:,} rows are extractable and {rows - positives:,} are not; a predictor needs at least "
            f"{MIN_ROWS} of either"
        )
    return _why_folds_fail(sample, np.ones(rows, dtype=bool))


def _why_no_model(sample: Sample, name: str) -> str | None:
    """Why a class gets no model of its own; None where it gets one."""
    rows = sample.classes == name
    if rows.all():
        return "every row is of this class: the model of all rows is its model"
    positives = int(sample.outcome[rows].sum())
    others = int(rows.sum()) - positives
    if min(positives, others) < MIN_CLASS_ROWS:
        return f"{positives:,} of its rows are extractable and {others:,} are not; at least {MIN_CLASS_ROWS} of either"
    return _why_folds_fail(sample, rows)


def _why_folds_fail(sample: Sample, rows: np.ndarray) -> str | None:
    for folds in HELD_OUT:
        outcomes = sample.outcome[rows & ~np.isin(sample.fold, folds)]
        if not outcomes.any() or outcomes.all():
            return "too few groups of near-duplicates hold all rows of an outcome, so they cannot be held out"
    return None


def _feature_sets(scaling: Scaling) -> dict[str, np.ndarray]:
    """Which inputs, bool [D], by name of the set; the first is the one whose probabilities are kept."""
    of_suffix = np.array([name.split(" ")[0] in SUFFIX_FEATURES for name in scaling.names])
    everything = np.ones(len(of_suffix), dtype=bool)
    if not of_suffix.any():
        return {"without suffix perplexity": everything}
    return {"with suffix perplexity": everything, "without suffix perplexity": ~of_suffix}


def _fit(
    spark: SparkSession, sample: Sample, inputs: np.ndarray, sets: Sequence[np.ndarray], with_model: Sequence[str]
) -> list[dict[tuple[int, ...], FoldModels]]:
    """For each set of inputs, the models by the folds that they did not see."""
    everything = np.ones(len(sample.outcome), dtype=bool)
    wanted = [everything, *(sample.classes == name for name in with_model)]
    seen = [~np.isin(sample.fold, folds) for folds in HELD_OUT]
    tasks = [Task(rows & others, chosen) for chosen in sets for others in seen for rows in wanted]
    models = iter(fit_all(spark, inputs, sample.outcome, tasks))
    return [
        {folds: FoldModels(next(models), {name: next(models) for name in with_model}) for folds in HELD_OUT}
        for _ in sets
    ]


def _calibration(sample: Sample, inputs: np.ndarray, models: Mapping[tuple[int, ...], FoldModels]) -> list[Platt]:
    """The calibration of each fold: on the log-odds of each other fold by models that saw neither of the two."""
    platts = []
    for fold in range(FOLDS):
        log_odds = np.empty(len(inputs))
        for other in set(range(FOLDS)) - {fold}:
            rows = sample.fold == other
            held_out = models[min(fold, other), max(fold, other)]
            log_odds[rows] = held_out.log_odds(inputs[rows], sample.classes[rows])
        rows = sample.fold != fold
        platts.append(fit_platt(log_odds[rows], sample.outcome[rows]))
    return platts


def _held_out(
    fold: np.ndarray, classes: np.ndarray, inputs: np.ndarray, folds: Sequence[FoldModels], platts: Sequence[Platt]
) -> np.ndarray:
    """Each row's probability, float64 [N], by what saw neither it nor its copies."""
    probability = np.empty(len(inputs))
    for place, (models, platt) in enumerate(zip(folds, platts, strict=True)):
        rows = fold == place
        probability[rows] = platt.probability(models.log_odds(inputs[rows], classes[rows]))
    return probability


def _predicted(scaling: Scaling, folds: Sequence[FoldModels], platts: Sequence[Platt]) -> workers.ArrowFunction:
    schema = arrow_schema(PREDICTIONS)

    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows == 0:
                continue
            inputs = scaling(workers.matrix(batch.column("features"), batch.num_rows).astype(np.float64))
            classes = np.array(batch.column("class").to_pylist(), dtype=object)
            fold = batch.column("fold").to_numpy()
            probability = _held_out(fold, classes, inputs, folds, platts).astype(np.float32)
            yield pa.RecordBatch.from_arrays(
                [batch.column("sequence_id"), pa.array(probability), batch.column("fold")], schema=schema
            )

    return run
