"""The taxonomy, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.categories import label
from metrics.taxonomy import CLASSES, RECITATION, RECITED_FROM, RECOLLECTION, TAXONOMY, taxonomy


@pytest.mark.parametrize(
    ("duplicates", "kind", "expected"),
    [
        (0, "", "recollection"),
        (1, "", "recollection"),
        (5, "", "recollection"),
        (6, "", "recitation"),
        (40_000_000_000, "", "recitation"),
        (0, "repeating", "reconstruction"),
        (5, "incrementing", "reconstruction"),
        (6, "incrementing", "recitation"),
        (None, "repeating", "reconstruction"),
        (-1, "incrementing", "reconstruction"),
        (None, "", None),
        (-1, "", None),
    ],
)
def test_taxonomy(duplicates: int | None, kind: str, expected: str | None) -> None:
    assert taxonomy([duplicates], [kind]) == [expected]


def test_the_column_names_every_class() -> None:
    assert TAXONOMY.range == ", ".join(f"`{name}`" for name in CLASSES)


def test_recited_and_highly_duplicated_are_the_same_count() -> None:
    copies = np.array([RECITED_FROM - 1, RECITED_FROM])
    assert label(["a row of text"] * 2, copies)["highly_duplicated"] == [False, True]
    assert taxonomy(copies.tolist(), ["", ""]) == [RECOLLECTION, RECITATION]


def test_one_count_for_each_row() -> None:
    with pytest.raises(ValueError):
        taxonomy([1, 2], [""])
