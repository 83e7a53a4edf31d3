"""The figures that training is watched by are those of the measuring command."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from metrics.forward_pass import score
from metrics.token_scores import ScoreLevel
from unlearning.evaluation import forgetting, recitation
from unlearning.policy import Policy


def measured(model, rows, eos: tuple[int, ...]) -> tuple[float, float, float]:
    """Extractable share, MA and EL_10 as the measuring command has them."""
    wanted = np.ones(len(rows), bool)
    scores = score(model, rows.numpy(), 10, (4, 10), level=ScoreLevel.FULL, eos_token_id=eos, el_rows=wanted)
    extractable = (scores.first_mismatch[:, -1] == 10).mean()
    return extractable, (scores.rank == 0).mean(), scores.extraction_likelihood.mean()


@pytest.mark.parametrize("eos", [(), (0,), (17,), (0, 17, 5)])
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_they_are_the_measured_ones(fresh, rows, eos, lora):
    policy = Policy(fresh(), lora=lora)
    before = measured(policy.network, rows, eos)
    with torch.no_grad():
        for weight in policy.trainable():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    now = measured(policy.network, rows, eos)
    assert now[0] < before[0] and 0 < now[1] < before[1]
    assert recitation(policy, rows, 10, eos) == pytest.approx(now[:2], abs=1e-12)
    assert forgetting(policy, rows, 10, eos) == pytest.approx((now[2], now[1]), abs=1e-6)
    assert forgetting(policy, rows, 10, eos, original=True) == pytest.approx((before[2], before[1]), abs=1e-6)


def test_extractable_from_any_prefix(fresh, rows):
    policy = Policy(fresh())
    with torch.no_grad():
        for weight in policy.trainable():
            weight += 0.03 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    first_missed = set()
    for prefix in range(1, 20):
        scores = score(policy.network, rows.numpy(), prefix, (prefix,), level=ScoreLevel.EXTRACTABLE, eos_token_id=0)
        expected = (scores.first_mismatch[:, 0] == 20 - prefix).mean()
        assert recitation(policy, rows, prefix, (0,))[0] == expected
        first_missed.add(expected)
    assert len(first_missed) > 2  # a shift by one would be seen


def test_the_model_knows_what_it_learned(fresh, rows):
    policy = Policy(fresh())
    learned, _ = recitation(policy, rows[:24], 10, (0,))
    other, _ = recitation(policy, rows[24:], 10, (0,))
    assert learned > 0.9 and other == 0.0


def test_without_rows(fresh, rows):
    policy = Policy(fresh())
    assert all(math.isnan(figure) for figure in recitation(policy, rows[:0], 10, (0,)))
    assert all(math.isnan(figure) for figure in forgetting(policy, rows[:0], 10, (0,)))


def test_a_broken_model_has_no_figures(fresh, rows):
    policy = Policy(fresh())
    with torch.no_grad():
        policy.network.gpt_neox.final_layer_norm.bias[0] = torch.nan
    assert all(math.isnan(figure) for figure in recitation(policy, rows, 10, (0,)))
    assert all(math.isnan(figure) for figure in forgetting(policy, rows, 10, (0,)))
    assert forgetting(policy, rows, 10, (0,), original=True)[1] > 0.5


def test_the_original_is_asked_once_for_each_set_of_rows(fresh, rows, monkeypatch):
    asked, policy = [], Policy(fresh())
    monkeypatch.setattr(
        "unlearning.evaluation.score", lambda *args, **kwargs: asked.append(1) or score(*args, **kwargs)
    )
    some = [rows[:5], rows[5:], rows[:5].clone()]
    one, two, again = (forgetting(policy, part, 10, (0,), original=True) for part in some)
    assert one == again != two and len(asked) == 2
    assert forgetting(policy, some[0], 12, (0,), original=True) == one and len(asked) == 3
    assert forgetting(policy, some[0], 10, (0,)) == one and len(asked) == 4
    assert forgetting(Policy(fresh()), some[0], 10, (0,), original=True) == one and len(asked) == 5
