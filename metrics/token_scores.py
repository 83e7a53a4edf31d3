"""What the scoring pass leaves behind for every sequence, and nothing that could be computed from it later.

A sequence has T = P + S tokens. Position j of a [T - 1] array speaks of token j + 1 given tokens 0..j, so the
suffix's scores are the last S of them. Nothing else in the project shifts by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class TokenScores:
    """Scores of N sequences. Fields marked (full) are None under `--scores extractable`.

    Attributes:
        first_mismatch: int32 [N, K], for each prompt length k of the sweep (ascending, the last is P): the index in
            the suffix, 0..S-1, of the first token that greedy decoding from the k tokens before the suffix gets
            wrong; S where it gets none wrong. k-extractable is `first_mismatch == S`.
        min_margin: float32 [N], logits: the smallest gap between the two largest logits over every greedy decision
            that the row's labels and greedy tokens rest on. Below 1e-4 another machine may decide otherwise.
        logprob: float32 [N, T-1], nats (full): log-probability of the true token at temperature 1.
        rank: int32 [N, T-1] (full): how many tokens greedy decoding prefers to the true one; 0 = the greedy choice.
            Ties go to the lowest id; the end-of-text token is banned, as in the Pythia evaluation.
        topk_logprob: float32 [N, S], nats (full): log-probability of the true suffix token when the distribution is
            cut to its 40 most likely tokens and renormalised; -inf outside them.
        logprob_mean: float32 [N, T-1], nats (full): expectation of log p(z) over the vocabulary, z ~ p.
        logprob_std: float32 [N, T-1], nats (full): standard deviation of log p(z), z ~ p.
        greedy_tokens: int32 [N, S] (full): the greedy continuation of the P prefix tokens.
        extraction_likelihood: float32 [N] (full): EL_10, NaN for rows it was not asked for.
    """

    first_mismatch: np.ndarray
    min_margin: np.ndarray
    logprob: np.ndarray | None = None
    rank: np.ndarray | None = None
    topk_logprob: np.ndarray | None = None
    logprob_mean: np.ndarray | None = None
    logprob_std: np.ndarray | None = None
    greedy_tokens: np.ndarray | None = None
    extraction_likelihood: np.ndarray | None = None
