"""Licences, legal notices and templates: text that is copied, not written.

What the text says decides. How often a row occurs in the training corpus is kept as evidence and decides nothing:
harmful rows and ordinary prose are duplicated, too (a leaked key is copied with the repository it is in), so a count
says how a row came to be memorized, not what it is.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from metrics.categories.evidence import Category, Evidence, Rows
from metrics.categories.licence import licence_evidence, licence_phrases
from metrics.categories.phrases import Phrases, found_of_each
from metrics.categories.templates import PHRASES, WEAK_PHRASES
from metrics.metric import Column
from metrics.taxonomy import RECITED_FROM

THRESHOLD = 0.75  # of `licence_probability`: from here on the text is a licence; chosen by cross-validation
NOTICE = 0.5  # from here on it is a licence or another legal notice, such as a line of copyright; boilerplate, too
ENOUGH_WEAK = 2


@cache
def template_phrases() -> Phrases:
    """The phrases of templates and the weak ones, to be looked up in texts."""
    return Phrases((*PHRASES, *WEAK_PHRASES))


def template_counts(rows: np.ndarray, numbers: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """How many different phrases of templates, and how many weak ones, are in each of N texts: int64 [N] each.

    Args:
        rows, numbers: int64 [M] each, which of `template_phrases` are in which text, as `found` returns it.
        texts: N.
    """
    weak = numbers >= len(PHRASES)
    return np.bincount(rows[~weak], minlength=texts), np.bincount(rows[weak], minlength=texts)


def find(rows: Rows) -> Evidence:
    """Evidence of boilerplate in each row."""
    of_licences, of_templates = found_of_each((licence_phrases(), template_phrases()), rows.texts)
    probability, phrases = licence_evidence(*of_licences, len(rows.texts))
    templates, weak = template_counts(*of_templates, len(rows.texts))
    templates = templates + weak // ENOUGH_WEAK
    holds = ((probability >= NOTICE) | (templates > 0)).tolist()
    reasons = zip(holds, probability.tolist(), phrases.tolist(), templates.tolist(), strict=True)
    return Evidence(
        holds=holds,
        columns={
            "boilerplate_phrases": (phrases + templates).tolist(),
            "licence_probability": probability.astype(np.float32),
            "highly_duplicated": [None if count < 0 else count >= RECITED_FROM for count in rows.duplicates],
        },
        why=[
            f"licence probability {likely:.2f}, {in_licences} phrases of licences, {in_templates} of templates"
            if hold
            else ""
            for hold, likely, in_licences, in_templates in reasons
        ],
    )


CATEGORY = Category(
    name="boilerplate",
    harmful=False,
    description="Licences, legal notices and templates of sites, mails and generated files.",
    columns=(
        Column(
            "boilerplate_phrases",
            "int32",
            f"Different phrases of licences and templates found, weak ones counted by {ENOUGH_WEAK}.",
            unit="phrases",
            range="[0, inf)",
        ),
        Column(
            "licence_probability",
            "float32",
            f"Probability that the text is of a licence: {THRESHOLD} for a licence, {NOTICE} for boilerplate.",
            unit="probability",
            range="[0, 1]",
            formula="1 / (1 + exp(-(b + the weights of its phrases of licences and different runs of words)))",
        ),
        Column(
            "highly_duplicated",
            "bool",
            "More than 5 copies in the training corpus; null where unknown. Evidence only, decides no label.",
            source="Prashanth et al. 2024, Recite, Reconstruct, Recollect",
        ),
    ),
    find=find,
)
