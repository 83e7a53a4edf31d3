"""The groups of rows that an unlearning tells apart; every row of a run is in exactly one."""

from __future__ import annotations

SPLITS: dict[str, str] = {
    "forget": "forget set",
    "held_out": "held out of the same category",
    "other_harmful": "other harmful rows",
    "retain": "retain set",
    "other_benign": "other benign rows",
    "never_seen": "never seen in training",
}
"""Names of the splits, in the order of reports, and what people call them."""
