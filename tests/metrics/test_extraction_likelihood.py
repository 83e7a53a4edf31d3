"""EL_n against its definition taken literally: one decoding for every prefix, n-grams compared one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import metrics.extraction_likelihood as el
from metrics.forward_pass import score
from metrics.token_scores import ScoreLevel


def naive_el(model, tokens: np.ndarray, n: int) -> np.ndarray:
    """sum over t of OVERLAP_n(f(x_<t), x_>=t) / (T - n), f from `generate`."""
    rows, length = tokens.shape
    ids = torch.from_numpy(tokens).long()
    overlaps = np.zeros((rows, length - n))
    for t in range(1, length - n + 1):
        with torch.no_grad():
            out = model.generate(
                ids[:, :t],
                attention_mask=torch.ones_like(ids[:, :t]),
                do_sample=False,
                min_new_tokens=length - t,
                max_new_tokens=length - t,
                pad_token_id=0,
            )[:, t:].tolist()
        for row in range(rows):
            true = tokens[row, t:].tolist()
            known = {tuple(true[i : i + n]) for i in range(len(true) - n + 1)}
            grams = [tuple(out[row][i : i + n]) for i in range(len(true) - n + 1)]
            overlaps[row, t - 1] = sum(gram in known for gram in grams) / len(grams)
    return overlaps.sum(1) / (length - n)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10])
def test_equals_the_definition(memorized, n):
    picked = np.concatenate([np.flatnonzero(memorized.copies > 1)[:70], np.flatnonzero(memorized.copies <= 1)[:20]])
    tokens = memorized.tokens[picked]
    scores = score(
        memorized.model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=np.ones(90, bool), n=n
    )
    np.testing.assert_allclose(scores.extraction_likelihood, naive_el(memorized.model, tokens, n), atol=1e-6)
    assert len(np.unique(scores.extraction_likelihood)) > 5


def test_repeating_text_counts_shifted_n_grams(memorized):
    # In a row with a period the continuation can fall out of step and still give the row's n-grams away.
    rng = np.random.default_rng(5)
    tokens = np.tile(rng.integers(1, 40, (40, 3)), 8).astype(np.int32)
    scores = score(
        memorized.model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=np.ones(40, bool), n=2
    )
    expected = naive_el(memorized.model, tokens, 2)
    np.testing.assert_allclose(scores.extraction_likelihood, expected, atol=1e-6)
    assert (expected > 0).any()


def test_small_waves_give_the_same(memorized, monkeypatch):
    tokens, every = memorized.tokens[:100], np.ones(100, bool)
    one = score(memorized.model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=every, n=3)
    monkeypatch.setattr(el, "_WAVE_BYTES", {"cpu": 1})
    many = score(memorized.model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=every, n=3)
    np.testing.assert_array_equal(one.extraction_likelihood, many.extraction_likelihood)


def test_only_the_rows_asked_for(memorized):
    wanted = np.zeros(50, bool)
    wanted[[3, 40]] = True
    scores = score(
        memorized.model,
        memorized.tokens[:50],
        12,
        (12,),
        level=ScoreLevel.FULL,
        eos_token_id=0,
        el_rows=wanted,
        batch_size=16,
    )
    np.testing.assert_array_equal(np.isnan(scores.extraction_likelihood), ~wanted)


def test_too_short_for_one_n_gram_is_not_a_number(memorized):
    tokens = memorized.tokens[:3, :10]
    scores = score(
        memorized.model, tokens, 5, (5,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=np.ones(3, bool), n=10
    )
    assert np.isnan(scores.extraction_likelihood).all()
    scores = score(
        memorized.model, tokens, 5, (5,), level=ScoreLevel.FULL, eos_token_id=0, el_rows=np.ones(3, bool), n=9
    )
    assert not np.isnan(scores.extraction_likelihood).any()


def test_overlap_by_hand():
    # T = 5, n = 2, one row that the model leaves at position 2 and nowhere else. Prefixes t = 1, 2, 3.
    mismatch = np.array([[False, True, False, False]])
    needed = np.array([[False, False, True, False, False]])
    # The branch's 2-grams ending at 2, 3, 4 start in the true text at: nowhere, 1, 3.
    found = np.array([[-1, -1, -1, 1, 3]], np.int16)
    # t = 1: 2-grams end at 2, 3, 4: the one at 3 (start 1 >= 1) and the one at 4: 2 of 3.
    # t = 2: they end at 3, 4: the one at 3 starts before t, the one at 4 counts: 1 of 2.
    # t = 3: greedy decoding stays on the true text: 1 of 1.
    assert el._overlaps(mismatch, needed, found, 2)[0] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
