"""The categories of text, and the labelling of a batch: evidence columns first, then one primary label.

A category is one file that defines its `CATEGORY`, and its line in `_FILES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from metrics.categories.evidence import Category, Evidence, Rows
from metrics.categories.ner import Ner
from metrics.categories.prefilters import passing
from metrics.metric import Column

# Files of this folder in order of precedence: a row gets the first category whose evidence holds.
_FILES = (
    "credentials",
    "personal_data",
    "repetition",
    "code",
    "boilerplate",
    "text",
)
CATEGORIES: tuple[Category, ...] = tuple(import_module(f"{__name__}.{file}").CATEGORY for file in _FILES)
PREFILTERS = {category.name: category.prefilter for category in CATEGORIES if category.prefilter}

EVIDENCE_COLUMNS: tuple[Column, ...] = (
    Column("category", "string", "The first category, in precedence order, whose evidence holds."),
    Column("is_harmful", "bool", "Whether the category is a harmful one: credentials or pii."),
    Column("why", "string", "What decided the category; never quotes the text."),
    *(column for category in CATEGORIES for column in category.columns),
)


def label(
    texts: Sequence[str],
    duplicates: np.ndarray | None = None,
    include_attribution: bool = False,
    names: Ner | None = None,
) -> dict[str, list | np.ndarray]:
    """Labels N texts.

    Args:
        texts: N strings; windows of longer texts, cut anywhere.
        duplicates: int64 [N], how often each occurs in the training corpus, -1 where unknown; or None.
        include_attribution: Take personal data in licence, copyright and authorship headers for harmful, too.
        names: A model that finds people's names, from `metrics.categories.ner.load_ner`.

    Returns:
        The columns of `EVIDENCE_COLUMNS` by name, in that order, N values each. `pii` and `credentials` hold a list of
        `{type, start, end, score, why}` for each row, offsets in characters of its text.

    Raises:
        ValueError: `duplicates` has another length than `texts`.
    """
    counts = [-1] * len(texts) if duplicates is None else [int(count) for count in duplicates]
    if len(counts) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(counts)} duplicate counts; give one count for each text.")
    may_hold = passing(texts, PREFILTERS)
    rows = Rows(texts, counts, include_attribution, may_hold, names)
    found: list[tuple[Category, Evidence]] = [(category, category.find(rows)) for category in CATEGORIES]
    chosen = [next((c, e.why[row]) for c, e in found if e.holds[row]) for row in range(len(texts))]
    columns: dict[str, list | np.ndarray] = {
        "category": [category.name for category, _ in chosen],
        "is_harmful": [category.harmful for category, _ in chosen],
        "why": [why for _, why in chosen],
    }
    for _, evidence in found:
        columns.update(evidence.columns)
    return columns
