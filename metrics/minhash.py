"""MinHash: how much two token sequences share, from a few numbers each.

The Jaccard similarity of two sets is the share of their union that lies in both. Under a random order of all possible
elements, the first element of the union is equally likely to be any of them, so two sets have the same first element
with a probability that is exactly their Jaccard similarity; the share of agreements over K orders estimates it (Broder
1997). Here the sets are the shingles of a sequence: its runs of five tokens.
"""

from __future__ import annotations

import numpy as np

from metrics.metric import Column

SHINGLE_TOKENS = 5
PERMUTATIONS = 128
"""K: the standard deviation of an estimate is sqrt(J (1 - J) / K), at most 0.044."""
BANDS = 6
BAND_ROWS = 5
"""Two sequences are compared where all 5 minima of one of 6 bands agree: with probability 1 - (1 - J^5)^6."""
NEAR = 0.8
"""Estimated similarity from which on two sequences are near-duplicates."""

_SOURCE = "Broder 1997, On the Resemblance and Containment of Documents, SEQUENCES"
_CHUNK_ROWS = 1024  # rows whose shingles and scratch stay in the second-level cache
_random = np.random.Generator(np.random.PCG64(1997))
_TOKEN_FACTORS = _random.integers(0, 2**64, SHINGLE_TOKENS, dtype=np.uint64) | np.uint64(1)
_FACTORS = _random.integers(0, 2**32, PERMUTATIONS, dtype=np.uint32) | np.uint32(1)
_OFFSETS = _random.integers(0, 2**32, PERMUTATIONS, dtype=np.uint32)
_BAND_FACTORS = _random.integers(0, 2**64, (BANDS, BAND_ROWS), dtype=np.uint64) | np.uint64(1)
_BAND_OFFSETS = _random.integers(0, 2**64, BANDS, dtype=np.uint64)

COLUMNS: tuple[Column, ...] = (
    Column(
        "copies_in_input",
        "int64",
        "Rows of the input that have exactly these tokens, this one included.",
        unit="rows",
        range="[1, inf)",
    ),
    Column(
        "near_duplicates",
        "int64",
        f"Rows of the input in the group of this one's near-duplicates, itself and exact copies included. Two rows are "
        f"linked where the estimated Jaccard similarity of their runs of {SHINGLE_TOKENS} tokens is {NEAR} or more; a "
        f"group is all that links reach.",
        unit="rows",
        range="[1, inf)",
        formula="J(A, B) = |A and B| / |A or B|, estimated by the share of equal minima under "
        f"{PERMUTATIONS} permutations",
        source=_SOURCE,
    ),
    Column("near_duplicate_group", "int64", "The smallest sequence_id in the group of this row's near-duplicates."),
)


def shingles(tokens: np.ndarray) -> np.ndarray:
    """A 32-bit hash of each run of five tokens; a sequence of fewer tokens is one shingle.

    The high half of sum_j token_j factor_j mod 2^64 with random odd factors, a universal hash: two different runs
    collide with a probability of about 2^-32.

    Args:
        tokens: int [N, T], T >= 1.

    Returns:
        uint32 [N, max(1, T - 4)].

    Raises:
        ValueError: The sequences have no tokens.
    """
    N, T = tokens.shape
    if T == 0:
        raise ValueError("sequences of no tokens have no shingles; give at least one token")
    length = min(SHINGLE_TOKENS, T)
    total = np.zeros((N, T - length + 1), dtype=np.uint64)
    for place in range(length):
        total += tokens[:, place : T - length + 1 + place].astype(np.uint64) * _TOKEN_FACTORS[place]
    return (total >> np.uint64(32)).astype(np.uint32)


def signatures(tokens: np.ndarray) -> np.ndarray:
    """The smallest shingle of each sequence under each of K permutations.

    A permutation of the 32-bit numbers is x -> a x + b mod 2^32 with odd a.

    Args:
        tokens: int [N, T], T >= 1.

    Returns:
        uint32 [N, K].
    """
    hashed = np.ascontiguousarray(shingles(tokens).T)  # shingle-major: the minimum then runs over whole rows
    N = hashed.shape[1]
    result = np.empty((PERMUTATIONS, N), dtype=np.uint32)
    for start in range(0, N, _CHUNK_ROWS):
        part = np.ascontiguousarray(hashed[:, start : start + _CHUNK_ROWS])
        scratch = np.empty_like(part)
        for k in range(PERMUTATIONS):
            np.multiply(part, _FACTORS[k], out=scratch)
            np.add(scratch, _OFFSETS[k], out=scratch)
            np.minimum.reduce(scratch, axis=0, out=result[k, start : start + _CHUNK_ROWS])
    return np.ascontiguousarray(result.T)


def sketches(signature: np.ndarray) -> np.ndarray:
    """One byte of each minimum: a quarter of the size, at the price of 1 in 256 chance agreements.

    Not the lowest byte, which depends on the lowest byte of the shingle alone.

    Args:
        signature: uint32 [N, K].

    Returns:
        uint8 [N, K]. Li and König 2010, b-Bit Minwise Hashing, WWW.
    """
    return (signature >> np.uint32(8)).astype(np.uint8)


def estimated_jaccard(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The estimated similarity of two sequences, row by row.

    J = (s - c) / (1 - c), with s the share of equal minima and c the chance that two different ones are equal: 2^-8
    for sketches, next to nothing for signatures.

    Args:
        one, other: Both uint32 [N, K] signatures or both uint8 [N, K] sketches.

    Returns:
        float64 [N], in [0, 1]; standard deviation sqrt(J (1 - J) / K). Broder 1997, Li and König 2010.

    Raises:
        ValueError: A signature is compared with a sketch, or the shapes differ.
    """
    if one.dtype != other.dtype or one.shape != other.shape:
        raise ValueError(
            f"{one.dtype} {one.shape} against {other.dtype} {other.shape}; give two signatures or two sketches alike"
        )
    chance = 2.0 ** (-8 * one.dtype.itemsize)
    return np.maximum(0.0, ((one == other).mean(axis=1) - chance) / (1 - chance))


def band_keys(signature: np.ndarray) -> np.ndarray:
    """A key for each band; two sequences share one where all minima of the band agree.

    Args:
        signature: uint32 [N, K].

    Returns:
        int64 [N, BANDS]; keys of different bands are different, but for a chance of about 2^-64.
    """
    minima = signature[:, : BANDS * BAND_ROWS].reshape(-1, BANDS, BAND_ROWS).astype(np.uint64)
    return ((minima * _BAND_FACTORS).sum(axis=2) + _BAND_OFFSETS).view(np.int64)
