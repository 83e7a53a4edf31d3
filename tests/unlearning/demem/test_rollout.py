"""Rollouts: what is drawn, from which distribution, and how probable it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from unlearning.demem.rollout import (
    draw,
    learned,
    path_logprobs,
    plan,
    sample_continuations,
    sample_rollouts,
    seeded,
    up_to_end,
)
from unlearning.demem.value_head import ValueHead
from unlearning.method import NonFiniteError
from unlearning.policy import Policy

P, S = 10, 10


@pytest.fixture
def policy(fresh) -> Policy:
    """One that is certain of nothing."""
    model = fresh()
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(0.4)
    return Policy(model)


def drawn(policy, task, settings, *, seed=0, number=1, value_head=None, chunk=12):
    chosen = plan(settings, len(task.forget), seed, number)
    return sample_rollouts(policy, task, **chosen, generator=seeded(seed), chunk=chunk, value_head=value_head)


def test_draw_inverts_the_cumulative_distribution():
    logprobs = torch.tensor([0.1, 0.0, 0.2, 0.7]).log().expand(6, 4)
    uniform = torch.tensor([0.0, 0.0999, 0.1001, 0.2999, 0.3001, 0.9999999], dtype=torch.float64)
    assert draw(logprobs, uniform).tolist() == [0, 0, 2, 2, 3, 3]


def test_what_is_impossible_is_never_drawn():
    logprobs = torch.tensor([0.0, 1.0, 0.0]).log().expand(2, 3)
    assert draw(logprobs, torch.tensor([0.0, 1 - 1e-16], dtype=torch.float64)).tolist() == [1, 1]


def test_the_end_counts_and_nothing_after_it():
    actions = torch.tensor([[5, 0, 7, 0], [0, 1, 2, 3], [4, 5, 6, 7]])
    assert up_to_end(actions, (0,)).int().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    assert up_to_end(actions, (1, 7)).int().tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert up_to_end(actions, ()).all()


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_first_tokens_follow_the_tempered_distribution(policy, rows, temperature):
    prefix = rows[:1, :P]
    found = sample_continuations(policy, prefix.expand(5000, P), 1, temperature, seeded(1))[:, 0]
    with torch.no_grad():
        logits = policy.network(input_ids=prefix).logits[0, -1]
    expected = (logits / temperature).softmax(-1)
    share = torch.bincount(found, minlength=48) / 5000
    assert ((share - expected).abs() <= 5 * (expected * (1 - expected) / 5000).sqrt() + 1e-4).all()
    assert expected.max() < 0.97


def test_the_cache_draws_what_whole_passes_would(policy, task):
    temperature = torch.tensor([0.7, 1.0, 1.5] * 4)
    found = sample_continuations(policy, task.forget[:, :P], S, temperature, seeded(3))
    uniform = torch.rand(12, S, generator=seeded(3), dtype=torch.float64)
    with torch.no_grad():
        logits = policy.network(input_ids=torch.cat([task.forget[:, :P], found], 1)).logits[:, P - 1 : -1]
    assert torch.equal(draw((logits / temperature[:, None, None]).log_softmax(-1), uniform), found)
    assert (found != task.forget[:, P:]).any() and (found == task.forget[:, P:]).any()


def test_seeds_repeat_and_differ(policy, task, settings):
    first, again, other = (drawn(policy, task, settings, seed=seed) for seed in (0, 0, 1))
    for name in ("rows", "actions", "context", "logprob"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_behaviour_probabilities_are_those_of_each_rows_temperature(policy, task, settings):
    rollouts = drawn(policy, task, replace(settings, temperatures=(0.7, 1.0, 2.0)))
    with torch.no_grad():
        logits = policy.network(input_ids=rollouts.context).logits[:, :-1]
    logprobs = (logits / rollouts.temperature[:, None, None]).log_softmax(-1)
    assert rollouts.temperature.unique().tolist() == pytest.approx([0.7, 1.0, 2.0])
    for tokens, found in ((rollouts.actions, rollouts.logprob), (rollouts.true, rollouts.true_logprob)):
        torch.testing.assert_close(found, logprobs.gather(-1, tokens[..., None])[..., 0], rtol=1e-4, atol=1e-5)


def test_rows_from_the_prefix_read_what_they_drew(policy, task, settings):
    rollouts = drawn(policy, task, settings)
    prefix = ~rollouts.is_branch
    assert prefix.sum() == 12
    assert torch.equal(rollouts.context[:, :P], task.forget[rollouts.rows, :P])
    assert torch.equal(rollouts.context[prefix, 1:], rollouts.actions[prefix])
    assert torch.equal(rollouts.true, task.forget[rollouts.rows, 1:])
    assert not rollouts.mask[prefix, : P - 1].any() and (rollouts.first, rollouts.lead) == (1, P - 1)
    assert torch.equal(rollouts.source[prefix], prefix.nonzero()[:, 0])


def test_without_branches_nothing_but_the_suffix_is_spoken_of(policy, task, settings):
    rollouts = drawn(policy, task, replace(settings, depth="prefix"))
    assert (rollouts.first, rollouts.lead) == (P, 0) and rollouts.actions.shape == rollouts.logprob.shape == (24, S)
    assert torch.equal(rollouts.actions, rollouts.context[:, P:]) and rollouts.mask[:, 0].all()


def test_what_belongs_to_another_text_does_not_count():
    context = torch.tensor([[5, 0, 7, 8, 9, 0, 3], [5, 4, 7, 8, 9, 6, 3]])
    branches = torch.tensor([True, True])
    # Before the suffix (from 8 on) what follows an end belongs to its text; after it, what comes up to its own end.
    found = learned(context, branches, 3, 1, (0,)).int().tolist()
    assert found == [[0, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    found = learned(context, branches, 3, 1, (0, 4, 6)).int().tolist()
    assert found == [[0, 1, 1, 1, 1, 0], [0, 1, 1, 1, 1, 0]]
    assert learned(context, ~branches, 3, 1, (0,)).int().tolist() == [[0, 0, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1]]
    assert learned(context, branches, 3, 1, ()).all() and learned(context, branches, 3, 3, (0,)).shape == (2, 4)


def test_branches_read_the_true_row_and_draw_beside_it(policy, task, settings):
    rollouts = drawn(policy, task, replace(settings, temperatures=(3.0,), branch_share=1.0))
    assert rollouts.is_branch.all() and rollouts.mask.all()
    assert torch.equal(rollouts.context, task.forget[rollouts.rows])
    assert (rollouts.actions != rollouts.true).any(0).all()  # at every depth some left the path
    # Two branches of the same row have the same source, and draw for themselves.
    assert torch.equal(rollouts.rows[rollouts.source], rollouts.rows)
    assert len(rollouts.source.unique()) == 12
    assert not torch.equal(rollouts.actions[rollouts.source], rollouts.actions)


def test_branches_follow_the_teacher_forced_distribution(policy, task, settings):
    many = replace(settings, rollouts=3000, minibatch=3000, temperatures=(1.5,), branch_share=1.0)
    one = replace(task, forget=task.forget[:1])
    rollouts = drawn(policy, one, many, chunk=3000)
    expected = rollouts.true_logprob[0].exp()
    share = (rollouts.actions == rollouts.true).float().mean(0)
    assert ((share - expected).abs() <= 5 * (expected * (1 - expected) / 3000).sqrt() + 1e-3).all()
    assert expected.min() < 0.9


def test_an_early_end_ends_the_mask(policy, task, settings):
    with torch.no_grad():
        policy.network.get_output_embeddings().weight[0] *= 0
    rollouts = drawn(policy, task, replace(settings, temperatures=(5.0,), branch_share=0.0))
    ended = (rollouts.actions == 0).any(1)
    assert ended.any() and not ended.all()
    assert rollouts.lead == 0
    for actions, mask in zip(rollouts.actions.tolist(), rollouts.mask.tolist(), strict=True):
        length = actions.index(0) + 1 if 0 in actions else S
        assert mask == [True] * length + [False] * (S - length)


def test_values_are_the_heads(policy, task, settings):
    head = ValueHead(32)
    torch.nn.init.normal_(head.linear.weight)
    rollouts = drawn(policy, task, settings, value_head=head)
    with torch.no_grad():
        states = policy.network.base_model(input_ids=rollouts.context)[0][:, :-1]
        torch.testing.assert_close(rollouts.values, head(states), rtol=1e-4, atol=1e-5)


def test_path_probabilities_are_of_the_true_row(policy, task):
    rows, temperature = torch.tensor([3, 1, 3, 0, 3]), torch.tensor([1.0, 1.5, 1.5, 1.0, 1.0])
    with torch.no_grad():
        logits = policy.network(input_ids=task.forget[rows]).logits[:, P - 1 : -1] / temperature[:, None, None]
    expected = logits.log_softmax(-1).gather(-1, task.forget[rows, P:, None])[..., 0]
    found = path_logprobs(policy, task, rows, temperature, P, 2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_plans_use_all_rows_alike(settings):
    taken = {False: [], True: []}
    for number in (1, 2, 3):
        chosen = plan(replace(settings, temperatures=(1.0, 1.5)), 7, 0, number)
        for kind in taken:
            of_kind = chosen["is_branch"] == kind
            taken[kind] += chosen["rows"][of_kind].tolist()
            assert chosen["temperature"][of_kind].tolist() == [1.0, 1.5] * 6
    for rows in taken.values():
        assert len(rows) == 36 and sorted(rows[:7]) == sorted(rows[7:14]) == list(range(7)) and rows[:7] != rows[7:14]
    assert taken[False] != taken[True]


@pytest.mark.parametrize(("depth", "share", "branches"), [("prefix", 0.5, 0), ("branches", 0.25, 6)])
def test_plans_hold_to_the_depth(settings, depth, share, branches):
    assert plan(replace(settings, depth=depth, branch_share=share), 7, 0, 1)["is_branch"].sum() == branches


def test_a_model_that_gives_no_numbers_is_refused(policy, task, settings):
    with torch.no_grad():
        policy.network.get_output_embeddings().weight[5] = torch.nan
    with pytest.raises(NonFiniteError, match="not finite"):
        drawn(policy, task, settings)
