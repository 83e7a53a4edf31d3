"""Membership scores by hand, and their evaluation against pair counting and threshold search."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.batch import ScoredBatch
from metrics.membership import (
    MEMBERSHIP,
    MEMBERSHIP_SCORES,
    auroc,
    min_k,
    standardized_logprob,
    tpr_at_fpr,
    zlib_bytes,
)
from metrics.token_scores import TokenScores

TEXTS = ["abc " * 50, "Grüße, 世界"]

# Few distinct values, so that ties are common, and the infinities a log-probability can bring.
LABELLED_SCORES = st.lists(
    st.tuples(st.sampled_from([-np.inf, -1.5, 0.0, 1.0, 2.0, np.inf]), st.booleans()), min_size=1, max_size=40
)


def compute(logprob: np.ndarray, mean: np.ndarray, std: np.ndarray) -> dict[str, np.ndarray]:
    N, positions = logprob.shape
    return MEMBERSHIP.compute(
        ScoredBatch(
            tokens=np.zeros((N, positions + 1), dtype=np.int32),
            text=TEXTS[:N],
            prefix_tokens=1,
            k_values=(1,),
            scores=TokenScores(
                first_mismatch=np.zeros((N, 1), dtype=np.int32),
                min_margin=np.ones(N, dtype=np.float32),
                logprob=logprob.astype(np.float32),
                logprob_mean=mean.astype(np.float32),
                logprob_std=std.astype(np.float32),
            ),
            decode=lambda rows: [""] * len(rows),
        )
    )


def test_the_four_scores_of_two_rows():
    logprob = np.array([-np.arange(1.0, 11.0), np.full(10, -2.0)])
    mean, std = np.full((2, 10), -3.0), np.full((2, 10), 2.0)
    result = compute(logprob, mean, std)
    assert result["loss"].tolist() == [5.5, 2.0]
    sizes = [len(zlib.compress(text.encode("utf-8"))) for text in TEXTS]
    np.testing.assert_allclose(result["zlib_ratio"], [5.5 / sizes[0], 2.0 / sizes[1]])
    assert result["min_k"].tolist() == [-9.5, -2.0]  # 2 of 10: -10 and -9
    assert result["min_k_plus_plus"].tolist() == [-3.25, 0.5]  # (-7/2 - 6/2) / 2; (-2 + 3) / 2
    assert list(result) == list(MEMBERSHIP_SCORES)


def test_min_k_plus_plus_chooses_by_z_score_and_not_by_probability():
    # The least likely token (-8) is one the model was unsure of; the surprise is the other (-4).
    logprob, mean, std = (
        np.array([[-8.0, -4, -1, -1, -1]]),
        np.array([[-7.0, -1, -1, -1, -1]]),
        np.ones((1, 5)),
    )
    result = compute(logprob, mean, std)
    assert result["min_k"].tolist() == [-8.0]
    assert result["min_k_plus_plus"].tolist() == [-3.0]


@pytest.mark.parametrize(("positions", "count"), [(63, 12), (64, 12), (65, 13), (10, 2), (9, 1), (4, 1), (1, 1)])
def test_the_number_of_tokens_is_rounded_down_and_at_least_one(positions: int, count: int):
    scores = -np.arange(1.0, positions + 1)[None, :]
    assert min_k(scores)[0] == pytest.approx(np.mean(scores[0, -count:]))


def test_min_k_of_impossible_and_unknown_tokens():
    assert min_k(np.array([[-np.inf] * 5, [-1.0] * 4 + [-np.inf]])).tolist() == [-np.inf, -np.inf]
    assert np.isnan(min_k(np.array([[-1.0, -2, -3, -4, np.nan]]))).all()


def test_certainty_is_not_blown_up_by_round_off():
    z = standardized_logprob(np.array([[0.0, -1e-7]]), np.array([[-1e-7, 0.0]]), np.array([[0.0, 1e-9]]))
    assert np.abs(z).max() < 0.01
    # A wrong token at a position of certainty stays a great surprise.
    assert standardized_logprob(np.array([[-20.0]]), np.array([[0.0]]), np.array([[0.0]]))[0, 0] < -1e5


def test_impossible_tokens_have_no_finite_z_score():
    z = standardized_logprob(np.full((1, 2), -np.inf), np.array([[-1.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert z.tolist() == [[-np.inf, -np.inf]]


def test_all_impossible():
    result = compute(np.full((1, 10), -np.inf), np.full((1, 10), -1.0), np.ones((1, 10)))
    values = {name: column.tolist() for name, column in result.items()}
    assert values == {
        "loss": [np.inf],
        "zlib_ratio": [np.inf],
        "min_k": [-np.inf],
        "min_k_plus_plus": [-np.inf],
    }


def test_zlib_bytes_of_utf_8():
    assert zlib_bytes(["", "Grüße"]).tolist() == [8, len(zlib.compress("Grüße".encode()))]
    assert zlib_bytes([]).shape == (0,)


def test_every_score_points_at_members_after_its_sign():
    # Row 0 is likelier at every token than row 1 and equally compressible.
    logprob = np.array([np.full(10, -0.5), np.full(10, -4.0)])
    batch_text = ["same text", "same text"]
    mean, std = np.full((2, 10), -2.0), np.ones((2, 10))
    N = 2
    result = MEMBERSHIP.compute(
        ScoredBatch(
            tokens=np.zeros((N, 11), dtype=np.int32),
            text=batch_text,
            prefix_tokens=1,
            k_values=(1,),
            scores=TokenScores(
                first_mismatch=np.zeros((N, 1), dtype=np.int32),
                min_margin=np.ones(N, dtype=np.float32),
                logprob=logprob,
                logprob_mean=mean,
                logprob_std=std,
            ),
            decode=lambda rows: [""] * len(rows),
        )
    )
    for name, sign in MEMBERSHIP_SCORES.items():
        assert auroc(sign * result[name], np.array([True, False])) == 1.0, name


@given(LABELLED_SCORES)
def test_auroc_equals_counting_pairs(labelled: list[tuple[float, bool]]):
    members = [score for score, member in labelled if member]
    others = [score for score, member in labelled if not member]
    result = auroc(*map(np.array, zip(*labelled, strict=True)))
    if not members or not others:
        assert np.isnan(result)
        return
    won = sum(1.0 if m > o else 0.5 if m == o else 0.0 for m in members for o in others)
    assert result == pytest.approx(won / (len(members) * len(others)), abs=1e-12)


@given(LABELLED_SCORES, st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.5, 1.0]))
def test_tpr_equals_trying_every_threshold(labelled: list[tuple[float, bool]], fpr: float):
    members = [score for score, member in labelled if member]
    others = [score for score, member in labelled if not member]
    result = tpr_at_fpr(*map(np.array, zip(*labelled, strict=True)), fpr=fpr)
    if not members or not others:
        assert np.isnan(result)
        return
    best = 0.0
    for threshold in {score for score, _ in labelled}:
        if sum(score >= threshold for score in others) <= fpr * len(others) + 1e-9:
            best = max(best, sum(score >= threshold for score in members) / len(members))
    assert result == pytest.approx(best, abs=1e-12)


def test_tpr_counts_a_rate_that_floats_miss_by_a_hair():
    # 0.29 x 100 is 28.999999999999996, but 29 false positives of 100 are a rate of 0.29.
    others, member = np.arange(100.0), np.array([70.5])
    scores, is_member = np.append(others, member), np.append(np.zeros(100, bool), True)
    assert tpr_at_fpr(scores, is_member, fpr=0.29) == 1.0
    assert tpr_at_fpr(scores, is_member, fpr=0.28) == 0.0


@pytest.mark.parametrize("evaluate", [auroc, tpr_at_fpr])
def test_unusable_scores_are_refused(evaluate):
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        evaluate(np.array([np.nan, 1.0]), np.array([True, False]))
    with pytest.raises(ValueError, match="one flag for each score"):
        evaluate(np.array([1.0, 2.0]), np.array([True]))


def test_a_rate_outside_0_and_1_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        tpr_at_fpr(np.array([1.0, 2.0]), np.array([True, False]), fpr=1.5)
