"""MinHash against exact Jaccard similarities, and the definition of its parts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from metrics import minhash
from metrics.minhash import (
    BAND_ROWS,
    BANDS,
    PERMUTATIONS,
    band_keys,
    estimated_jaccard,
    shingles,
    signatures,
    sketches,
)


def exact_jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """By the definition, from the runs of five tokens themselves."""
    sets = [{tuple(row[i : i + 5]) for i in range(max(1, len(row) - 4))} for row in (one.tolist(), other.tolist())]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def pairs_of_all_similarities(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 64 tokens, each beside one with a piece replaced: similarities from 0 to 1."""
    random = np.random.default_rng(7)
    one = random.integers(0, 50_000, (count, 64))
    other = one.copy()
    for row in range(count):
        start, stop = sorted(random.integers(0, 65, 2))
        other[row, start:stop] = random.integers(0, 50_000, stop - start)
    return one, other


def test_shingles_are_the_runs_of_five_tokens() -> None:
    hashed = shingles(np.array([[1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5]]))
    assert hashed.shape == (1, 7)
    assert hashed[0, 0] == hashed[0, 6]  # 1 2 3 4 5
    assert len(set(hashed[0].tolist())) == 6
    assert shingles(np.array([[1, 2, 3, 4, 5]]))[0, 0] != shingles(np.array([[5, 4, 3, 2, 1]]))[0, 0]


@pytest.mark.parametrize("length", [1, 3, 4, 5])
def test_a_short_row_is_one_shingle(length: int) -> None:
    rows = np.array([range(length), [*range(length - 1), 99]])
    assert shingles(rows).shape == (2, 1)
    signature = signatures(rows)
    assert estimated_jaccard(signature[:1], signature[:1])[0] == 1
    assert estimated_jaccard(signature[:1], signature[1:])[0] == 0


def test_no_tokens() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        shingles(np.empty((3, 0), int))


def test_a_signature_is_the_minimum_of_each_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minhash, "_CHUNK_ROWS", 3)  # more than one chunk, the last one shorter
    tokens = np.random.default_rng(0).integers(0, 500, (7, 12))
    hashed = shingles(tokens).astype(object)
    for k in (0, 1, PERMUTATIONS - 1):
        a, b = int(minhash._FACTORS[k]), int(minhash._OFFSETS[k])
        expected = [min((a * x + b) % 2**32 for x in row) for row in hashed]
        assert signatures(tokens)[:, k].tolist() == expected


@pytest.mark.parametrize("reduce", [lambda signature: signature, sketches], ids=["signatures", "sketches"])
def test_the_estimate_errs_as_a_binomial(reduce: object) -> None:
    one, other = pairs_of_all_similarities()
    truth = np.array([exact_jaccard(a, b) for a, b in zip(one, other, strict=True)])
    estimate = estimated_jaccard(reduce(signatures(one)), reduce(signatures(other)))
    # An agreement by chance adds its own variance: J + (1 - J) / 256 instead of J.
    agree = truth + (1 - truth) / 256
    deviation = np.sqrt(agree * (1 - agree) / PERMUTATIONS) / (1 - 1 / 256)
    z = (estimate - truth)[deviation > 0.005] / deviation[deviation > 0.005]
    assert len(z) > 300
    assert abs(z.mean()) < 4 / np.sqrt(len(z))  # unbiased
    assert 0.85 < z.std() < 1.15  # 400 draws of a standard normal: 1 +- 0.035
    assert np.abs(z).max() < 4.5
    assert (estimate[truth == 1] == 1).all()


def test_the_estimate_by_hand() -> None:
    one, other = np.zeros((1, 256), np.uint8), np.zeros((1, 256), np.uint8)
    other[0, :128] = 1
    assert estimated_jaccard(one, other)[0] == pytest.approx((0.5 - 1 / 256) / (255 / 256))
    other[:] = 1
    assert estimated_jaccard(one, other)[0] == 0
    with pytest.raises(ValueError, match="alike"):
        estimated_jaccard(one, other.astype(np.uint32))


def test_rows_share_a_band_key_where_all_its_minima_agree() -> None:
    signature = np.random.default_rng(0).integers(0, 2**32, (2, PERMUTATIONS), dtype=np.uint32)
    signature[1, BAND_ROWS : 2 * BAND_ROWS] = signature[0, BAND_ROWS : 2 * BAND_ROWS]
    signature[1, 2 * BAND_ROWS : 3 * BAND_ROWS - 1] = signature[0, 2 * BAND_ROWS : 3 * BAND_ROWS - 1]
    keys = band_keys(signature)
    assert (keys[0] == keys[1]).tolist() == [False, True] + [False] * (BANDS - 2)
    alike = band_keys(np.zeros((1, PERMUTATIONS), np.uint32))
    assert len(set(alike[0].tolist())) == BANDS  # the same minima in another band are another key


def test_candidates_come_as_often_as_the_s_curve_says() -> None:
    one, other = pairs_of_all_similarities(4000)
    truth = np.array([exact_jaccard(a, b) for a, b in zip(one, other, strict=True)])
    shared = (band_keys(signatures(one)) == band_keys(signatures(other))).any(axis=1)
    expected = 1 - (1 - truth**BAND_ROWS) ** BANDS
    deviation = np.sqrt((expected * (1 - expected)).sum())
    assert abs(shared.sum() - expected.sum()) < 4 * deviation
    assert shared[truth >= 0.9].mean() > 0.99
    assert shared[truth < 0.3].mean() < 0.03


def test_any_token_ids() -> None:
    largest = np.full((1, 64), 2**31 - 1)
    assert estimated_jaccard(signatures(largest), signatures(largest.astype(np.int32)))[0] == 1
    assert estimated_jaccard(signatures(largest), signatures(np.zeros((1, 64), int)))[0] == 0
