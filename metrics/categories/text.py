"""Everything that no other category holds: mostly prose. The last of the categories, since it always holds."""

from __future__ import annotations

from metrics.categories.evidence import Category, Evidence, Rows


def find(rows: Rows) -> Evidence:
    """Holds for every row and adds no evidence."""
    count = len(rows.texts)
    return Evidence(holds=[True] * count, columns={}, why=["no evidence of any other category"] * count)


CATEGORY = Category(name="text", harmful=False, description="Prose and everything else.", columns=(), find=find)
