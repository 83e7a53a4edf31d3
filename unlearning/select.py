"""Which rows are forgotten, which are held out to see whether forgetting generalises, which are retained.

Every row of the run gets exactly one split. All choices are by a hash of the row's id and the seed, never by position,
so that the same rows are chosen however the run was partitioned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metrics.categories import CATEGORIES
from unlearning.method import UnlearningError

RETAIN_SHARE = 0.5  # of the benign extractable rows; the others show what happens to those nobody protected
# Of the benign rows that are not recited. Many of them keep the rest of the model where it was, recited rows outside
# the retain set included.
ORDINARY_SHARE = 0.75
RETAIN_MOST = 4096
UNSEEN_MOST = 128  # EL_10 of each of them is computed once, and is the one costly metric


@dataclass(frozen=True)
class Selection:
    """The choice.

    Attributes:
        split: `sequence_id` and `split`, one row a sequence.
        forget, held_out: ids of the rows to be forgotten, and of those like them that are not trained on.
        retain_benign: ids of retained benign rows that the model recites.
        retain_ordinary: ids of retained benign rows that it does not recite.
        unseen: ids of rows that say what "not memorized" looks like.
        unseen_is_known: Whether these are known not to have been in the training data.
    """

    split: pd.DataFrame
    forget: np.ndarray
    held_out: np.ndarray
    retain_benign: np.ndarray
    retain_ordinary: np.ndarray
    unseen: np.ndarray
    unseen_is_known: bool


def has_evidence(rows: pd.DataFrame, category: str, include_attribution: bool) -> pd.Series:
    """Which rows have the evidence of a category, whatever their primary label is.

    For `pii` and `credentials` that is the evidence column (not the contact data of organisations, and personal data in
    an authorship header only where the run was told to include attribution); every other category has no evidence
    beside its label.
    """
    if category == "pii":
        return rows["has_pii"] & ~rows["organisation_context"] & (include_attribution | ~rows["licence_context"])
    if category == "credentials":
        return rows["has_credentials"]
    return rows["category"] == category


def select(
    rows: pd.DataFrame, categories: Sequence[str], holdout: float, seed: int, include_attribution: bool = False
) -> Selection:
    """Splits the rows of a run.

    Args:
        rows: As `MeasuredRun.rows` gives them.
        categories: What is to be unlearned.
        holdout: Share of the candidates that is held out, in [0, 1); at least one row is left to be forgotten.
        seed: Of the choice.
        include_attribution: As the run was labelled.

    Raises:
        UnlearningError: No row of these categories is extractable; says what there is.
    """
    evidence = np.zeros(len(rows), bool)
    for category in categories:
        evidence |= has_evidence(rows, category, include_attribution).to_numpy(bool)
    extractable = rows["extractable"].to_numpy(bool)
    candidates = np.flatnonzero(evidence & extractable)
    if not len(candidates):
        raise UnlearningError(_nothing_to_forget(rows, categories, int(evidence.sum()), include_attribution))

    draw = _draw(rows["sequence_id"].to_numpy(np.int64), seed)
    candidates = candidates[np.argsort(draw[candidates], kind="stable")]
    held = min(round(holdout * len(candidates)), len(candidates) - 1)
    never_seen = rows["is_member"].eq(False).fillna(False).to_numpy(bool)
    benign = ~evidence & ~rows["is_harmful"].to_numpy(bool) & ~never_seen

    recited = _stratified(np.flatnonzero(benign & extractable), rows["category"].to_numpy(), draw)
    recited = recited[: min(RETAIN_MOST, max(round(RETAIN_SHARE * len(recited)), min(1, len(recited))))]
    ordinary = np.flatnonzero(benign & ~extractable)
    ordinary = _stratified(ordinary, rows["category"].to_numpy(), draw)
    ordinary = ordinary[: min(RETAIN_MOST, round(ORDINARY_SHARE * len(ordinary)))]

    unseen = np.flatnonzero(never_seen & ~evidence)
    unseen_is_known = len(unseen) > 0
    if not unseen_is_known:
        unseen = np.setdiff1d(np.flatnonzero(benign & ~extractable), ordinary)
    unseen = unseen[np.argsort(draw[unseen], kind="stable")][:UNSEEN_MOST]

    split = np.where(rows["is_harmful"].to_numpy(bool) | evidence, "other_harmful", "other_benign").astype(object)
    split[never_seen] = "never_seen"
    split[recited] = split[ordinary] = "retain"
    split[candidates[:held]] = "held_out"
    split[candidates[held:]] = "forget"
    ids = rows["sequence_id"].to_numpy(np.int64)
    return Selection(
        split=pd.DataFrame({"sequence_id": ids, "split": split.astype(str)}),
        forget=np.sort(ids[candidates[held:]]),
        held_out=np.sort(ids[candidates[:held]]),
        retain_benign=np.sort(ids[recited]),
        retain_ordinary=np.sort(ids[ordinary]),
        unseen=np.sort(ids[unseen]),
        unseen_is_known=unseen_is_known,
    )


def _draw(ids: np.ndarray, seed: int) -> np.ndarray:
    """uint64 [N]: a hash of each id and the seed (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = ids.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0xD1B54A32D192ED03)
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _stratified(rows: np.ndarray, categories: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """The rows in an order of which every beginning holds the categories in proportion."""
    rank = np.zeros(len(rows))
    for category in np.unique(categories[rows]):
        inside = np.flatnonzero(categories[rows] == category)
        order = inside[np.argsort(draw[rows[inside]], kind="stable")]
        rank[order] = (np.arange(len(order)) + 0.5) / len(order)
    return rows[np.lexsort((draw[rows], rank))]


def _nothing_to_forget(rows: pd.DataFrame, categories: Sequence[str], found: int, include_attribution: bool) -> str:
    asked = " or ".join(categories)
    there = []
    for category in CATEGORIES:
        with_evidence = has_evidence(rows, category.name, include_attribution)
        recited = int((with_evidence & rows["extractable"]).sum())
        there.append(f"{category.name} {recited:,} of {int(with_evidence.sum()):,}")
    text = (
        f"nothing to unlearn: {found:,} of the run's {len(rows):,} rows hold {asked}, none of them extractable. "
        f"Extractable in this run: {', '.join(there)}."
    )
    if "pii" in categories and not include_attribution:
        headers = int((rows["has_pii"] & rows["licence_context"] & rows["extractable"]).sum())
        if headers:
            text += (
                f" {headers:,} extractable rows hold personal data in an authorship header: measured with "
                "--include-attribution they count, too."
            )
    return text
