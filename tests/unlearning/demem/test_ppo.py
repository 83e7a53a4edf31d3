"""The update against formulas written out by hand, and what a whole training does and leaves alone."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from unlearning import state as saves
from unlearning.demem import DEMEM
from unlearning.demem.ppo import Demem, train
from unlearning.demem.reference import Reference
from unlearning.demem.rollout import plan, sample_rollouts, seeded, up_to_end
from unlearning.method import NonFiniteError
from unlearning.policy import Policy

P, S = 10, 10


@pytest.fixture
def policy(fresh) -> Policy:
    """One whose rollouts differ, and match here and there."""
    model = fresh()
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(0.6)
    return Policy(model)


def hits(policy, rows) -> float:
    """Share of the rows whose suffix is recited."""
    return float(policy.greedy_hits(rows, (0,))[:, P - 1 :].all(1).float().mean())


def moved(policy) -> float:
    """How far the weights are from the original's."""
    with policy.original() as network:
        pairs = zip(policy.network.parameters(), network.parameters(), strict=True)
        return max(float((a - b).abs().max()) for a, b in pairs)


def one_batch(policy, task, settings):
    """A `Demem`, its rollouts, and numbers in place of advantages and returns."""
    demem = Demem(policy, task, settings)
    rollouts = sample_rollouts(
        policy,
        task,
        **plan(settings, len(task.forget), 0, 1),
        generator=seeded(0),
        chunk=settings.minibatch,
        value_head=demem.value_head,
    )
    generator = torch.Generator().manual_seed(7)
    advantages, returns = torch.randn(2, *rollouts.actions.shape, generator=generator)
    return demem, rollouts, advantages, returns, Reference(policy, rollouts.context, rollouts.first)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def numpy_logits(network, tokens, first) -> np.ndarray:
    with torch.no_grad():
        return network(input_ids=tokens).logits[:, first - 1 : -1].double().numpy()


@pytest.mark.parametrize("baseline", ["closed-form", "value-head"])
def test_an_update_is_the_published_loss(policy, task, settings, baseline):
    settings = replace(settings, baseline=baseline, max_gradient_norm=0.0, temperatures=(0.8, 1.0, 1.6))
    task = replace(task, eos_token_ids=(int(task.forget[0, P + 4]),))  # where some rollouts, and one row, end early
    demem, rollouts, advantages, returns, reference = one_batch(policy, task, settings)
    with torch.no_grad():  # some way from the policy that drew
        for weight in policy.network.parameters():
            weight += 0.012 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        if demem.value_head is not None:
            torch.nn.init.normal_(demem.value_head.linear.weight, std=0.3)
    part = torch.tensor([1, 3, 14, 15, 20, 23, int((~rollouts.mask).any(1).nonzero()[0])])
    before = copy.deepcopy(policy.network)
    rows = demem._retain_rows(seeded(5))
    notes = demem._update(1, rollouts, advantages, returns, reference, part, seeded(5))

    A, actions, mask = advantages[part].double().numpy(), rollouts.actions[part].numpy(), rollouts.mask[part].numpy()
    logits = numpy_logits(before, rollouts.context[part], 1)
    tempered = log_softmax(logits / rollouts.temperature[part].numpy()[:, None, None])
    logprob = np.take_along_axis(tempered, actions[..., None], 2)[..., 0]
    ratio = np.exp(logprob - rollouts.logprob[part].double().numpy())
    surrogate = np.minimum(ratio * A, np.clip(ratio, 0.8, 1.2) * A)
    new, old = log_softmax(logits), log_softmax(numpy_logits(policy._frozen, rollouts.context[part], 1))
    expected = {
        "policy_loss": -surrogate[mask].mean(),
        "clip_fraction": (abs(ratio - 1) > 0.2)[mask].mean(),
        "ratio_max": ratio[mask].max(),
        "kl": (np.exp(new) * (new - old)).sum(-1)[mask].mean(),
        "entropy": -(np.exp(new) * new).sum(-1)[mask].mean(),
    }
    retained = demem.retain_tokens[rows]
    new, old = (log_softmax(numpy_logits(network, retained, 1)) for network in (before, policy._frozen))
    expected["retain_loss"] = (np.exp(old) * (old - new)).sum(-1).mean()
    if demem.value_head is not None:
        with torch.no_grad():
            states = before.base_model(input_ids=rollouts.context[part])[0][:, :-1].double().numpy()
        # The step has changed the head by the learning rate at most; what it was is in the notes' favour.
        weight = demem.value_head.linear.weight.detach().double().numpy()[0]
        V, V_old, R = states @ weight, rollouts.values[part].numpy(), returns[part].double().numpy()
        losses = 0.5 * np.maximum((V - R) ** 2, (np.clip(V, V_old - 0.2, V_old + 0.2) - R) ** 2)
        learned = mask & ~rollouts.is_branch[part].numpy()[:, None]
        assert float(notes["value_loss"]) == pytest.approx(losses[learned].mean(), rel=0.02)
    assert (
        0.1 < expected["clip_fraction"] < 0.9
        and rollouts.is_branch[part].any()
        and expected["kl"] > 1e-3
        and not mask.all()
    )
    for name, value in expected.items():
        assert float(notes[name]) == pytest.approx(value, rel=1e-3, abs=1e-6), name


def test_the_gradient_is_that_of_the_loss(policy, task, settings):
    """Against plain torch: no shared contexts, no hand-written derivative, one backward pass."""
    settings, task = replace(settings, max_gradient_norm=0.0), replace(task, forget=task.forget[:8])
    demem, rollouts, advantages, returns, reference = one_batch(policy, task, settings)
    with torch.no_grad():
        for weight in policy.network.parameters():
            weight += 0.012 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    part = torch.arange(24)  # branches of the same row among them
    assert len(rollouts.source.unique()) < 24
    network = copy.deepcopy(policy.network)
    logits = network(input_ids=rollouts.context).logits[:, :-1]
    with torch.no_grad():
        original = policy._frozen(input_ids=rollouts.context).logits[:, :-1].log_softmax(-1)
    tempered = (logits / rollouts.temperature[:, None, None]).log_softmax(-1)
    ratio = (tempered.gather(-1, rollouts.actions[..., None])[..., 0] - rollouts.logprob).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
    divergence = (logits.softmax(-1) * (logits.log_softmax(-1) - original)).sum(-1)
    retained = demem.retain_tokens[demem._retain_rows(seeded(5))]
    with torch.no_grad():
        kept = policy._frozen(input_ids=retained).logits[:, :-1].log_softmax(-1)
    retain = (kept.exp() * (kept - network(input_ids=retained).logits[:, :-1].log_softmax(-1))).sum(-1).mean()
    loss = -surrogate[rollouts.mask].mean() + 0.05 * divergence[rollouts.mask].mean() + 2.0 * retain
    loss.backward()
    demem._update(1, rollouts, advantages, returns, reference, part, seeded(5))
    for (name, mine), theirs in zip(policy.network.named_parameters(), network.parameters(), strict=True):
        scale = float(theirs.grad.abs().max())
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4 * scale + 1e-9, msg=name)


def test_gradients_are_scaled_down_to_the_norm(policy, task, settings):
    demem, *batch = one_batch(policy, task, replace(settings, max_gradient_norm=0.01))
    notes = demem._update(1, *batch, torch.arange(12), seeded(5))
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in policy.trainable()])
    assert float(norm) == pytest.approx(0.01, rel=1e-3) and notes["gradient_norm"] > 0.1


class Watched(Demem):
    """Keeps what the update is given."""

    def _update(self, number, rollouts, advantages, returns, *rest):
        self.given = rollouts, advantages, returns
        return super()._update(number, rollouts, advantages, returns, *rest)


def naive_gae(rewards: np.ndarray, values: np.ndarray, mask: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Token by token, lambda = 0.95."""
    found = np.zeros(rewards.shape)
    for i, places in enumerate(mask):
        later = 0.0
        for t in reversed(np.flatnonzero(places)):
            after = values[i, t + 1] if t < places.nonzero()[0][-1] else 0.0
            later = rewards[i, t] + gamma[i] * after - values[i, t] + gamma[i] * 0.95 * later
            found[i, t] = later
    return found


def test_advantages_of_the_token_reward(policy, task, settings):
    """Rewards, closed-form values, GAE and scale, from the model's probabilities on."""
    original = copy.deepcopy(policy.network)
    demem = Watched(policy, task, replace(settings, temperatures=(1.0, 2.0)))
    demem.iterate(1)
    rollouts, advantages, _ = demem.given
    heat = rollouts.temperature.numpy()[:, None, None]
    actions, true, mask = (tensor.numpy() for tensor in (rollouts.actions, rollouts.true, rollouts.mask))
    here, path = (
        np.exp(np.take_along_axis(log_softmax(numpy_logits(original, tokens, 1) / heat), true[..., None], 2)[..., 0])
        for tokens in (rollouts.context, task.forget[rollouts.rows])
    )
    rewards, values = np.zeros((2, 24, P - 1 + S))
    for i in range(24):
        for t in range(P - 1 + S):
            match = actions[i, t] == true[i, t]
            if rollouts.is_branch[i]:
                rewards[i, t], values[i, t] = 0.3 * (not match), 0.3 * (1 - path[i, t])
                continue
            rewards[i, t] = -0.3 * match * (t >= P - 1)
            if (actions[i, :t] == true[i, :t]).all():
                values[i, t] = path[i, t] * (-0.3 + 0.5 * sum_of_path(path[i], t + 1))
            else:
                values[i, t] = -0.3 * here[i, t]
    gamma = np.where(rollouts.is_branch, 0.0, 0.5)
    expected = naive_gae(rewards, values, mask, gamma)
    expected[mask] /= max(expected[mask].std(), 0.1)
    np.testing.assert_allclose(advantages.numpy(), expected, atol=1e-4)
    assert not mask[:12, : P - 1].any() and mask[12:].all() and mask[:12, P - 1 :].any() and rewards[:12].any()


def sum_of_path(p: np.ndarray, t: int) -> float:
    """Expected discounted matches from t on, on the path: -0.3 (p_t + .5 p_t p_t+1 + ...)."""
    return -0.3 * sum(0.5 ** (k - t) * np.prod(p[t : k + 1]) for k in range(t, len(p)))


def test_advantages_of_a_whole_reward_with_the_kl_in_it(policy, word_task, settings):
    """The second iteration, when the policy has left the original and the value head says something."""
    changed = {"reward": "sacrebleu", "baseline": "value-head", "kl": "fixed", "kl_coefficient": 0.3, "gamma": 0.9}
    task = replace(word_task, eos_token_ids=(int(word_task.forget[0, P + 4]),))
    demem = Watched(policy, task, replace(settings, **changed, reward_scale=2.0, value_learning_rate=0.05))
    demem.iterate(1)
    demem.iterate(2)
    rollouts, advantages, returns = demem.given
    prefix, mask = (~rollouts.is_branch).numpy(), rollouts.mask.numpy()
    with policy.original() as network:
        old = numpy_logits(network, rollouts.context, 1) / rollouts.temperature.numpy()[:, None, None]
    reference = np.take_along_axis(log_softmax(old), rollouts.actions.numpy()[..., None], 2)[..., 0]
    rewards = -0.3 * (rollouts.logprob.numpy() - reference)
    suffixes = (tensor[:, P - 1 :] for tensor in (rollouts.actions, rollouts.mask, rollouts.true))
    whole = demem.reward(*suffixes, task.eos_token_ids).numpy()
    mean = whole[prefix].mean()
    for i, places in enumerate(mask):
        if prefix[i]:
            rewards[i, places.nonzero()[0][-1]] += 2.0 * (whole[i] - mean)
        else:
            rewards[i] += 2.0 * (rollouts.actions[i] != rollouts.true[i]).numpy()
    values = np.where(prefix[:, None], rollouts.values.numpy(), 2.0 * (1 - rollouts.true_logprob.exp().numpy()))
    expected = naive_gae(rewards, values, mask, np.where(prefix, 0.9, 0.0))
    np.testing.assert_allclose(returns.numpy()[mask], (expected + values)[mask], atol=1e-4)
    np.testing.assert_allclose(advantages.numpy()[mask], (expected[mask] / expected[mask].std()), atol=1e-3)
    assert abs(values[prefix]).max() > 0.01 and not mask.all() and expected[mask].std() > 0.1


@pytest.mark.parametrize("temperatures", [(1.0,), (0.7, 1.0, 2.0)])
def test_the_first_ratio_is_one_at_any_temperature(policy, task, settings, temperatures):
    demem = Demem(policy, task, replace(settings, temperatures=temperatures))
    for number in (1, 2, 3):
        assert demem.iterate(number)["ratio_max"] == pytest.approx(1, abs=1e-4)


def gradients_of(fresh, task, settings, change) -> dict[str, Tensor]:
    """Gradients of one update on rollouts that all end at the fourth token, after `change` of what follows."""
    policy = Policy(fresh())
    demem, rollouts, advantages, returns, _ = one_batch(policy, task, replace(settings, branch_share=0.0))
    actions = rollouts.actions.clone()
    actions[:, 3] = task.eos_token_ids[0]
    actions[:, 4:], mask = 17, up_to_end(actions, task.eos_token_ids)
    logprob = rollouts.logprob.clone()
    change(actions, logprob, mask)
    context = torch.cat([rollouts.context[:, :P], actions], 1)
    rollouts = replace(rollouts, actions=actions, context=context, mask=mask, logprob=logprob)
    demem._update(1, rollouts, advantages, returns, Reference(policy, context, P), torch.arange(24), seeded(5))
    return {name: weight.grad for name, weight in policy.network.named_parameters()}


def test_nothing_after_the_end_is_trained_on(fresh, task, settings):
    def nothing(actions, logprob, mask):
        pass

    def other_tokens(actions, logprob, mask):
        actions[:, 4:] = torch.arange(30, 36)
        logprob[:, 4:] = -500.0

    def no_end(actions, logprob, mask):
        other_tokens(actions, logprob, mask)
        mask[:] = True
        logprob[:, 4:] = -5.0

    plain, other, unmasked = (gradients_of(fresh, task, settings, c) for c in (nothing, other_tokens, no_end))
    for name, gradient in plain.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(other[name], gradient, rtol=0, atol=1e-5 * scale + 1e-9, msg=name)
    assert any(not torch.allclose(unmasked[name], plain[name], rtol=0.1) for name in plain)


def test_the_reward_of_an_early_end_reaches_the_end(policy, word_task, settings):
    """An end that the reward likes becomes more likely: the terminal reward arrives at the end-of-text token."""
    learned = replace(settings, reward="sacrebleu", baseline="value-head", gamma=1.0, reward_scale=1.0)
    with torch.no_grad():
        policy.network.get_output_embeddings().weight[0] *= 0
    task = replace(word_task, retain_benign=word_task.forget[:0], retain_ordinary=word_task.forget[:0])

    def ends() -> float:
        chosen = plan(replace(learned, rollouts=600, branch_share=0.0, temperatures=(3.0,)), 12, 0, 1)
        rollouts = sample_rollouts(policy, task, **chosen, generator=seeded(9), chunk=600)
        return float((rollouts.actions == 0).any(1).float().mean())

    before = ends()
    demem = Demem(policy, task, replace(learned, temperatures=(3.0,), branch_share=0.0, rollouts=240, minibatch=120))
    for number in range(1, 5):
        demem.iterate(number)
    assert 0.05 < before < ends()


@pytest.mark.parametrize(("reward", "baseline"), [("token", "closed-form"), ("sacrebleu", "value-head")])
def test_a_constant_reward_moves_nothing_and_the_true_one_does(fresh, word_task, settings, reward, baseline):
    changed = {"reward": reward, "baseline": baseline, "gamma": 0.5 if reward == "token" else 1.0}
    # Steps in proportion to the gradient: Adam's own would blow rounding errors of the retain term up to full size.
    changed |= {"learning_rate": 1e-3, "adam_eps": 0.1, "max_gradient_norm": 10.0}
    distances = {}
    for control in ("constant", "none"):
        policy = Policy(fresh())
        training = replace(settings, **changed, control=control, skip=False, temperatures=(1.5, 2.0), iterations=6)
        demem = Demem(policy, word_task, training)
        for number in range(1, 7):
            figures = demem.iterate(number)
        assert figures["updates"] == 24 and figures["skipped"] == 0
        distances[control] = moved(policy)
    assert distances["constant"] < 1e-4 < 3e-3 < distances["none"]


def test_updates_without_spread_are_skipped_and_counted(fresh, task, settings, silent):
    policy, training = Policy(fresh()), silent()
    train(policy, task, replace(settings, control="constant"), training)
    assert [figures["skipped"] for figures in training.figures] == [4, 8, 12, 16]
    assert training.figures[-1]["updates"] == 0 and moved(policy) == 0
    assert "policy_loss" not in training.figures[-1] and "reward_mean" in training.figures[-1]


def test_only_forget_rows_are_forgotten(fresh, task, settings, silent):
    """Every row that a gradient comes from: contexts of forget rows before, retain rows in their own term."""
    policy, seen = Policy(fresh()), []

    def note(_, args, kwargs):
        if torch.is_grad_enabled():
            seen.append(kwargs["input_ids"].clone())

    policy.network.base_model.register_forward_pre_hook(note, with_kwargs=True)
    train(policy, task, replace(settings, iterations=2), silent())
    forget = {tuple(row) for row in task.forget[:, :P].tolist()}
    retain = {tuple(row) for row in torch.cat([task.retain_benign, task.retain_ordinary])[:, :-1].tolist()}
    assert len(seen) == 2 * 2 * settings.epochs * 2  # a pass for rollouts and one for retain rows, each update
    for number, tokens in enumerate(seen):
        rows = {tuple(row) for row in tokens.tolist()}
        if number % 2 == 0:
            assert {row[:P] for row in rows} <= forget
        else:
            assert rows <= retain and len(rows) == settings.retain_rows
    benign = {tuple(row) for row in task.retain_benign[:, :-1].tolist()}
    assert sum(tuple(row) in benign for row in seen[1].tolist()) == settings.retain_rows // 2


def test_without_a_retain_term_retain_rows_are_not_read(fresh, task, settings, silent):
    policy, seen = Policy(fresh()), []
    policy.network.base_model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs.get("input_ids", *args)), with_kwargs=True
    )
    train(policy, task, replace(settings, iterations=1, retain_coefficient=0.0), silent())
    forget = {row[0] for row in task.forget[:, :1].tolist()}
    long = [tokens for tokens in seen if tokens.shape[1] > 1]
    assert long and {int(token) for tokens in long for token in tokens[:, 0]} <= forget


@pytest.mark.parametrize("reward", ["token", "sacrebleu"])
def test_it_forgets_and_retains(fresh, word_task, settings, silent, reward):
    chosen = replace(settings, rollouts=96, minibatch=48, temperatures=(1.5, 2.0), iterations=10, learning_rate=5e-3)
    if reward == "sacrebleu":
        chosen = replace(chosen, reward=reward, baseline="value-head", gamma=1.0, reward_scale=1.0)
    policy = Policy(fresh())
    assert hits(policy, word_task.forget) == hits(policy, word_task.retain_benign) == 1
    train(policy, word_task, chosen, silent())
    assert hits(policy, word_task.forget) <= 0.2 and hits(policy, word_task.retain_benign) >= 0.75


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"reward": "sacrebleu", "baseline": "value-head", "gamma": 1.0, "kl": "adaptive", "kl_coefficient": 0.2},
        {"control": "permuted"},
    ],
)
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(fresh, word_task, settings, silent, change, tmp_path):
    settings = replace(settings, **change, temperatures=(1.5, 2.0))
    whole, first = Policy(fresh()), Policy(fresh())
    uninterrupted, half = silent(), silent()
    train(whole, word_task, settings, uninterrupted)
    train(first, word_task, replace(settings, iterations=2), half)
    saves.save(tmp_path, saves.Saved(2, first.weights(), half.state(), {}, {}))

    saved, second = saves.load(tmp_path), Policy(fresh())
    second.load_weights(saved.weights)
    rest = silent(resumed=saved.state, start=2)
    train(second, word_task, settings, rest)
    assert [*half.figures, *rest.figures] == uninterrupted.figures
    assert all(torch.equal(weight, second.weights()[name]) for name, weight in whole.weights().items())
    end, resumed = uninterrupted.state(), rest.state()
    assert end.values == resumed.values and end.tensors.keys() == resumed.tensors.keys()
    assert all(torch.equal(value, resumed.tensors[name]) for name, value in end.tensors.items())


def test_a_loss_that_is_no_number_stops_before_the_step(fresh, task, settings):
    policy = Policy(fresh())
    before = {name: weight.clone() for name, weight in policy.weights().items()}
    demem = Demem(policy, task, settings)
    with torch.no_grad():
        policy._frozen.get_output_embeddings().weight[3] = torch.inf
    with pytest.raises(NonFiniteError, match=r"update 1 gives no finite number for .*kl"):
        demem.iterate(1)
    assert all(torch.equal(weight, before[name]) for name, weight in policy.weights().items())


def test_the_kl_in_the_reward_adapts_its_weight(fresh, task, settings, silent):
    chosen = replace(settings, kl="adaptive", kl_target=1e-3, kl_horizon=24, temperatures=(1.5,), iterations=3)
    training = silent()
    train(Policy(fresh()), task, chosen, training)
    weights = [figures["kl_coefficient"] for figures in training.figures]
    # Nothing has moved when the first batch is drawn: 20 % less. Then it has, further than the target: 20 % more.
    assert weights == pytest.approx([0.05, 0.05 * 0.8, 0.05 * 0.8 * 1.2])
    assert training.figures[0]["kl"] == pytest.approx(0, abs=1e-6) and training.figures[1]["kl"] > 0


def test_adapters_alone_are_trained_under_lora(fresh, task, settings, silent):
    policy, training = Policy(fresh(), lora=True, lora_rank=4), silent()
    frozen = {name: w.clone() for name, w in policy.model.named_parameters() if not w.requires_grad}
    train(policy, task, replace(settings, iterations=2, temperatures=(1.5, 2.0)), training)
    assert training.figures[0]["ratio_max"] == pytest.approx(1, abs=1e-4) and training.figures[1]["kl"] > 1e-5
    assert all(torch.equal(weight, frozen[name]) for name, weight in policy.model.named_parameters() if name in frozen)


def test_both_presets_run(fresh, word_task, silent):
    for preset in DEMEM.presets.values():
        policy, training = Policy(fresh()), silent()
        small = replace(preset, rollouts=8, minibatch=8, iterations=2)
        train(policy, word_task, DEMEM.prepare(policy, word_task, small), training)
        assert training.figures[-1]["updates"] == 2 * preset.epochs
