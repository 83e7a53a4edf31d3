"""Membership scores: whether the model's likelihoods betray that a sequence was trained on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from metrics.batch import ScoredBatch
from metrics.likelihood import mean_nll
from metrics.metric import Column, Metric

MIN_K_SHARE = 0.2
"""The k of Min-K% and Min-K%++: the share of tokens, the least likely ones, that is averaged."""

MIN_STD = 1e-4
"""Floor of the standard deviation in Min-K%++, nats."""

MEMBERSHIP_SCORES = {"loss": -1.0, "zlib_ratio": -1.0, "min_k": 1.0, "min_k_plus_plus": 1.0}
"""Column name -> sign: multiplied by it, higher means member, as `auroc` and `tpr_at_fpr` expect."""


def zlib_bytes(texts: Sequence[str]) -> np.ndarray:
    """Length of each text in UTF-8 after `zlib.compress` at its default level.

    Args:
        texts: N strings.

    Returns:
        int64 [N], bytes, at least 8 (the empty text).
    """
    return np.fromiter(map(_zlib_bytes, texts), dtype=np.int64, count=len(texts))


def _zlib_bytes(text: str) -> int:
    # Bit for bit what `zlib.compress` gives, without the 16 KB that it takes for each answer.
    compressor = zlib.compressobj()
    return len(compressor.compress(text.encode())) + len(compressor.flush())


def min_k(scores: np.ndarray, share: float = MIN_K_SHARE) -> np.ndarray:
    """Mean of the lowest scores of each row.

    The number of scores is int(share x L), rounded down as in the authors' code, but at least 1: 12 of 63 for
    20 %.

    Args:
        scores: float [N, L], one per token, L >= 1: log-probabilities for Min-K%, z-scores for Min-K%++.
        share: In (0, 1].

    Returns:
        float64 [N], in the unit of the scores; NaN where a score is NaN. Shi et al. 2024.

    >>> min_k(np.array([[-1.0, -5.0, -2.0, -3.0, -4.0]]), share=0.4)
    array([-4.5])
    """
    count = max(1, int(scores.shape[1] * share))
    lowest = np.mean(np.partition(scores, count - 1, axis=1)[:, :count], axis=1, dtype=np.float64)
    return np.where(np.isnan(scores).any(axis=1), np.nan, lowest)  # partition moves NaN out of the lowest


def standardized_logprob(logprob: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """How far the true token's log-probability lies from what the model expects of itself at that position.

    z_t = (log p(x_t | x_<t) - mu_t) / max(sigma_t, 1e-4), mu and sigma over the vocabulary, weighted by p.

    The authors' code divides by sigma as it comes. Where the model is certain of the true token, sigma and
    the difference both vanish: z tends to 0, but what float32 leaves of the two is round-off, and their
    quotient anything. sigma = 1e-4 belongs to a probability within 2e-11 of 1, beyond what float32 can
    tell from 1, so the floor acts on nothing but round-off.

    Args:
        logprob: float [N, L], nats.
        mean: float [N, L], nats.
        std: float [N, L], nats, at least 0.

    Returns:
        float64 [N, L], standard deviations; -inf where the token has probability 0. Zhang et al. 2025.

    >>> logprob, mean, std = np.array([[-3.0, 0.0]]), np.array([[-2.0, -1e-9]]), np.array([[0.5, 0.0]])
    >>> standardized_logprob(logprob, mean, std).round(3)
    array([[-2.,  0.]])
    """
    impossible = np.isneginf(logprob)
    difference = np.where(impossible, 0.0, logprob).astype(np.float64) - mean
    return np.where(impossible, -np.inf, difference / np.maximum(std, MIN_STD))


def auroc(scores: np.ndarray, is_member: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a member outscores a non-member, ties counting half.

    AUROC = (#{(m, o): s_m > s_o} + #{(m, o): s_m = s_o} / 2) / (members x others), exact, by sorting.

    Args:
        scores: float [N], higher = member; -inf and inf are allowed.
        is_member: bool [N].

    Returns:
        In [0, 1], 0.5 = no information; NaN where there are no members or no others. Hanley and McNeil 1982.

    Raises:
        ValueError: A score is NaN or the lengths differ.

    >>> auroc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False]))
    0.875
    """
    members, others = _members_and_others(scores, is_member)
    if not len(members) or not len(others):
        return float("nan")
    others = np.sort(others)
    below = np.searchsorted(others, members, side="left")
    below_or_equal = np.searchsorted(others, members, side="right")
    return float((below.sum() + below_or_equal.sum()) / 2 / (len(members) * len(others)))


def tpr_at_fpr(scores: np.ndarray, is_member: np.ndarray, fpr: float = 0.01) -> float:
    """The largest share of members above a threshold that at most a share `fpr` of the others reaches.

    TPR = max over thresholds c with #{others >= c} / others <= fpr of #{members >= c} / members. Equal scores
    fall on the same side, and nothing is interpolated between thresholds.

    Args:
        scores: float [N], higher = member; -inf and inf are allowed.
        is_member: bool [N].
        fpr: In [0, 1].

    Returns:
        In [0, 1]; NaN where there are no members or no others. Carlini et al. 2022.

    Raises:
        ValueError: A score is NaN, the lengths differ, or `fpr` is not in [0, 1].

    >>> tpr_at_fpr(np.array([9.0, 8.0, 2.0, 8.0, 1.0]), np.array([True, True, True, False, False]), fpr=0.25)
    0.3333333333333333
    """
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr is {fpr}; a false-positive rate lies between 0 and 1")
    members, others = _members_and_others(scores, is_member)
    if not len(members) or not len(others):
        return float("nan")
    allowed = int(fpr * len(others) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    if allowed >= len(others):
        return 1.0
    # The highest-scoring of the others that must not be taken: only what lies above it can be a positive.
    bound = np.sort(others)[len(others) - 1 - allowed]
    return float(np.mean(members > bound))


def _members_and_others(scores: np.ndarray, is_member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, is_member = np.asarray(scores), np.asarray(is_member, dtype=bool)
    if scores.shape != is_member.shape:
        raise ValueError(f"scores has shape {scores.shape}, is_member {is_member.shape}; give one flag for each score")
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {scores.size} scores are NaN; leave those rows out of both")
    return scores[is_member], scores[~is_member]


def _membership(batch: ScoredBatch) -> dict[str, np.ndarray]:
    scores = batch.scores
    loss = mean_nll(scores.logprob)
    return {
        "loss": loss,
        "zlib_ratio": loss / zlib_bytes(batch.text),
        "min_k": min_k(scores.logprob),
        "min_k_plus_plus": min_k(standardized_logprob(scores.logprob, scores.logprob_mean, scores.logprob_std)),
    }


MEMBERSHIP = Metric(
    name="membership scores",
    columns=(
        Column(
            name="loss",
            type="float64",
            description="Mean negative log-likelihood of tokens 2..T.",
            unit="nats per token",
            range="[0, inf]",
            direction="lower = member",
            formula="-mean_{t=2..T} log p(x_t|x_<t)",
            source="Yeom et al. 2018, Privacy Risk in Machine Learning, CSF",
        ),
        Column(
            name="zlib_ratio",
            type="float64",
            description="Loss over the size of the zlib-compressed text: low where the model, unlike zlib, "
            "finds the text easy.",
            unit="nats per token and byte",
            range="[0, inf]",
            direction="lower = member",
            formula="loss / len(zlib.compress(text in UTF-8))",
            source="Carlini et al. 2021, Extracting Training Data from Large Language Models, USENIX Security",
        ),
        Column(
            name="min_k",
            type="float64",
            description="Min-K% Prob: mean log-probability of the 20 % least likely tokens.",
            unit="nats per token",
            range="[-inf, 0]",
            direction="higher = member",
            formula="mean of the max(1, int(0.2 (T-1))) lowest log p(x_t|x_<t)",
            source="Shi et al. 2024, Detecting Pretraining Data from Large Language Models, ICLR",
        ),
        Column(
            name="min_k_plus_plus",
            type="float64",
            description="Min-K%++: the same mean over log-probabilities standardised by the model's own "
            "mean and standard deviation at the position.",
            unit="standard deviations",
            range="[-inf, inf]",
            direction="higher = member",
            formula="mean of the max(1, int(0.2 (T-1))) lowest (log p(x_t|x_<t) - mu_t) / max(sigma_t, 1e-4)",
            source="Zhang et al. 2025, Min-K%++: Improved Baseline for Detecting Pre-Training Data from "
            "Large Language Models, ICLR",
        ),
    ),
    compute=_membership,
)
