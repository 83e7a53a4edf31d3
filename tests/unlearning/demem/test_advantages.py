"""Advantages against naive sums and hand-computed numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearning.demem.advantages import (
    at_last_token,
    centred,
    closed_form_values,
    generalized_advantages,
    moments,
    on_path,
    scaled,
    whitened,
)

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()


def alone(value: torch.Tensor) -> torch.Tensor:
    """The sum over one process."""
    return value


def naive_gae(rewards, values, mask, gamma, lambda_):
    """The definition, one sum for each token: A_t = sum_k (gamma lambda)^k (r + gamma V' - V)."""
    result = np.zeros(rewards.shape)
    for row, length in enumerate(mask.sum(1)):
        later = np.append(values[row, :length], 0.0)
        delta = rewards[row, :length] + gamma[row] * later[1:] - later[:-1]
        for t in range(length):
            result[row, t] = sum((gamma[row] * lambda_) ** (k - t) * delta[k] for k in range(t, length))
    return result


@pytest.mark.parametrize("lambda_", [0.0, 0.95, 1.0])
def test_gae_equals_a_naive_loop(lambda_):
    rng = np.random.default_rng(0)
    mask = np.arange(12) < rng.integers(1, 13, (20, 1))
    rewards, values = rng.normal(size=(2, 20, 12))
    gamma = rng.choice([0.0, 0.5, 1.0], 20)
    inputs = [torch.from_numpy(array) for array in (rewards, values, mask, gamma)]
    expected = naive_gae(rewards, values, mask, gamma, lambda_)
    np.testing.assert_allclose(generalized_advantages(*inputs, lambda_).numpy(), expected, atol=1e-12)


def test_without_values_and_lambda_1_it_is_the_discounted_return():
    rewards, gamma = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([0.5])
    found = generalized_advantages(rewards, torch.zeros(1, 3), torch.ones(1, 3).bool(), gamma, 1.0)
    assert found.tolist() == [[1 + 0.5 * 2 + 0.25 * 4, 2 + 0.5 * 4, 4]]


def test_gamma_0_makes_every_token_an_episode():
    rewards, values = torch.rand(2, 3, 4)
    found = generalized_advantages(rewards, values, torch.ones(3, 4).bool(), torch.zeros(3), 0.95)
    assert torch.equal(found, rewards - values)


def test_terminal_reward_lands_on_the_last_generated_token():
    found = at_last_token(torch.tensor([1.0, 2.0, 3.0]), MASK)
    assert found.tolist() == [[0, 0, 0, 1], [0, 2, 0, 0], [3, 0, 0, 0]]


def test_centring_is_per_position_over_those_that_are_there():
    rewards = torch.tensor([[1.0, 2.0, 3.0, 4.0], [3.0, 6.0, 9.0, 9.0], [8.0, 9.0, 9.0, 9.0]])
    # means: (1 + 3 + 8) / 3, (2 + 6) / 2, 3, 4
    assert centred(rewards, MASK, alone).tolist() == [[-3, -2, 0, 0], [-1, 2, 0, 0], [4, 0, 0, 0]]


def test_centring_counts_the_rows_of_all_processes():
    def with_another(value):
        """As if a second process held a row of sevens at every position."""
        return value + torch.stack([torch.full((4,), 7.0), torch.ones(4)])

    found = centred(torch.full((3, 4), 1.0), MASK, with_another)
    np.testing.assert_allclose(found[0].numpy(), [1 - 10 / 4, 1 - 9 / 3, 1 - 8 / 2, 1 - 8 / 2])


def test_centred_rewards_are_the_closed_form_baseline_of_rewards_that_say_nothing():
    """With V_t = m_t + gamma V_{t+1} the advantages are those of centred rewards and V = 0."""
    rewards = torch.rand(6, 5, dtype=torch.float64)
    mask, gamma = torch.ones(6, 5).bool(), torch.full((6,), 0.5, dtype=torch.float64)
    values = torch.zeros(5, dtype=torch.float64)
    for t in reversed(range(5)):
        values[t] = rewards[:, t].mean() + (0.5 * values[t + 1] if t < 4 else 0.0)
    with_values = generalized_advantages(rewards, values.expand(6, 5), mask, gamma, 0.95)
    without = generalized_advantages(centred(rewards, mask, alone), torch.zeros(6, 5), mask, gamma, 0.95)
    torch.testing.assert_close(with_values, without)


def test_on_path_is_about_the_tokens_before():
    actions, true = torch.tensor([[1, 2, 9, 4], [9, 2, 3, 4], [1, 2, 3, 9]]), torch.tensor([[1, 2, 3, 4]] * 3)
    assert on_path(actions, true).int().tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]


def test_closed_form_values_by_hand():
    path = torch.tensor([[0.5, 0.8, 0.4]])
    here = torch.tensor([[0.5, 0.8, 0.1]])
    # On the path V_3 = -.4, V_2 = .8 (-1 - .5 x .4), V_1 = .5 (-1 + .5 V_2); off it -p.
    expected = [[0.5 * (-1 - 0.5 * 0.96), 0.8 * (-1 - 0.5 * 0.4), -0.4]]
    no_end = torch.zeros(1, 3).bool()
    found = closed_form_values(here, path, torch.tensor([[True, True, True]]), no_end, 0.5, 1.0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    found = closed_form_values(here, path, torch.tensor([[True, True, False]]), no_end, 0.5, 0.3)
    np.testing.assert_allclose(found.numpy(), [[0.3 * expected[0][0], 0.3 * expected[0][1], 0.3 * -0.1]], rtol=1e-6)
    # The second true token ends the text: nothing is expected after it.
    ends = torch.tensor([[False, True, False]])
    found = closed_form_values(here, path, torch.tensor([[True, True, True]]), ends, 0.5, 1.0)
    np.testing.assert_allclose(found.numpy(), [[0.5 * (-1 - 0.5 * 0.8), -0.8, -0.4]], rtol=1e-6)


def test_closed_form_value_is_the_mean_return_of_rollouts():
    """Rollouts that leave the path for good, as the closed form assumes: with probability 1 - p at each token."""
    generator = torch.Generator().manual_seed(0)
    p = torch.tensor([0.9, 0.7, 0.95, 0.6, 0.8])
    match = (torch.rand(200_000, 5, generator=generator) < p).cumprod(1)
    returns = (-match * 0.5 ** torch.arange(5)).sum(1)
    value = closed_form_values(p[None], p[None], torch.ones(1, 5).bool(), torch.zeros(1, 5).bool(), 0.5, 1.0)[0, 0]
    assert float(returns.mean()) == pytest.approx(float(value), abs=4 * float(returns.std()) / 200_000**0.5)


def test_moments_see_the_mask_only():
    values = torch.tensor([[1.0, 3.0, 100.0, 100.0]])
    mean, deviation = moments(values, torch.tensor([[True, True, False, False]]), alone)
    assert (float(mean), float(deviation)) == (2.0, 1.0)
    assert [float(x) for x in moments(values, torch.zeros(1, 4).bool(), alone)] == [0.0, 0.0]


def test_scaling_stops_at_the_floor():
    mask = torch.ones(1, 2).bool()
    assert scaled(torch.tensor([[1.0, 5.0]]), mask, 0.1, alone).tolist() == [[0.5, 2.5]]
    found = scaled(torch.tensor([[0.001, -0.001]]), mask, 0.1, alone)
    np.testing.assert_allclose(found.numpy(), [[0.01, -0.01]], rtol=1e-6)


def test_whitening_by_hand():
    found = whitened(torch.tensor([[1.0, 5.0, 70.0]]), torch.tensor([[True, True, False]]), alone)
    np.testing.assert_allclose(found.numpy(), [[-1.0, 1.0, 0.0]], atol=1e-6)
