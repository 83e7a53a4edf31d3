"""What is worked out at the start."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from unlearning.demem import DEMEM
from unlearning.demem.prepare import learning_rate
from unlearning.demem.settings import AUTO, PAPER
from unlearning.method import UnlearningError
from unlearning.policy import Policy


class Sized:
    """Anything with a number of parameters."""

    def __init__(self, parameters: float) -> None:
        self.parameters = parameters

    def num_parameters(self) -> int:
        return int(self.parameters)


@pytest.mark.parametrize(
    ("parameters", "expected"), [(1.3e6, 3e-4), (30e6, 3e-4), (160e6, 1e-4), (1.4e9, 3e-5), (12e9, 1e-5), (70e9, 1e-5)]
)
def test_learning_rate_by_size(parameters, expected):
    assert learning_rate(Sized(parameters), is_lora=False) == expected
    assert learning_rate(Sized(parameters), is_lora=True) == pytest.approx(10 * expected)


def test_between_two_sizes_the_rate_is_between():
    # The geometric mean of the sizes gets the geometric mean of the rates.
    assert learning_rate(Sized((160e6 * 1.4e9) ** 0.5), is_lora=False) == pytest.approx((1e-4 * 3e-5) ** 0.5, rel=0.05)


def test_nothing_is_left_to_be_worked_out(fresh, word_task):
    policy = Policy(fresh())
    for settings in (AUTO, PAPER, replace(AUTO, reward="sacrebleu")):
        found = DEMEM.prepare(policy, word_task, settings)
        empty = {item.name for item in fields(found) if getattr(found, item.name) is None}
        assert empty == {"bertscore_model"}
    assert found.baseline == "value-head" and found.gamma == 1.0 and found.reward_scale == 1.0
    found = DEMEM.prepare(policy, word_task, AUTO)
    assert found.baseline == "closed-form" and found.gamma == 0.5 and found.reward_scale == 0.3
    assert found.learning_rate == 3e-4 and found.kl_horizon == found.rollouts * found.iterations
    assert DEMEM.prepare(policy, word_task, PAPER) == replace(PAPER, iterations=3)  # 8 x 12 / 32


def test_what_was_chosen_stays(fresh, word_task):
    chosen = replace(AUTO, learning_rate=1e-5, temperatures=(0.9,), gamma=0.0, iterations=3, reward_scale=2.0)
    found = DEMEM.prepare(Policy(fresh()), word_task, chosen)
    assert found == replace(chosen, baseline="closed-form", kl_horizon=3 * 256, adam_eps=found.adam_eps)


def test_certain_models_are_sampled_warmer(fresh, word_task):
    """Where every suffix token has probability nearly 1, rollouts at temperature 1 are all the same."""
    pairs = []
    for sharpness in (0.4, 2.0):
        model = fresh()
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(sharpness)
        pairs.append(DEMEM.prepare(Policy(model), word_task, AUTO).temperatures)
    assert pairs[0] == (1.0, 1.5) and pairs[1] in [(1.5, 2.25), (2.0, 3.0), (3.0, 4.5)]


def test_a_minibatch_must_feed_every_process(fresh, word_task):
    policy = Policy(fresh())
    policy.world = 4
    with pytest.raises(UnlearningError, match="--minibatch 8 or more"):
        DEMEM.prepare(policy, word_task, replace(AUTO, rollouts=16, minibatch=3))
