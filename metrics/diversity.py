"""How much a set of generated texts repeats itself: a model that was pushed too hard says the same thing everywhere."""

from __future__ import annotations

import numpy as np


def unique_ngrams(tokens: np.ndarray, n: int) -> np.ndarray:
    """Every n-gram of the rows, once.

    Args:
        tokens: int [N, L]; an n-gram never reaches across rows.
        n: Length of the n-grams, at least 1.

    Returns:
        int [U, n] in lexicographic order; U = 0 where L < n.

    >>> unique_ngrams(np.array([[7, 8, 7, 8], [7, 8, 9, 9]]), 2).tolist()
    [[7, 8], [8, 7], [8, 9], [9, 9]]
    """
    if tokens.shape[1] < n or not len(tokens):
        return tokens[:0, :0].reshape(0, n)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, n, axis=1)
    return np.unique(windows.reshape(-1, n), axis=0)


def distinct_n(tokens: np.ndarray, n: int) -> float:
    """distinct-n: how many different n-grams the rows hold, divided by how many they hold.

    distinct-n = |{n-grams of all rows}| / (N (L - n + 1)).

    The share falls as N grows, so only sets of the same number of rows can be compared.

    Args:
        tokens: int [N, L], generated tokens.
        n: Length of the n-grams, at least 1.

    Returns:
        In (0, 1], lower = more repetitive; NaN where there is no n-gram. Li et al. 2016, A Diversity-Promoting
        Objective Function for Neural Conversation Models, NAACL.

    >>> distinct_n(np.array([[7, 8, 7, 8], [7, 8, 9, 9]]), 1)
    0.375
    """
    total = len(tokens) * (tokens.shape[1] - n + 1)
    return len(unique_ngrams(tokens, n)) / total if total > 0 else float("nan")
