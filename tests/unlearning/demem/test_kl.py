"""Estimates of the KL against its exact value, and gradients against finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from unlearning.demem import kl


@pytest.fixture
def distributions() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of a policy and log-probabilities of an original over five tokens."""
    generator = torch.Generator().manual_seed(0)
    logits, difference = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    return logits, (logits + 0.5 * difference).log_softmax(-1)


def test_exact_values_by_hand():
    logits = torch.tensor([0.25, 0.75]).log() + 3.0
    reference = torch.tensor([0.5, 0.5]).log()
    divergence, entropy = kl.reverse(logits, reference)
    assert float(divergence) == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5), rel=1e-6)
    assert float(entropy) == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75), rel=1e-6)
    forward = kl.forward(logits[None], reference[None])
    assert float(forward) == pytest.approx(0.5 * math.log(2.0) + 0.5 * math.log(2 / 3), rel=1e-6)


def test_estimates_agree_with_the_exact_value(distributions):
    logits, reference = distributions
    exact = float(kl.reverse(logits, reference)[0])
    logprobs = logits.log_softmax(-1)
    drawn = torch.multinomial(logprobs.exp(), 400_000, replacement=True, generator=torch.Generator().manual_seed(1))
    ones = kl.k1(logprobs[drawn], reference[drawn])
    threes = kl.k3(logprobs[drawn], reference[drawn])
    for estimate in (ones, threes):
        assert float(estimate.mean()) == pytest.approx(exact, abs=4 * float(estimate.std()) / 400_000**0.5)
    assert exact > 0.02 and threes.min() >= 0 and ones.min() < 0 and threes.std() < ones.std()


def test_the_directions_differ_and_both_vanish_at_the_original(distributions):
    logits, reference = distributions
    assert abs(float(kl.reverse(logits, reference)[0] - kl.forward(logits[None], reference[None])[0])) > 1e-3
    same = reference + 7.0
    assert float(kl.reverse(same, reference)[0]) == pytest.approx(0, abs=1e-12)
    assert float(kl.forward(same[None], reference[None])) == pytest.approx(0, abs=1e-12)


def test_gradients(distributions):
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(2, 3, 5, dtype=torch.float64).log_softmax(-1)
    assert torch.autograd.gradcheck(lambda x: kl.reverse(x, reference)[0], logits)
    assert torch.autograd.gradcheck(lambda x: kl.forward(x, reference), logits)


def test_adaptive_weight():
    # 20 % too much of a target of 5 over 100 of 1000 rollouts: x (1 + .2 x .1); far too much is clipped to the same.
    assert kl.adapt(0.2, 6.0, 5.0, 100, 1000) == pytest.approx(0.2 * 1.02)
    assert kl.adapt(0.2, 600.0, 5.0, 100, 1000) == pytest.approx(0.2 * 1.02)
    assert kl.adapt(0.2, 0.0, 5.0, 100, 1000) == pytest.approx(0.2 * 0.98)
    assert kl.adapt(0.2, 4.5, 5.0, 100, 1000) == pytest.approx(0.2 * 0.99)
    assert kl.adapt(0.2, 5.0, 5.0, 100, 1000) == 0.2
