"""How close the greedy continuation comes to the true suffix where it is not the same."""

from __future__ import annotations

import numpy as np
from rapidfuzz.distance import Levenshtein

from metrics.batch import ScoredBatch
from metrics.bleu import sentence_bleu
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel

_POST = "Post 2018, A Call for Clarity in Reporting BLEU Scores, WMT"
_KASSEM = "Kassem et al. 2023, Preserving Privacy Through DeMemorization, EMNLP"
_LEVENSHTEIN = (
    "Levenshtein 1966, Binary codes capable of correcting deletions, insertions, and reversals, "
    "Soviet Physics Doklady 10(8)"
)


def normalized_edit_distance(continuation: np.ndarray, suffix: np.ndarray) -> np.ndarray:
    """Levenshtein distance between two token sequences of the same length, divided by that length.

    d = (fewest insertions, deletions and substitutions that turn one into the other) / S.

    Args:
        continuation: int [N, S].
        suffix: int [N, S].

    Returns:
        float64 [N] in [0, 1].

    >>> normalized_edit_distance(np.array([[1, 2, 3, 4]]), np.array([[9, 1, 2, 3]]))
    array([0.5])
    """
    N, S = suffix.shape
    distances = np.zeros(N)
    differing = np.flatnonzero((continuation != suffix).any(axis=1))
    ours, theirs = continuation[differing].ravel().tolist(), suffix[differing].ravel().tolist()
    rows = [slice(start, start + S) for start in range(0, len(ours), S)]
    distances[differing] = [Levenshtein.distance(ours[row], theirs[row]) for row in rows]
    return distances / S


def _similarity(batch: ScoredBatch) -> dict[str, np.ndarray]:
    greedy, suffix = batch.scores.greedy_tokens, batch.suffix
    bleu = np.full(len(suffix), 100.0)
    differing = np.flatnonzero((greedy != suffix).any(axis=1))
    if differing.size:
        # One call, so that a tokenizer can work on all of them in parallel.
        texts = batch.decode(np.concatenate([greedy[differing], suffix[differing]]))
        bleu[differing] = sentence_bleu(texts[: differing.size], texts[differing.size :])
    return {
        "sacrebleu": bleu,
        "n_sacrebleu": 100.0 - bleu,
        "edit_distance": normalized_edit_distance(greedy, suffix),
    }


SIMILARITY = Metric(
    name="similarity of the greedy continuation",
    columns=(
        Column(
            name="sacrebleu",
            type="float64",
            description="SacreBLEU of the greedy continuation against the true suffix, as text; 100 where "
            "their tokens are the same.",
            unit="percent",
            range="[0, 100]",
            direction="higher = more memorized",
            formula="BP exp((1/4) sum_{n=1..4} log precision_n); nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp",
            source=_POST,
        ),
        Column(
            name="n_sacrebleu",
            type="float64",
            description="N-SacreBLEU, the dissimilarity that DeMem maximises.",
            unit="percent",
            range="[0, 100]",
            direction="lower = more memorized",
            formula="100 - sacrebleu",
            source=_KASSEM,
        ),
        Column(
            name="edit_distance",
            type="float64",
            description="Levenshtein distance between the tokens of the greedy continuation and of the suffix, over S.",
            unit="share",
            range="[0, 1]",
            direction="lower = more memorized",
            formula="Levenshtein(greedy, suffix) / S",
            source=_LEVENSHTEIN,
        ),
    ),
    compute=_similarity,
    needs=ScoreLevel.MEMORIZATION,
)
