"""How often a sequence occurs in the training corpus."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel


def _duplicates(batch: ScoredBatch) -> dict[str, np.ndarray]:
    if batch.duplicates is None:
        return {"duplicates": np.ma.masked_all(len(batch.tokens), dtype=np.int64)}
    return {"duplicates": np.ma.masked_array(batch.duplicates, mask=batch.duplicates < 0)}


DUPLICATES = Metric(
    name="duplicates",
    columns=(
        Column(
            name="duplicates",
            type="int64",
            description="How often the sequence occurs in the training corpus; 0 = never, missing = not known.",
            unit="occurrences",
            range="[0, inf)",
            formula="#{(document, place) of the corpus where the T tokens stand}",
            source="Lee et al. 2022, Deduplicating Training Data Makes Language Models Better, ACL",
        ),
    ),
    compute=_duplicates,
    needs=ScoreLevel.EXTRACTABLE,
)
