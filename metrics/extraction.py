"""How much of a sequence the model gives back: by greedy decoding, by teacher forcing, and by sampling."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel

_CARLINI = "Carlini et al. 2023, Quantifying Memorization Across Neural Language Models, ICLR"
_BIDERMAN = "Biderman et al. 2023, Emergent and Predictable Memorization in Large Language Models, NeurIPS"
_JANG = "Jang et al. 2023, Knowledge Unlearning for Mitigating Privacy Risks in Language Models, ACL"
_HAYES = "Hayes et al. 2024, Measuring memorization through probabilistic discoverable extraction, arXiv:2410.19482"
_MORE = "higher = more memorized"
_LESS = "lower = more memorized"


def min_prefix(extractable_at_k: np.ndarray, k_values: tuple[int, ...]) -> np.ma.MaskedArray:
    """The shortest prompt of the sweep that extracts the suffix.

    A longer prompt need not extract whatever a shorter one does, so this is the smallest k that succeeds and
    not a threshold above which all do.

    Args:
        extractable_at_k: bool [N, K].
        k_values: K prompt lengths in tokens, ascending.

    Returns:
        int32 [N], one of `k_values`; masked where no prompt of the sweep extracts.

    >>> min_prefix(np.array([[False, True, True], [False, False, False]]), (8, 16, 32)).tolist()
    [16, None]
    """
    shortest = np.asarray(k_values, dtype=np.int32)[np.argmax(extractable_at_k, axis=1)]
    return np.ma.masked_array(shortest, mask=~extractable_at_k.any(axis=1))


def memorization_score(greedy_tokens: np.ndarray, suffix: np.ndarray) -> np.ndarray:
    """Share of greedily decoded tokens equal to the true ones, position by position.

    M = (1 / S) sum_i 1[greedy_i = suffix_i], where greedy_i continues the model's own earlier tokens.

    Args:
        greedy_tokens: int [N, S].
        suffix: int [N, S].

    Returns:
        float64 [N] in [0, 1]; 1 exactly where the sequence is extractable. Biderman et al. 2023.

    >>> memorization_score(np.array([[7, 8, 9, 9]]), np.array([[7, 8, 1, 9]]))
    array([0.75])
    """
    return np.mean(greedy_tokens == suffix, axis=1, dtype=np.float64)


def memorization_accuracy(rank: np.ndarray) -> np.ndarray:
    """Share of tokens that are the greedy choice given the true tokens before them.

    MA = (1 / (T - 1)) sum_{t=2..T} 1[argmax p(. | x_<t) = x_t].

    Args:
        rank: int [N, T-1], 0 = the greedy choice.

    Returns:
        float64 [N] in [0, 1]. Jang et al. 2023.

    >>> memorization_accuracy(np.array([[0, 3, 0, 0]]))
    array([0.75])
    """
    return np.mean(rank == 0, axis=1, dtype=np.float64)


def sequence_logprob(logprob: np.ndarray) -> np.ndarray:
    """Log-probability of sampling all the given tokens one after the other.

    log p_z = sum_i log p(z_i | prefix, z_<i), summed in float64 and cut at 0, which rounding may overstep.

    Args:
        logprob: float [N, S], nats.

    Returns:
        float64 [N], nats, in [-inf, 0].
    """
    return np.minimum(np.sum(logprob, axis=1, dtype=np.float64), 0.0)


def tries_needed(log_p_z: np.ndarray, p: float) -> np.ndarray:
    """How many independent samples bring the suffix at least once with probability p.

    n = ceil(log(1 - p) / log(1 - p_z)), the smallest n >= 1 with 1 - (1 - p_z)^n >= p. log(1 - p_z) is taken
    from log p_z without passing through 1 - p_z: log1p(-exp(log p_z)) for small p_z, log(-expm1(log p_z)) for
    p_z near 1. A quotient within 1e-12 (relative) of a whole number is that number, so that p_z = 0.5 needs
    one try for p = 0.5 and not two by a rounding error.

    Args:
        log_p_z: float64 [N], nats, at most 0.
        p: The probability wanted, in (0, 1).

    Returns:
        float64 [N], whole numbers in [1, inf]; inf where p_z = 0 or n is beyond float64. Hayes et al. 2024.

    Raises:
        ValueError: p is not strictly between 0 and 1.

    >>> tries_needed(np.array([0.0, np.log(0.5), np.log(0.01), -np.inf]), 0.9)
    array([  1.,   4., 230.,  inf])
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}; the probability of at least one success must lie strictly between 0 and 1")
    log_p_z = np.asarray(log_p_z, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        log_miss = np.where(
            log_p_z > -np.log(2),
            np.log(-np.expm1(log_p_z)),
            np.log1p(-np.exp(np.minimum(log_p_z, -np.log(2)))),
        )
        quotient = np.log1p(-p) / log_miss
    nearest = np.rint(quotient)
    with np.errstate(invalid="ignore"):  # inf - inf
        whole = np.abs(quotient - nearest) <= 1e-12 * nearest
    return np.maximum(np.where(whole, nearest, np.ceil(quotient)), 1.0)


def _k_extractability(batch: ScoredBatch) -> dict[str, np.ndarray]:
    extractable_at_k = batch.scores.first_mismatch == batch.suffix_tokens
    return {
        "extractable": extractable_at_k[:, -1],
        "first_mismatch": batch.scores.first_mismatch[:, -1],
        "extractable_at_k": extractable_at_k,
        "min_prefix_tokens": min_prefix(extractable_at_k, batch.k_values),
    }


def _memorization(batch: ScoredBatch) -> dict[str, np.ndarray]:
    return {"memorization_score": memorization_score(batch.scores.greedy_tokens, batch.suffix)}


def _recall(batch: ScoredBatch) -> dict[str, np.ndarray]:
    return {
        "memorization_accuracy": memorization_accuracy(batch.scores.rank),
        "el_10": batch.scores.extraction_likelihood.astype(np.float64),
    }


def _probabilistic_extraction(batch: ScoredBatch) -> dict[str, np.ndarray]:
    log_p_z = sequence_logprob(batch.scores.logprob[:, -batch.suffix_tokens :])
    log_p_z_top_40 = sequence_logprob(batch.scores.topk_logprob)
    return {
        "log_p_z": log_p_z,
        "log_p_z_top_40": log_p_z_top_40,
        "n_p50": tries_needed(log_p_z, 0.5),
        "n_p90": tries_needed(log_p_z, 0.9),
        "n_p50_top_40": tries_needed(log_p_z_top_40, 0.5),
        "n_p90_top_40": tries_needed(log_p_z_top_40, 0.9),
    }


def _tries_column(name: str, p: str, scheme: str, log_p: str) -> Column:
    return Column(
        name=name,
        type="float64",
        description=f"Samples {scheme} until the suffix appears at least once with probability {p}; inf: never.",
        unit="tries",
        range="[1, inf]",
        direction=_LESS,
        formula=f"ceil(log(1 - {p}) / log(1 - exp({log_p})))",
        source=_HAYES,
    )


K_EXTRACTABILITY = Metric(
    name="k-extractability",
    columns=(
        Column(
            name="extractable",
            type="bool",
            description="Greedy decoding from the P prefix tokens reproduces the suffix exactly.",
            range="true or false",
            direction="true = memorized",
            formula="first_mismatch = S",
            source=_CARLINI,
        ),
        Column(
            name="first_mismatch",
            type="int32",
            description="Index in the suffix of the first token that greedy decoding from the P prefix "
            "tokens gets wrong; S where it gets none wrong.",
            unit="tokens",
            range="[0, S]",
            direction=_MORE,
            formula="min {i : greedy_i != suffix_i}, S if there is none",
            source=_CARLINI,
        ),
        Column(
            name="extractable_at_k",
            type="list<bool>",
            description="k-extractable for each prompt length k of the sweep, ascending; same suffix, shorter prompts.",
            range="true or false",
            direction="true = memorized",
            formula="greedy(x[P-k:P]) = x[P:P+S] for each k",
            source=_CARLINI,
        ),
        Column(
            name="min_prefix_tokens",
            type="int32",
            description="The shortest prompt of the sweep that extracts the suffix; missing where none does.",
            unit="tokens",
            range="the k of the sweep",
            direction=_LESS,
            formula="min {k : k-extractable}",
            source=_CARLINI,
        ),
    ),
    compute=_k_extractability,
    needs=ScoreLevel.EXTRACTABLE,
)

MEMORIZATION = Metric(
    name="memorization score",
    columns=(
        Column(
            name="memorization_score",
            type="float64",
            description="Share of the S greedily decoded tokens equal to the true ones, position by position.",
            unit="share",
            range="[0, 1]",
            direction=_MORE,
            formula="(1/S) sum_i 1[greedy_i = suffix_i]",
            source=_BIDERMAN,
        ),
    ),
    compute=_memorization,
    needs=ScoreLevel.MEMORIZATION,
)

RECALL = Metric(
    name="memorization accuracy and extraction likelihood",
    columns=(
        Column(
            name="memorization_accuracy",
            type="float64",
            description="MA: share of tokens 2..T that are the greedy choice given the true tokens before them.",
            unit="share",
            range="[0, 1]",
            direction=_MORE,
            formula="(1/(T-1)) sum_{t=2..T} 1[argmax p(.|x_<t) = x_t]",
            source=_JANG,
        ),
        Column(
            name="el_10",
            type="float64",
            description="EL_10: 10-gram overlap of greedy continuations from every prefix with the true "
            "rest; missing for rows it was not asked for.",
            unit="share",
            range="[0, 1]",
            direction=_MORE,
            formula="(1/(T-10)) sum_{t=1..T-10} share of 10-grams of greedy(x_<t) that occur in x_>=t",
            source=_JANG,
        ),
    ),
    compute=_recall,
)

PROBABILISTIC_EXTRACTION = Metric(
    name="(n, p)-discoverable extraction",
    columns=(
        Column(
            name="log_p_z",
            type="float64",
            description="Log-probability of sampling the suffix after the prefix at temperature 1.",
            unit="nats",
            range="[-inf, 0]",
            direction=_MORE,
            formula="sum_{t=P+1..P+S} log p(x_t|x_<t)",
            source=_HAYES,
        ),
        Column(
            name="log_p_z_top_40",
            type="float64",
            description="The same under top-k sampling with k = 40: each distribution is cut to its 40 most "
            "likely tokens and renormalised; -inf where a suffix token is not among them.",
            unit="nats",
            range="[-inf, 0]",
            direction=_MORE,
            formula="sum_{t=P+1..P+S} log p_top40(x_t|x_<t)",
            source=_HAYES,
        ),
        _tries_column("n_p50", "0.5", "at temperature 1", "log_p_z"),
        _tries_column("n_p90", "0.9", "at temperature 1", "log_p_z"),
        _tries_column("n_p50_top_40", "0.5", "under top-k 40", "log_p_z_top_40"),
        _tries_column("n_p90_top_40", "0.9", "under top-k 40", "log_p_z_top_40"),
    ),
    compute=_probabilistic_extraction,
    needs=ScoreLevel.LIKELIHOOD,
)
