"""What the scoring pass leaves behind for every sequence, and nothing that could be computed from it later.

A sequence has T = P + S tokens. Position j of a [T - 1] array speaks of token j + 1 given tokens 0..j, so the
suffix's scores are the last S of them. Nothing else in the project shifts by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np


class ScoreLevel(IntEnum):
    """How much is asked of the model, each level all that the ones before it ask, and more.

    Attributes:
        EXTRACTABLE: Whether greedy decoding gives the suffix. Most rows are decided by their first tokens.
        MEMORIZATION: What greedy decoding gives instead, token by token.
        LIKELIHOOD: How probable the suffix is, by sampling.
        FULL: The same of the prefix, ranks and moments of every distribution, and the extraction likelihood.
    """

    EXTRACTABLE = 0
    MEMORIZATION = 1
    LIKELIHOOD = 2
    FULL = 3

    @classmethod
    def of(cls, option: str) -> ScoreLevel:
        """The level that `--scores` names.

        Raises:
            KeyError: There is no such level.
        """
        return cls[option.upper()]

    @property
    def option(self) -> str:
        """Its name for `--scores`."""
        return self.name.lower()


@dataclass
class TokenScores:
    """Scores of N sequences. Fields are None below the level in brackets.

    Attributes:
        first_mismatch: int32 [N, K], for each prompt length k of the sweep (ascending, the last is P): the index in
            the suffix, 0..S-1, of the first token that greedy decoding from the k tokens before the suffix gets
            wrong; S where it gets none wrong. k-extractable is `first_mismatch == S`.
        min_margin: float32 [N], logits: the smallest gap between the two largest logits over every greedy decision
            that the row's labels and greedy tokens rest on. Below 1e-4 another machine may decide otherwise.
        logprob: float32 [N, T-1], nats (likelihood): log-probability of the true token at temperature 1; [N, S], the
            suffix only, below `full`.
        rank: int32 [N, T-1] (full): how many tokens greedy decoding prefers to the true one; 0 = the greedy choice.
            Ties go to the lowest id; end-of-text tokens are banned, as in the Pythia evaluation.
        topk_logprob: float32 [N, S], nats (likelihood): log-probability of the true suffix token when the
            distribution is cut to its 40 most likely tokens and renormalised; -inf outside them.
        logprob_mean: float32 [N, T-1], nats (full): expectation of log p(z) over the vocabulary, z ~ p.
        logprob_std: float32 [N, T-1], nats (full): standard deviation of log p(z), z ~ p.
        greedy_tokens: int32 [N, S] (memorization): the greedy continuation of the P prefix tokens.
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

    @property
    def level(self) -> ScoreLevel:
        """How much is there: the highest level with a field that isn't None."""
        return max(needed for name, needed in FIELD_LEVELS.items() if getattr(self, name) is not None)


FIELD_LEVELS = {
    "first_mismatch": ScoreLevel.EXTRACTABLE,
    "min_margin": ScoreLevel.EXTRACTABLE,
    "logprob": ScoreLevel.LIKELIHOOD,
    "rank": ScoreLevel.FULL,
    "topk_logprob": ScoreLevel.LIKELIHOOD,
    "logprob_mean": ScoreLevel.FULL,
    "logprob_std": ScoreLevel.FULL,
    "greedy_tokens": ScoreLevel.MEMORIZATION,
    "extraction_likelihood": ScoreLevel.FULL,
}
"""The lowest level at which `TokenScores` has a field."""
