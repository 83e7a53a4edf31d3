"""How well a sequence compresses by itself, without the model."""

from __future__ import annotations

import numpy as np

from metrics.batch import ScoredBatch
from metrics.metric import Column, Metric
from metrics.token_scores import ScoreLevel

_ABSENT = 1 << 30
"""Weight of a tree node that does not exist: heavier than any that does; the sum of two still fits int32."""


def token_multiplicities(tokens: np.ndarray) -> np.ndarray:
    """How often each distinct token of a row occurs in that row.

    Args:
        tokens: int [N, T].

    Returns:
        int32 [N, T], ascending, the T - distinct unused places at the end filled with `_ABSENT`.
    """
    N, T = tokens.shape
    ordered = np.sort(tokens, axis=1)
    starts_run = np.ones((N, T), dtype=bool)
    starts_run[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.flatnonzero(starts_run)
    counts = np.full(N * T, _ABSENT, dtype=np.int32)
    counts[first] = np.diff(first, append=N * T)
    return np.sort(counts.reshape(N, T), axis=1)


def huffman_code_length(tokens: np.ndarray) -> np.ndarray:
    """Mean bits per token of the optimal prefix code built from the sequence's own token counts.

    L = (1/T) sum_v count(v) len(codeword(v)), which equals (1/T) times the sum of the weights of the inner
    nodes of the Huffman tree. With H the entropy of the token counts in bits, H <= L < H + 1. A sequence of
    one distinct token has L = 0: once the token is known nothing is left to tell, and any other value would
    break that bound. The code table itself is not counted.

    All N trees are built side by side: leaves and inner nodes each wait in ascending order (an inner node is
    never lighter than an earlier one), so that the two lightest nodes are always at the heads of these two
    queues.

    Args:
        tokens: int [N, T], T >= 1.

    Returns:
        float64 [N], bits per token, in [0, ceil(log2(T))]. Huffman 1952.

    >>> huffman_code_length(np.array([[5, 5, 6, 7], [5, 5, 5, 5]]))
    array([1.5, 0. ])
    """
    N, T = tokens.shape
    # Node-major, a row of nodes for each place in the queue: the N heads then lie close together.
    leaves = np.full((T + 1, N), _ABSENT, dtype=np.int32)
    leaves[:T] = token_multiplicities(tokens).T
    distinct = np.count_nonzero(leaves < _ABSENT, axis=0)
    merges = int(distinct.max(initial=1)) - 1
    inner = np.full((merges + 1, N), _ABSENT, dtype=np.int32)
    rows = np.arange(N)
    leaf_head, inner_head = np.zeros(N, dtype=np.intp), np.zeros(N, dtype=np.intp)
    bits = np.zeros(N, dtype=np.int64)

    def take_lightest() -> np.ndarray:
        leaf = leaves.take(leaf_head * N + rows)
        node = inner.take(inner_head * N + rows)
        is_leaf = leaf <= node
        np.add(leaf_head, is_leaf & unfinished, out=leaf_head)
        np.add(inner_head, ~is_leaf & unfinished, out=inner_head)
        return np.minimum(leaf, node)

    for merge in range(merges):
        unfinished = merge < distinct - 1
        weight = take_lightest() + take_lightest()
        inner[merge] = np.where(unfinished, weight, _ABSENT)
        bits += np.where(unfinished, weight, 0)
    return bits / T


def _huffman(batch: ScoredBatch) -> dict[str, np.ndarray]:
    return {"huffman_code_length": huffman_code_length(batch.tokens)}


HUFFMAN = Metric(
    name="Huffman code length",
    columns=(
        Column(
            name="huffman_code_length",
            type="float64",
            description="Mean bits per token of the Huffman code built from the sequence's own token "
            "counts; low for repetitive sequences, 0 for one repeated token.",
            unit="bits per token",
            range="[0, ceil(log2(T))]",
            formula="(1/T) sum_v count(v) len(codeword(v))",
            source="Huffman 1952, A Method for the Construction of Minimum-Redundancy Codes, Proc. IRE "
            "40(9); as a feature of memorized text: Prashanth et al. 2024, arXiv:2406.17746",
        ),
    ),
    compute=_huffman,
    needs=ScoreLevel.EXTRACTABLE,
)
