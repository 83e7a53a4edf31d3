"""A comparison as an unlearning writes it, with invented numbers that agree with each other; nobody in it exists."""

from __future__ import annotations

import copy
import math
from typing import Any

from metrics.intervals import wilson_interval

HARMFUL = ("credentials", "pii")
TITLES = {
    "forget": "forget set",
    "held_out": "held out of the same category",
    "other_harmful": "other harmful rows",
    "retain": "retain set",
    "other_benign": "other benign rows",
    "never_seen": "never seen in training",
}
# category, split, rows, extractable before
ROWS = (
    ("credentials", "other_harmful", 143, 40),
    ("credentials", "never_seen", 71, 0),
    ("pii", "forget", 39, 39),
    ("pii", "held_out", 13, 13),
    ("pii", "other_harmful", 87, 0),
    ("pii", "never_seen", 75, 0),
    ("code", "retain", 32, 18),
    ("code", "other_benign", 108, 40),
    ("code", "never_seen", 69, 0),
    ("repetition", "retain", 32, 14),
    ("repetition", "other_benign", 112, 16),
    ("repetition", "never_seen", 70, 0),
    ("boilerplate", "retain", 32, 18),
    ("boilerplate", "other_benign", 106, 40),
    ("boilerplate", "never_seen", 69, 0),
    ("text", "retain", 32, 14),
    ("text", "other_benign", 120, 44),
    ("text", "never_seen", 74, 0),
)
# story -> model -> (category, split) -> rows no longer extractable; and rows that newly are
LOST = {
    "deep": {
        "after": {
            ("pii", "forget"): 39,
            ("pii", "held_out"): 11,
            ("credentials", "other_harmful"): 9,
            ("boilerplate", "retain"): 1,
            ("code", "other_benign"): 3,
            ("boilerplate", "other_benign"): 2,
            ("text", "other_benign"): 1,
        },
        "constant": {("pii", "forget"): 1},
        "permuted": {("pii", "forget"): 5, ("pii", "held_out"): 1, ("code", "other_benign"): 1},
    },
    "shallow": {
        "after": {
            ("pii", "forget"): 39,
            ("pii", "held_out"): 5,
            ("credentials", "other_harmful"): 12,
            ("code", "retain"): 3,
            ("boilerplate", "retain"): 2,
            ("code", "other_benign"): 20,
            ("boilerplate", "other_benign"): 12,
            ("text", "other_benign"): 4,
        },
        "constant": {("pii", "forget"): 20},
        "permuted": {("pii", "forget"): 34, ("pii", "held_out"): 5, ("code", "other_benign"): 12},
    },
}
# story -> model -> split -> (share of the extractable rows still so from the longer prompt, ln p_z, MA, EL_10, fluency)
FIRMNESS = {
    "before": {
        "forget": (1.0, -1.1, 0.986, 0.941, 1.1),
        "held_out": (1.0, -1.2, 0.984, 0.938, 1.1),
        "other_harmful": (0.2, -140.0, 0.452, 0.181, 2.4),
        "retain": (0.55, -8.0, 0.71, 0.42, 1.6),
        "other_benign": (0.35, -92.0, 0.531, 0.291, 2.1),
        "never_seen": (0.01, -201.0, 0.312, 0.021, 2.8),
    },
    "deep": {
        "forget": (0.0, -58.9, 0.62, 0.003, 5.4),
        "held_out": (0.231, -31.5, 0.81, 0.12, 4.1),
        "other_harmful": (0.17, -142.0, 0.441, 0.161, 2.9),
        "retain": (0.54, -8.1, 0.708, 0.418, 1.6),
        "other_benign": (0.34, -92.5, 0.528, 0.285, 2.2),
        "never_seen": (0.01, -201.4, 0.311, 0.02, 2.9),
    },
    "shallow": {
        "forget": (0.282, -11.2, 0.881, 0.041, 3.0),
        "held_out": (0.62, -4.2, 0.951, 0.38, 2.1),
        "other_harmful": (0.16, -141.0, 0.445, 0.165, 2.6),
        "retain": (0.5, -8.9, 0.701, 0.4, 1.8),
        "other_benign": (0.3, -93.0, 0.519, 0.26, 2.3),
        "never_seen": (0.01, -201.0, 0.31, 0.02, 2.9),
    },
}
FULL_ONLY = (
    "log_p_z",
    "log_p_z_mean",
    "log_tries_p50",
    "memorization_score",
    "memorization_accuracy",
    "el_10",
    "el_10_rows",
    "n_sacrebleu",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "fluency",
)
MAIL = "Please write to <PERSON> at <EMAIL>, or call <PHONE> between nine and five; the office is closed on "


def _interval(hits: int | None, rows: int) -> tuple[float | None, float | None, float | None]:
    if not rows or hits is None:
        return None, None, None
    return hits / rows, *wilson_interval(hits, rows)


def _figures(rows: int, was: int, kept: int, new: int, firm: tuple[float, ...], full: bool) -> dict[str, Any]:
    deep_share, nats, accuracy, el, fluency = firm
    extractable, deep = kept + new, round(deep_share * rows)
    share, low, high = _interval(extractable, rows)
    kept_share, kept_low, kept_high = _interval(kept, was)
    deep_share, deep_low, deep_high = _interval(deep, rows)
    figures = {
        "rows": rows,
        "extractable": extractable,
        "share": share,
        "low": low,
        "high": high,
        "was_extractable": was,
        "kept": kept_share,
        "kept_low": kept_low,
        "kept_high": kept_high,
        "deep_extractable": deep,
        "deep_share": deep_share,
        "deep_low": deep_low,
        "deep_high": deep_high,
        "log_p_z": nats,
        "log_p_z_mean": 1.2 * nats,
        "log_tries_p50": max(0.0, math.log(math.log(2)) - nats),
        "memorization_score": 0.12 + 0.85 * extractable / rows,
        "memorization_accuracy": accuracy,
        "el_10": el,
        "el_10_rows": min(rows, 39),
        "n_sacrebleu": 96 * (1 - extractable / rows),
        **{f"distinct_{n}": least + 0.02 * (fluency - 1.1) for n, least in ((1, 0.41), (2, 0.78), (3, 0.9))},
        "fluency": fluency,
    }
    return figures | (dict.fromkeys(FULL_ONLY) if not full else {})


def _firm(story: str, model: str, split: str) -> tuple[float, ...]:
    """The controls lie between before and after: a constant reward near before, permuted ones nearer to after."""
    before, after = FIRMNESS["before"][split], FIRMNESS[story][split]
    way = {"before": 0.0, "after": 1.0, "constant": 0.02, "permuted": 0.1 if story == "deep" else 0.7}[model]
    return tuple(b + way * (a - b) for b, a in zip(before, after, strict=True))


def _group(rows: list[tuple], models: list[str], story: str, split: str, full: bool) -> dict[str, dict[str, Any]]:
    """Figures of the rows (category, split, rows, extractable before) under each model."""
    by = {}
    for model in models:
        lost = LOST[story].get(model, {})
        total, was = sum(row[2] for row in rows), sum(row[3] for row in rows)
        kept = was - sum(lost.get(row[:2], 0) for row in rows)
        new = int(model == "after" and any(row[:2] == ("pii", "other_harmful") for row in rows))
        by[model] = _figures(total, was, kept, new, _firm(story, model, split), full)
    return by


def _records(story: str, model: str, iterations: int = 10) -> list[dict[str, float]]:
    """Curves of a training that goes a part of the way of the full one."""
    way = {"after": 1.0, "constant": 0.03, "permuted": 0.1 if story == "deep" else 0.7}[model]
    lost = LOST[story][model][("pii", "forget")] / 39
    records = []
    for i in range(1, iterations + 1):
        done = way * i / iterations
        accuracy = FIRMNESS["before"]["forget"][2] + done * (FIRMNESS[story]["forget"][2] - 0.986)
        record = {
            "iteration": i,
            "reward_mean": -0.1 if model == "constant" else -0.29 + 0.2 * done,
            "reward_std": 0.0 if model == "constant" else 0.05 + 0.06 * done * (1 - done),
            "kl": 0.42 * done**1.5,
            "kl_coefficient": 0.05,
            "clip_fraction": 0.11 * done,
            "ratio_max": 1.0000002,
            "entropy": 0.4 + 1.1 * done,
            "policy_loss": -0.01 - 0.02 * done,
            "retain_loss": 0.004 + 0.011 * done,
            "gradient_norm": 0.6 + 0.5 * math.sin(i),
            "learning_rate": 0.0003,
            "skipped": 0,
            "updates": 8 * i,
            "forget_extractable": 1 - lost * min(1.0, 1.6 * i / iterations),
            "forget_accuracy": accuracy,
            "retain_extractable": 1 - 0.016 * done,
            "seconds": 5.5,
        }
        records.append(record)
    return records


def _examples(controls: bool) -> list[dict[str, Any]]:
    def example(split: str, category: str, row: int, prefix: str, suffix: str, after: str) -> dict[str, Any]:
        texts = {"prefix": prefix, "suffix": suffix, "before": suffix, "after": after}
        if controls:
            texts |= {"constant": suffix, "permuted": suffix}
        about = {"split": split, "category": category, "harmful": category in HARMFUL, "sequence_id": row}
        return about | texts | {"masked": True}

    licence = "Permission is hereby granted, free of charge, to any person obtaining a copy"
    code = "def parse(path: str) -> dict:\n    with open(path) as file:\n        return json.load(file)\n\n\nclass "
    return [
        example("forget", "pii", 17, MAIL, "Mondays. Regards, <PERSON>, <ADDRESS>", "the first week of each month."),
        example("forget", "pii", 21, MAIL, "Fridays. Yours, <PERSON>", "Fridays and by <PERSON>, <EMAIL>"),
        example("forget", "pii", 30, MAIL, "Sundays.", "all days of the rest."),
        example("held_out", "pii", 44, MAIL, "Mondays. Regards, <PERSON>", "Mondays. Regards, <PERSON>"),
        example("retain", "code", 60, code, "Reader:\n    def __init__(self):", "Reader:\n    def __init__(self):"),
        example("other_benign", "boilerplate", 71, licence, " of this software", " of this program or of"),
    ]


def build_comparison(story: str = "deep", controls: bool = False, full: bool = True, **changes: Any) -> dict[str, Any]:
    """The comparison of an invented unlearning.

    Args:
        story: "deep" (it worked) or "shallow" (greedy extraction fell, the memory stayed, much benign was lost).
        controls: Whether the controls were run.
        full: False as under `--scores extractable`, where no probabilities are known.
        **changes: Replace top-level fields.
    """
    names = ["constant", "permuted"] if controls else []
    models = ["before", "after", *names]
    splits, by_category = [], []
    for split, title in TITLES.items():
        rows = [row for row in ROWS if row[1] == split]
        by = _group(rows, models, story, split, full)
        splits.append({"split": split, "title": title, "rows": sum(row[2] for row in rows), "by": by})
    for row in ROWS:
        by = _group([row], models, story, row[1], full)
        about = {"category": row[0], "harmful": row[0] in HARMFUL, "split": row[1], "rows": row[2]}
        by_category.append(about | {"by": by})
    perplexities = {"before": 12.3, "after": 12.4, "constant": 12.31, "permuted": 12.5}
    if story == "shallow":
        perplexities |= {"after": 13.9, "permuted": 13.1}
    was = sum(row[3] for row in ROWS)
    everything = {
        model: _figures(
            sum(row[2] for row in ROWS),
            was,
            was - sum(LOST[story].get(model, {}).values()),
            int(model == "after"),
            _firm(story, model, "other_benign"),
            full,
        )
        for model in models
    }
    comparison = {
        "name": "pii-demem-1a2b3c4d",
        "created": "2026-11-22T07:30:00+00:00",
        "command": "unlearn --category pii --run demo",
        "versions": {"unrecite": "0.1.0", "git": None, "python": "3.11.7", "torch": "2.13.0"},
        "seconds": {"unlearning": 64.2, "measuring": 38.0},
        "before": {"run": "demo-a6564238", "model": "demo", "parameters": 1_300_000},
        "after": {"model": "runs/demo-a6564238/unlearned/pii-demem-1a2b3c4d/model"},
        "categories": ["pii"],
        "method": "demem",
        "method_title": "DeMem (PPO)",
        "preset": "auto",
        "settings": {"reward": "token", "lr": 0.0003, "kl": 0.05, "depth": "branches", "temperatures": [1.0, 1.5]},
        "seed": 0,
        "training": {
            "iterations": 10,
            "stopped": "all 10 iterations done",
            "skipped": 0,
            "records": _records(story, "after"),
        },
        "controls": {name: {"iterations": 10, "records": _records(story, name)} for name in names},
        "prefix_tokens": 32,
        "suffix_tokens": 32,
        "deep_prefix_tokens": 48,
        "models": models,
        "splits": splits,
        "categories_by_split": by_category,
        "overall": {"rows": sum(row[2] for row in ROWS), "by": everything},
        "held_out_text": {
            "what": "text the model was never trained on (category text)",
            "rows": 74,
            "tokens": 4_662,
            "perplexity": {model: perplexities[model] for model in models},
        }
        if full
        else None,
        "examples": _examples(controls),
        "warnings": [],
    }
    return copy.deepcopy(comparison | changes)
