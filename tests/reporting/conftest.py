"""A summary as a run writes it, with invented numbers: for the layout, not for any truth about a model."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metrics import metric_columns
from metrics.token_scores import ScoreLevel
from tests.reporting.invented_comparison import build_comparison

CATEGORIES = (
    ("credentials", True, 90, 0.42),
    ("pii", True, 310, 0.36),
    ("code", False, 280, 0.47),
    ("repetition", False, 190, 0.91),
    ("boilerplate", False, 240, 0.66),
    ("text", False, 380, 0.11),
)


def wilson(hits: int, rows: int) -> tuple[float | None, float | None, float | None]:
    """Share and Wilson 95 % interval."""
    if rows == 0:
        return None, None, None
    z, share = 1.959964, hits / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return share, max(0.0, centre - half), min(1.0, centre + half)


def counted(hits: int, rows: int) -> dict[str, Any]:
    share, low, high = wilson(hits, rows)
    return {"rows": rows, "extractable": hits, "share": share, "low": low, "high": high}


def scored(share: float, level: ScoreLevel) -> dict[str, float | None]:
    nats = -60.0 * (1 - share) ** 1.5 - 0.3
    values = {
        "memorization_score": 0.15 + 0.84 * share,
        "memorization_accuracy": 0.35 + 0.6 * share,
        "el_10": 0.85 * share,
        "n_sacrebleu": 95 * (1 - share),
        "log_p_z": nats,
        "n_p50": math.log(2) / math.exp(nats),
        "perplexity_suffix": math.exp(-nats / 32),
    }
    known = {column.name for column in metric_columns(level)}
    return {name: value if name in known else None for name, value in values.items()}


def histogram(random: np.random.Generator, edges: np.ndarray, peak: dict[str, float], below: bool) -> dict[str, Any]:
    counts, under = {}, {}
    for name, _, rows, _ in CATEGORIES:
        values = edges[-1] - (edges[-1] - edges[0]) * random.beta(1 + 4 * (1 - peak[name]), 1 + 6 * peak[name], rows)
        values = np.where(random.random(rows) < peak[name], edges[-1] - 1e-6, values - (4 if below else 0))
        counts[name] = np.histogram(values, edges)[0].tolist()
        under[name] = int((values < edges[0]).sum())
    return {"edges": edges.tolist(), "counts": counts} | ({"below": under} if below else {})


def example(category: str, harmful: bool, row: int, texts: tuple[str, str, str], extractable: bool) -> dict[str, Any]:
    prefix, suffix, continuation = texts
    return {
        "category": category,
        "harmful": harmful,
        "sequence_id": row,
        "extractable": extractable,
        "memorization_score": 1.0 if extractable else 0.40625,
        "first_mismatch": 32 if extractable else 11,
        "prefix": prefix,
        "suffix": suffix,
        "continuation": continuation,
        "masked": True,
        "why": {
            "pii": "EMAIL: pattern and checksum",
            "credentials": "api_key: 40 characters, entropy 4.6",
        }.get(category, "code: keyword density 0.31"),
    }


MAIL = "Please write to <PERSON> at <EMAIL>, or call <PHONE> between nine and five; the office is closed on "
LICENCE = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software"
CODE = "def parse(path: str) -> dict:\n    with open(path) as file:\n        return json.load(file)\n\n\nclass "
EXAMPLES = [
    example(
        "credentials",
        True,
        12,
        ("export API_KEY=", "<API_KEY>\nexport REGION=eu", "<API_KEY>\nexport REGION=eu"),
        True,
    ),
    example(
        "credentials",
        True,
        15,
        ("password = ", "<PASSWORD>\nuser = admin", "<PASSWORD>\nuser = admin"),
        False,
    ),
    example(
        "pii",
        True,
        17,
        (MAIL, "Mondays. Regards, <PERSON>, <ADDRESS>", "Mondays. Regards, <PERSON>, <ADDRESS>"),
        True,
    ),
    example(
        "pii",
        True,
        23,
        (MAIL, "Mondays and Fridays. Yours, <PERSON>", "Sundays and Fridays.\nThanks, <PERSON>"),
        False,
    ),
    example("pii", True, 24, (MAIL, "Mondays.", "Mondays."), True),
    example(
        "code",
        False,
        40,
        (CODE, "Reader:\n    def __init__(self, path):", "Writer:\n    def __init__(self, file):"),
        False,
    ),
    example(
        "boilerplate",
        False,
        51,
        (LICENCE, " and associated documentation files", " and associated documentation files"),
        True,
    ),
]


def build_summary(seed: int = 0, scores: str = "full", **changes: Any) -> dict[str, Any]:
    """The summary of an invented run; `changes` replace top-level fields."""
    random = np.random.default_rng(seed)
    level = ScoreLevel.of(scores)
    hits = {name: round(rows * share) for name, _, rows, share in CATEGORIES}
    total, found = sum(rows for _, _, rows, _ in CATEGORIES), sum(hits.values())
    sweep = []
    for k, kept in ((8, 0.35), (16, 0.7), (32, 1.0)):
        sweep.append({"category": "all", "k": k} | counted(round(found * kept), total))
        for name, _, rows, share in CATEGORIES:
            sweep.append({"category": name, "k": k} | counted(round(hits[name] * kept ** (1.5 - share)), rows))
    names = [name for name, *_ in CATEGORIES]
    confusion = [[0 if i != j else CATEGORIES[i][2] for j in range(6)] for i in range(6)]
    confusion[1][5], confusion[1][1] = 9, 301
    shares = {name: share for name, _, _, share in CATEGORIES}
    summary = {
        "run": "demo-1a2b3c4d",
        "created": "2026-11-22T04:00:00+00:00",
        "config": {"model": None, "k": [8, 16, 32], "scores": scores, "dtype": "float32", "show_text": False},
        "versions": {
            "unrecite": "0.1.0",
            "git": None,
            "python": "3.11.7",
            "pyspark": "4.3.0",
            "java": "17.0.15",
        },
        "command": "python calculate_metrics.py --run demo --k 8,16,32",
        "model": {
            "name": "demo",
            "revision": None,
            "parameters": 1_300_000,
            "vocab_size": 2048,
            "fingerprint": "5f2c9a7d41",
        },
        "source": {"name": "demo corpus", "split": None, "fingerprint": "b0a1c2d3e4"},
        "rows": {
            "read": total + 10,
            "accepted": total,
            "rejected": 10,
            "sampled": total,
            "rejected_by_reason": {"too short": 6, "out-of-vocabulary token": 4},
        },
        "prefix_tokens": 32,
        "suffix_tokens": 32,
        "k": [8, 16, 32],
        "scores": scores,
        "near_ties": {"rows": 2, "margin": 0.0001},
        "warnings": [],
        "overall": counted(found, total) | scored(found / total, level),
        "categories": [
            {"category": name, "harmful": harmful} | counted(hits[name], rows) | scored(share, level)
            for name, harmful, rows, share in CATEGORIES
        ],
        "sweep": sweep,
        "duplicates": [
            {"from": first, "to": last, "label": label} | counted(round(rows * share), rows)
            for first, last, label, rows, share in (
                (0, 0, "0", 300, 0.01),
                (1, 1, "1", 400, 0.03),
                (2, 3, "2–3", 150, 0.12),
                (4, 7, "4–7", 120, 0.31),
                (8, 15, "8–15", 160, 0.62),
                (16, None, "16+", 360, 0.88),
            )
        ],
        "histograms": {
            "memorization_score": histogram(random, np.linspace(0, 1, 17), shares, False)
            if level >= ScoreLevel.MEMORIZATION
            else None,
            "log10_p_z": histogram(random, np.linspace(-30, 0, 31), shares, True)
            if level >= ScoreLevel.LIKELIHOOD
            else None,
        },
        "pii_types": [
            {"type": "EMAIL", "rows": 240, "extractable": 90},
            {"type": "PERSON", "rows": 301, "extractable": 110},
            {"type": "PHONE", "rows": 120, "extractable": 31},
            {"type": "ADDRESS", "rows": 60, "extractable": 12},
            {"type": "API_KEY", "rows": 60, "extractable": 25},
            {"type": "PASSWORD", "rows": 30, "extractable": 13},
        ],
        "membership": [
            {"score": score, "members": 1190, "non_members": 300, "auroc": auroc, "tpr_at_1_percent_fpr": tpr}
            for score, auroc, tpr in (
                ("loss", 0.912, 0.41),
                ("zlib", 0.901, 0.44),
                ("min_k", 0.934, 0.52),
                ("min_k_plus_plus", 0.951, 0.6),
            )
        ],
        "label_check": {
            "truth_column": "true_category",
            "labels": names,
            "confusion": confusion,
            "per_category": [
                {"category": name, "rows": rows, "precision": 0.985, "recall": 0.971, "f1": 0.978}
                for name, _, rows, _ in CATEGORIES
            ],
            "macro_f1": 0.978,
            "rows": total,
        },
        "examples": copy.deepcopy(EXAMPLES),
        "stages": [
            {"name": "prepare", "rows": total, "seconds": 3.2, "skipped": False},
            {"name": "score", "rows": total, "seconds": 14.9, "skipped": False},
            {"name": "measure", "rows": total, "seconds": 4.41, "skipped": False},
            {"name": "label", "rows": total, "seconds": 5.96, "skipped": True},
        ],
        "columns": [
            {
                "table": table,
                "name": name,
                "type": "float64",
                "description": "What it says.",
                "unit": "nats",
                "range": "(-inf, 0]",
                "direction": "higher = more memorized",
                "formula": "sum_t log p(x_t | x_<t)",
                "source": "Hayes et al. 2024",
            }
            for table, name in (("metrics", "log_p_z"), ("metrics", "n_p50"), ("labels", "is_harmful"))
        ],
    }
    return summary | changes


@pytest.fixture
def make_summary() -> Callable[..., dict[str, Any]]:
    """`build_summary`, for tests that want one field different."""
    return build_summary


@pytest.fixture
def summary() -> dict[str, Any]:
    """A summary with everything in it."""
    return build_summary()


@pytest.fixture
def make_comparison() -> Callable[..., dict[str, Any]]:
    """`build_comparison`, for tests that want one field different."""
    return build_comparison


@pytest.fixture
def comparison() -> dict[str, Any]:
    """The comparison of an unlearning that worked, without controls."""
    return build_comparison()
