"""How a sequence came to be memorized: recitation, reconstruction or recollection (Prashanth et al. 2024).

A label beside the category: the category says what a text is, the taxonomy why a model might give it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from metrics.metric import Column

RECITED_FROM = 6
"""More than 5 occurrences in the training corpus."""
RECITATION, RECONSTRUCTION, RECOLLECTION = "recitation", "reconstruction", "recollection"
CLASSES = (RECITATION, RECONSTRUCTION, RECOLLECTION)

TAXONOMY = Column(
    "taxonomy",
    "string",
    "Recitation: more than 5 copies in the training corpus. Reconstruction: a repeating or incrementing pattern "
    "that is not recited. Recollection: the rest. Null where the number of copies is unknown and there is no pattern.",
    range="`recitation`, `reconstruction`, `recollection`",
    source="Prashanth et al. 2024, Recite, Reconstruct, Recollect, arXiv:2406.17746",
)


def taxonomy(duplicates: Sequence[int | None], repetition_kinds: Sequence[str]) -> list[str | None]:
    """The class of each of N sequences, memorized or not.

    A pattern whose number of copies is unknown is a reconstruction: whatever the count, a model that continues patterns
    needs no copy of it, and that is the one explanation the row itself gives. With a known count such a row might
    be recitation instead, so shares of runs with and without counts are not comparable. Without a pattern nothing in
    the row tells recitation from recollection: null.

    Args:
        duplicates: N occurrences in the training corpus; None or negative where unknown.
        repetition_kinds: N of `repeating`, `incrementing`, or `` for no pattern.

    Returns:
        N of `recitation`, `reconstruction`, `recollection`, None.

    Raises:
        ValueError: The lengths differ.

    >>> taxonomy([6, 5, 5, None, None], ["repeating", "repeating", "", "incrementing", ""])
    ['recitation', 'reconstruction', 'recollection', 'reconstruction', None]
    """
    return [_class_of(count, kind) for count, kind in zip(duplicates, repetition_kinds, strict=True)]


def _class_of(count: int | None, kind: str) -> str | None:
    known = count is not None and count >= 0
    if known and count >= RECITED_FROM:
        return RECITATION
    if kind:
        return RECONSTRUCTION
    return RECOLLECTION if known else None
