"""Perplexity of the prompt, of the continuation, and of the whole sequence."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel

_SOURCE = "Jelinek et al. 1977, Perplexity: a measure of the difficulty of speech recognition tasks, JASA 62(S1)"


def mean_nll(logprob: np.ndarray) -> np.ndarray:
    """Mean negative log-likelihood over exactly the positions given, cut at 0, which rounding may overstep.

    Args:
        logprob: float [N, L], nats.

    Returns:
        float64 [N], nats per token, in [0, inf]; NaN where L = 0.
    """
    if logprob.shape[1] == 0:
        return np.full(len(logprob), np.nan)
    return np.maximum(-np.mean(logprob, axis=1, dtype=np.float64), 0.0)


def perplexity(logprob: np.ndarray) -> np.ndarray:
    """exp of the mean negative log-likelihood over exactly the positions given.

    Args:
        logprob: float [N, L], nats.

    Returns:
        float64 [N] in [1, inf]; inf where a token has probability 0, NaN where L = 0.

    >>> perplexity(np.log([[0.5, 0.125], [1.0, 1.0]]))
    array([4., 1.])
    """
    with np.errstate(over="ignore"):
        return np.exp(mean_nll(logprob))


def _of_suffix(batch: ScoredBatch) -> dict[str, np.ndarray]:
    return {"perplexity_suffix": perplexity(batch.scores.logprob[:, -batch.suffix_tokens :])}


def _of_prefix_and_sequence(batch: ScoredBatch) -> dict[str, np.ndarray]:
    logprob = batch.scores.logprob
    return {
        "perplexity_prefix": perplexity(logprob[:, : -batch.suffix_tokens]),
        "perplexity_sequence": perplexity(logprob),
    }


def _column(part: str, positions: str, description: str) -> Column:
    return Column(
        name=f"perplexity_{part}",
        type="float64",
        description=description,
        range="[1, inf]",
        direction="lower = more memorized",
        formula=f"exp(-mean_{{{positions}}} log p(x_t|x_<t))",
        source=_SOURCE,
    )


SUFFIX_PERPLEXITY = Metric(
    name="perplexity of the suffix",
    columns=(_column("suffix", "t=P+1..P+S", "Perplexity of the true continuation, given the prompt."),),
    compute=_of_suffix,
    needs=ScoreLevel.LIKELIHOOD,
)

PERPLEXITY = Metric(
    name="perplexity of the prefix and of the sequence",
    columns=(
        _column(
            "prefix",
            "t=2..P",
            "Perplexity of the prompt; its first token, which nothing predicts, is not counted.",
        ),
        _column("sequence", "t=2..P+S", "Perplexity of the whole sequence but its first token."),
    ),
    compute=_of_prefix_and_sequence,
)
