"""The value head: silent at first, apart from the model, clipped as published."""

from __future__ import annotations

import pytest
import torch

from unlearning.demem.value_head import ValueHead, explained_variance, head_inputs, suffix_states, value_loss
from unlearning.policy import Policy


def test_it_begins_at_zero_and_learns():
    head = ValueHead(8)
    states = torch.randn(2, 3, 8)
    assert torch.equal(head(states), torch.zeros(2, 3))
    head(states).sum().backward()
    assert head.linear.weight.grad.abs().sum() > 0 and float(head.linear.bias.grad) == 6


@pytest.mark.parametrize("through_trunk", [False, True])
def test_the_trunk_is_left_alone_unless_asked_for(through_trunk):
    head = ValueHead(8, through_trunk=through_trunk)
    torch.nn.init.ones_(head.linear.weight)
    states = torch.randn(2, 3, 8, requires_grad=True)
    head(states).sum().backward()
    assert (states.grad is not None) is through_trunk


def test_loss_by_hand():
    old, returns = torch.tensor([1.0, 1.0, 1.0]), torch.tensor([3.0, 1.0, 1.1])
    values = torch.tensor([2.0, 2.0, 1.1])
    # Clipped to 1.2, 1.2 and 1.1: the worse of 1 and 1.8^2, of 1 and .2^2, of 0 and 0; halved.
    assert value_loss(values, old, returns, 0.2).tolist() == pytest.approx([1.62, 0.5, 0.0])


def test_states_are_those_before_each_wanted_token(fresh, rows):
    policy = Policy(fresh())
    with head_inputs(policy.network) as inputs:
        logits = policy.logits(rows[:5], 7)
    states = suffix_states(inputs, logits)
    whole = policy.network.base_model(input_ids=rows[:5])[0]
    torch.testing.assert_close(states, whole[:, 6:-1])
    policy.logits(rows[:2], 7)
    assert len(inputs) == 1  # the hook is gone


def test_states_of_a_model_that_runs_whole():
    # Its head sees every position but the last one, in rows.
    states = torch.randn(2, 5, 8)
    assert torch.equal(suffix_states([states], torch.zeros(2, 3, 11)), states[:, 2:])


def test_explained_variance():
    returns, mask = torch.tensor([[1.0, 2.0, 3.0, 50.0]]), torch.tensor([[True, True, True, False]])
    assert explained_variance(returns, returns + 5, mask, lambda x: x) == 1.0
    assert explained_variance(returns, torch.zeros(1, 4), mask, lambda x: x) == 0.0
    half = torch.tensor([[1.0, 2.0, 3.0, 0.0]]) / 2
    assert explained_variance(returns, half, mask, lambda x: x) == pytest.approx(0.75)
    assert explained_variance(torch.zeros(1, 4), half, mask, lambda x: x) == 0.0
