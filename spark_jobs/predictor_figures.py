"""The predictor's section of the summary: what was compared, on which rows, and what the models look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metrics.intervals import wilson_interval
from metrics.platt import Platt
from metrics.prediction import compared, reliability
from spark_jobs.predictor_fit import PENALTY
from spark_jobs.summarize import finite


@dataclass(frozen=True)
class Sample:
    """The rows that models are fitted and judged on.

    Attributes:
        features: float64 [N, F], not finite where missing.
        outcome: bool [N], extractable.
        classes: str [N], of the taxonomy.
        fold: int [N].
        group: int64 [N], of near-duplicates.
    """

    features: np.ndarray
    outcome: np.ndarray
    classes: np.ndarray
    fold: np.ndarray
    group: np.ndarray


@dataclass(frozen=True)
class Approach:
    """One way to predict, held out.

    Attributes:
        features: Name of the set of inputs.
        model: `single` or `by class`.
        inputs: bool [D], the set.
        folds: The models that did not see each fold.
        platts: The calibration of each.
        probability: float64 [N], calibrated, of each row by what did not see it.
    """

    features: str
    model: str
    inputs: np.ndarray
    folds: Sequence[Any]
    platts: Sequence[Platt]
    probability: np.ndarray


def section(
    sample: Sample,
    total: int,
    input_names: Sequence[str],
    approaches: Sequence[Approach],
    why_no_model: Mapping[str, str | None],
    seed: int,
) -> dict[str, Any]:
    """Section `predictor` of the summary.

    Args:
        sample: The rows.
        total: How many rows the run has.
        input_names: D names.
        approaches: The first is the baseline of those with the same inputs; so is the first of each later set.
        why_no_model: For each class with rows, why it has no model of its own; None where it has one.
        seed: Of the resamples.
    """
    sets = dict.fromkeys(approach.features for approach in approaches)
    comparison = [
        {"features": label, "model": model} | figures
        for label in sets
        for model, figures in _compared([a for a in approaches if a.features == label], sample, seed).items()
    ]
    kept = [approach for approach in approaches if approach.features == next(iter(sets))]
    best = kept[-1]
    return {
        "skipped": None,
        "target": "extractable",
        "rows": len(sample.outcome),
        "rows_of_run": total,
        "extractable": int(sample.outcome.sum()),
        "groups": len(np.unique(sample.group)),
        "folds": len(best.folds),
        "penalty": PENALTY,
        "features": best.features,
        "comparison": comparison,
        "classes": [_class_figures(name, why, kept, sample, seed) for name, why in why_no_model.items()],
        "coefficients": _coefficients(best, input_names),
        "reliability": {
            approach.model: [_bin(row) for row in reliability(approach.probability, sample.outcome)]
            for approach in kept
        },
    }


def _compared(approaches: Sequence[Approach], sample: Sample, seed: int, rows: np.ndarray | None = None) -> dict:
    rows = np.ones(len(sample.outcome), dtype=bool) if rows is None else rows
    found = compared(
        {approach.model: approach.probability[rows] for approach in approaches},
        sample.outcome[rows],
        sample.group[rows],
        approaches[0].model,
        seed=seed,
    )
    return {
        model: {name: {part: finite(value) for part, value in parts.items()} for name, parts in figures.items()}
        for model, figures in found.items()
    }


def _class_figures(
    name: str, why: str | None, approaches: Sequence[Approach], sample: Sample, seed: int
) -> dict[str, Any]:
    """How well the single model tells the rows of one class and, where it has one, its own."""
    judged = approaches if why is None else approaches[:1]
    rows = sample.classes == name
    hits = int(sample.outcome[rows].sum())
    both = 0 < hits < int(rows.sum())
    return {
        "class": name,
        "rows": int(rows.sum()),
        "extractable": hits,
        "why_no_model": why,
        "figures": _compared(judged, sample, seed, rows) if both else None,
    }


def _coefficients(approach: Approach, input_names: Sequence[str]) -> list[dict[str, Any]]:
    """For each input and model, change of the log-odds per standard deviation: mean, least and most over the folds."""
    models = {"all": [fold.single for fold in approach.folds]}
    for name in approach.folds[0].by_class:
        models[name] = [fold.by_class[name] for fold in approach.folds]
    result = []
    for place in np.flatnonzero(approach.inputs):
        values = {name: [float(model.weights[place]) for model in folds] for name, folds in models.items()}
        result.append(
            {
                "input": input_names[place],
                "models": {
                    name: {"value": sum(found) / len(found), "low": min(found), "high": max(found)}
                    for name, found in values.items()
                },
            }
        )
    return sorted(result, key=lambda row: -abs(row["models"]["all"]["value"]))


def _bin(row: Mapping[str, float]) -> dict[str, float]:
    low, high = wilson_interval(int(row["positives"]), int(row["rows"]))
    return {
        "rows": row["rows"],
        "probability": row["probability"],
        "share": row["positives"] / row["rows"],
        "low": low,
        "high": high,
    }
