"""The rows a metric sees: tokens, text, and the model's token scores, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metrics.token_scores import TokenScores


@dataclass
class ScoredBatch:
    """N sequences of T = P + S tokens with what the model said of them.

    Attributes:
        tokens: int32 [N, T], the true tokens; the first P are the prefix, the last S the suffix.
        text: N strings, the whole sequence decoded.
        prefix_tokens: P.
        k_values: The prompt lengths of the sweep, ascending; the last is P.
        scores: The model's token scores.
        decode: Turns tokens int [N, L] into N strings with the model's tokenizer (special tokens kept, no clean-up of
            spaces).
        token_counts: int64 [V], how often each token id occurs in the training corpus, or None.
        duplicates: int64 [N], how often each sequence occurs in the training corpus, -1 where unknown; or None.
    """

    tokens: np.ndarray
    text: Sequence[str]
    prefix_tokens: int
    k_values: tuple[int, ...]
    scores: TokenScores
    decode: Callable[[np.ndarray], list[str]]
    token_counts: np.ndarray | None = None
    duplicates: np.ndarray | None = None

    @property
    def suffix_tokens(self) -> int:
        """S, the number of tokens to be reproduced."""
        return self.tokens.shape[1] - self.prefix_tokens

    @property
    def prefix(self) -> np.ndarray:
        """int32 [N, P]."""
        return self.tokens[:, : self.prefix_tokens]

    @property
    def suffix(self) -> np.ndarray:
        """int32 [N, S]."""
        return self.tokens[:, self.prefix_tokens :]
