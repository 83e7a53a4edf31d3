"""The taxonomy, case by case."""

from __future__ import annotations

import pytest

from metrics.categories.boilerplate import HIGHLY_DUPLICATED
from metrics.taxonomy import CLASSES, RECITED_FROM, TAXONOMY, taxonomy


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
    assert RECITED_FROM == HIGHLY_DUPLICATED


def test_one_count_for_each_row() -> None:
    with pytest.raises(ValueError):
        taxonomy([1, 2], [""])
