"""The predictor's features: the columns that describe a sequence, not those that say how the model continued it.

Left out are `extractable` itself and everything made from the model's choices in the suffix (mismatches, memorization
score and accuracy, EL, p_z, BLEU, edit distance, the membership scores, which are functions of the same probabilities).
The perplexities stay because Prashanth et al. 2024 use those of prompt, continuation and sequence; the last two come
close to the target, so every model is made with and without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from metrics.taxonomy import CLASSES

SUFFIX_FEATURES = frozenset(("perplexity_suffix", "perplexity_sequence"))
"""Measured on the suffix that is to be recited."""
UNKNOWN = "unknown"
"""Stands for the class of rows whose taxonomy is null."""
CLASS_NAMES = (*CLASSES, UNKNOWN)

_LOGARITHMS = ("perplexity_prefix", "perplexity_suffix", "perplexity_sequence")
_COUNTS = ("duplicates", *(f"token_count_{name}" for name in ("min", "p25", "median", "mean", "p75", "max")))
_AS_THEY_ARE = ("huffman_code_length",)
_KINDS = ("repeating", "incrementing")
# Functions of other columns, and names of rows.
_NO_EVIDENCE = frozenset(("sequence_id", "is_harmful", "highly_duplicated", "near_duplicate_group"))
_INTEGERS, _FRACTIONS = frozenset(("int", "bigint", "smallint", "tinyint")), frozenset(("float", "double"))


def feature_columns(metrics: DataFrame, labels: DataFrame) -> dict[str, Column]:
    """The features by name, as expressions on the two tables joined.

    Perplexities by their logarithm, counts by log(1 + n) (signed ones by sign(n) log(1 + |n|)) since both have heavy
    tails, probabilities and shares as they are, flags and kinds of repetition as 0 and 1.

    Args:
        metrics: Table `metrics`.
        labels: Table `labels`; every flag and number in it is evidence.
    """
    chosen = {name: F.log(name) for name in _LOGARITHMS if name in metrics.columns}
    chosen |= {name: F.log1p(name) for name in _COUNTS if name in metrics.columns}
    chosen |= {name: F.col(name) for name in _AS_THEY_ARE if name in metrics.columns}
    for name, kind in labels.dtypes:
        if name in _NO_EVIDENCE or name in chosen:
            continue
        if kind == "boolean" or kind in _FRACTIONS:
            chosen[name] = F.col(name).cast("double")
        elif kind in _INTEGERS:
            chosen[name] = F.signum(name) * F.log1p(F.abs(F.col(name).cast("double")))
    if "repetition_kind" in labels.columns:
        chosen |= {kind: (F.col("repetition_kind") == kind).cast("double") for kind in _KINDS}
    return {name: column.cast("double") for name, column in chosen.items()}


def described(metrics: DataFrame, labels: DataFrame, seed: int, folds: int) -> DataFrame:
    """What the predictor sees of each row.

    The fold comes from the group of near-duplicates, so copies are never on both sides of a split.

    Args:
        metrics: Table `metrics`.
        labels: Table `labels`, with `taxonomy` and `near_duplicate_group`.
        seed: Of the folds.
        folds: How many.

    Returns:
        `sequence_id`, `extractable`, `group`, `fold` int in [0, folds), `class` (one of `CLASS_NAMES`), `features`
        list<double>.
    """
    chosen = feature_columns(metrics, labels)
    others = labels.drop(*(set(metrics.columns) & set(labels.columns) - {"sequence_id"}))
    joined = metrics.join(others.hint("shuffle_hash"), "sequence_id")
    fold = F.pmod(F.xxhash64("near_duplicate_group", F.lit(seed).cast("long")), F.lit(folds)).cast("int")
    return joined.select(
        "sequence_id",
        "extractable",
        F.col("near_duplicate_group").alias("group"),
        fold.alias("fold"),
        F.coalesce("taxonomy", F.lit(UNKNOWN)).alias("class"),
        F.array(*chosen.values()).alias("features"),
    )


@dataclass(frozen=True)
class Scaling:
    """Features -> inputs of a model: missing ones filled and flagged, all in standard deviations from the mean.

    Attributes:
        names: Of the D inputs: features that vary, then `NAME is missing` for those that are missing in some rows.
        source: int [D], the feature that each input comes from.
        is_flag: bool [D], whether the input says that the feature is missing.
        fill: float64 [D], the median, where the feature is missing.
        mean, scale: float64 [D].
    """

    names: tuple[str, ...]
    source: np.ndarray
    is_flag: np.ndarray
    fill: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features float64 [N, F], not finite where missing -> inputs float64 [N, D]."""
        return (_inputs(features, self.source, self.is_flag, self.fill) - self.mean) / self.scale


def scaling_of(features: np.ndarray, names: tuple[str, ...]) -> Scaling:
    """The scaling that gives these rows mean 0 and standard deviation 1. What does not vary is left out.

    It looks at no outcome, so it may come from all rows, those of held-out folds included.

    Args:
        features: float64 [N, F], not finite where missing.
        names: F names.
    """
    known = np.isfinite(features)
    source, is_flag, fill = [], [], []
    for place in range(len(names)):
        values = features[known[:, place], place]
        if len(values) and values.min() < values.max():
            source.append(place), is_flag.append(False), fill.append(float(np.median(values)))
    for place in range(len(names)):
        if 0 < known[:, place].sum() < len(features):
            source.append(place), is_flag.append(True), fill.append(0.0)
    arrays = (np.array(source, dtype=np.int64), np.array(is_flag, dtype=bool), np.array(fill, dtype=np.float64))
    inputs = _inputs(features, *arrays)
    shown = [f"{names[i]} is missing" if flag else names[i] for i, flag in zip(source, is_flag, strict=True)]
    return Scaling(tuple(shown), *arrays, inputs.mean(axis=0), inputs.std(axis=0))


def _inputs(features: np.ndarray, source: np.ndarray, is_flag: np.ndarray, fill: np.ndarray) -> np.ndarray:
    values = features[:, source]
    known = np.isfinite(values)
    return np.where(is_flag, ~known, np.where(known, values, fill))
