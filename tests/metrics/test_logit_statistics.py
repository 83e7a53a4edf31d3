"""Reductions over the vocabulary by hand, at sizes on both sides of the two-level forms."""

from __future__ import annotations

import math

import pytest
import torch

from metrics.logit_statistics import (
    argmax,
    block_maxima,
    greedy_choice,
    logprob,
    logprob_and_moments,
    rank,
    restore,
    topk_logprob,
)

VOCABULARIES = [7, 255, 256, 300, 5000, 20480, 20500]


def scratch(logits: torch.Tensor) -> torch.Tensor:
    return torch.empty(2, *logits.shape)


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_argmax_takes_the_lowest_of_ties(vocab):
    generator = torch.Generator().manual_seed(vocab)
    # Few distinct values, so that every row has many maxima, in every block.
    logits = torch.randint(0, 3, (200, vocab), generator=generator).float()
    assert torch.equal(argmax(logits), logits.argmax(-1))
    choice, margin = greedy_choice(logits)
    assert torch.equal(choice, logits.argmax(-1))
    assert vocab == 7 or not margin.any()
    # A single maximum at each end of the vocabulary and of a block.
    for at in {0, 1, vocab // 2, min(127, vocab - 1), min(128, vocab - 1), vocab - 2, vocab - 1}:
        row = torch.zeros(1, vocab)
        row[0, at] = 1.0
        assert argmax(row).item() == at
        row[0, at - 1] = 0.25  # the one before it, the last token for the first
        choice, margin = greedy_choice(row)
        assert (choice.item(), margin.item()) == (at, 0.75)


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_margin_equals_a_sort(vocab):
    generator = torch.Generator().manual_seed(vocab)
    logits = torch.randn(300, vocab, generator=generator)
    top = logits.topk(2)
    choice, margin = greedy_choice(logits)
    assert torch.equal(choice, top.indices[:, 0])
    assert torch.equal(margin, top.values[:, 0] - top.values[:, 1])


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_rank_equals_a_stable_sort(vocab):
    generator = torch.Generator().manual_seed(vocab)
    logits = torch.randint(0, 5, (100, vocab), generator=generator).float()
    true = torch.randint(0, vocab, (100,), generator=generator)
    order = logits.argsort(dim=-1, descending=True, stable=True)
    assert torch.equal(rank(logits, true, scratch(logits)), (order == true[:, None]).int().argmax(-1))


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_topk_logprob_equals_a_sort(vocab):
    generator = torch.Generator().manual_seed(vocab)
    logits = torch.randn(100, vocab, generator=generator) * 3
    true = torch.randint(0, vocab, (100,), generator=generator)
    true[:50] = logits[:50].topk(5).indices[:, 4]
    top = logits.double().sort(-1, descending=True).values[:, :5]
    own = logits.double().gather(1, true[:, None])[:, 0]
    expected = torch.where(own >= top[:, -1], own - top.logsumexp(-1), -torch.inf)
    torch.testing.assert_close(
        topk_logprob(logits, block_maxima(logits), true, 5).double(), expected, rtol=1e-5, atol=1e-5
    )
    assert torch.isfinite(expected).sum() >= 50


@pytest.mark.parametrize("vocab", [20_480, 20_500, 50_304])
def test_ties_with_the_fortieth_are_inside(vocab):
    generator = torch.Generator().manual_seed(vocab)
    logits = torch.randn(60, vocab, generator=generator).round(decimals=1)  # hundreds of equal ones at every height
    true = torch.randint(0, vocab, (60,), generator=generator)
    order = logits.argsort(dim=-1, descending=True)
    true[:20], true[20:40] = order[:20, 39], order[20:40, 45]
    top = logits.double().sort(-1, descending=True).values[:, :40]
    own = logits.double().gather(1, true[:, None])[:, 0]
    expected = torch.where(own >= top[:, -1], own - top.logsumexp(-1), -torch.inf)
    found = topk_logprob(logits, block_maxima(logits), true, 40)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(expected[:20]).all() and torch.isinf(expected[40:]).any()


def test_margin_by_hand_leaves_the_logits_alone():
    logits = torch.tensor([[1.0, 4.0, 2.5], [2.0, 0.0, 2.0]])
    before = logits.clone()
    assert greedy_choice(logits)[1].tolist() == [1.5, 0.0]
    assert torch.equal(logits, before)


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_a_restored_token_counts_again(vocab):
    generator = torch.Generator().manual_seed(vocab)
    for banned in (0, vocab // 2, vocab - 1):
        logits = torch.randn(50, vocab, generator=generator)
        logits[:25, banned] = 10.0  # the largest of half of the rows
        before, spared = logits.clone(), logits[:, banned].clone()
        logits[:, banned] = -torch.inf
        maxima = block_maxima(logits)
        assert not (greedy_choice(logits, maxima)[0] == banned).any()
        restore(logits, maxima, banned, spared)
        assert torch.equal(logits, before)
        assert torch.equal(maxima, block_maxima(logits))
        assert (greedy_choice(logits, maxima)[0] == banned)[:25].all()


@pytest.mark.parametrize("vocab", VOCABULARIES)
def test_logprob_and_moments_equal_a_log_softmax(vocab):
    generator = torch.Generator().manual_seed(vocab)
    logits = torch.randn(50, vocab, generator=generator) * 5
    logits[:10, vocab - 1] = 40.0  # the last block, which may be shorter
    true = torch.randint(0, vocab, (50,), generator=generator)
    logp = logits.double().log_softmax(-1)
    mean = (logp.exp() * logp).sum(-1)
    std = (logp.exp() * (logp - mean[:, None]) ** 2).sum(-1).sqrt()
    own = logprob(logits, block_maxima(logits), true, scratch(logits))
    got = logprob_and_moments(logits.clone(), block_maxima(logits), true, scratch(logits))
    assert torch.equal(own, got[0])
    for value, expected in zip(got, (logp.gather(1, true[:, None])[:, 0], mean, std), strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)


def test_moments_by_hand():
    # p = (1/2, 1/4, 1/4): log p = -ln 2, -2 ln 2, -2 ln 2. Mean -1.5 ln 2; variance (ln 2 / 2)^2.
    logits = torch.tensor([[math.log(2), 0.0, 0.0]]) + 50
    logprob, mean, std = logprob_and_moments(logits, block_maxima(logits), torch.tensor([1]), scratch(logits))
    assert logprob.item() == pytest.approx(-2 * math.log(2), abs=1e-5)
    assert mean.item() == pytest.approx(-1.5 * math.log(2), abs=1e-5)
    assert std.item() == pytest.approx(math.log(2) / 2, abs=1e-5)


def test_nothing_cancels_at_the_extremes():
    vocab = 50_304
    generator = torch.Generator().manual_seed(0)
    peaked = torch.randn(1, vocab, generator=generator)
    peaked[0, 3] = 40.0
    near_certain = peaked.clone()
    near_certain[0, 7] = 26.0  # its share is 10^-6
    flat = torch.randn(1, vocab, generator=generator) * 1e-3 + 900
    logits = torch.cat([peaked, flat, near_certain])
    true = torch.tensor([3, 4, 3])
    logp = logits.double().log_softmax(-1)
    mean = (logp.exp() * logp).sum(-1)
    std = (logp.exp() * (logp - mean[:, None]) ** 2).sum(-1).sqrt()
    got = logprob_and_moments(logits.clone(), block_maxima(logits), true, scratch(logits))
    assert -1e-6 < logp[2, 3] < -5e-7
    torch.testing.assert_close(got[0].double(), logp[[0, 1, 2], true], rtol=1e-5, atol=1e-7)
    assert torch.equal(logprob(logits, block_maxima(logits), true, scratch(logits)), got[0])
    torch.testing.assert_close(got[1].double(), mean, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(got[2].double(), std, rtol=1e-3, atol=0)
