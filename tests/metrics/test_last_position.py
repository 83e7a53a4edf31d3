"""The last layer for the last position only: the same states there, the same keys and values, less work."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metrics.causal_lm import _is_spared, causal_lm
from metrics.forward_pass import score
from metrics.last_position import modules_by_position, only_last_position
from metrics.slot_cache import SlotCache
from metrics.token_scores import ScoreLevel


@pytest.mark.parametrize(
    ("architecture", "modules"), [("gpt_neox", 2), ("gpt2", 2), ("llama", 2), ("opt", 1), ("mixtral", 2)]
)
def test_last_states_and_cache_are_the_same(tiny_model, architecture, modules):
    model = tiny_model(architecture)
    assert len(modules_by_position(model)) == modules
    lm = causal_lm(model)
    tokens = torch.randint(1, 300, (9, 13))
    caches = SlotCache(9, 13), SlotCache(9, 13)
    with torch.no_grad():
        whole = lm.states(tokens, caches[0])
        last = lm.states(tokens, caches[1], only_last=True)
    assert last.shape == whole[:, -1:].shape
    torch.testing.assert_close(last, whole[:, -1:], rtol=1e-5, atol=1e-5)
    for its, own in zip(caches[0].layers, caches[1].layers, strict=True):
        assert torch.equal(own.keys, its.keys)
        assert torch.equal(own.values, its.values)


def test_the_last_layer_does_less(tiny_model):
    model = tiny_model("gpt_neox")
    lm, rows = causal_lm(model), []
    layers = model.gpt_neox.layers
    for layer in layers:
        layer.mlp.dense_h_to_4h.register_forward_hook(lambda module, inputs, output: rows.append(output.shape[:2]))
    with torch.no_grad():
        lm.states(torch.ones(5, 13, dtype=torch.long), only_last=True)
        assert rows == [(5, 13), (5, 13), (5, 1)]
        rows.clear()
        lm.states(torch.ones(5, 13, dtype=torch.long))  # nothing of it stays behind
    assert rows == [(5, 13)] * 3


def test_hooks_are_gone_after_an_error(tiny_model):
    model = tiny_model("gpt_neox")
    modules = modules_by_position(model)
    with pytest.raises(ZeroDivisionError), only_last_position(modules, 3):
        raise ZeroDivisionError
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_a_module_that_mixes_positions_is_not_spared(tiny_model, monkeypatch):
    """Names promise it; a trial decides. Here the MLP of the last layer adds the mean over all positions."""
    model = tiny_model("gpt_neox")
    mlp = model.gpt_neox.layers[-1].mlp
    forward = mlp.forward
    monkeypatch.setattr(mlp, "forward", lambda states: forward(states + 30 * states.cumsum(1)))
    tokens = np.random.default_rng(0).integers(1, 300, (20, 24))
    labels = score(model, tokens, 12, (12,), level=ScoreLevel.EXTRACTABLE, eos_token_id=0)
    every = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    np.testing.assert_array_equal(labels.first_mismatch, every.first_mismatch)
    with torch.no_grad():
        ids = torch.from_numpy(tokens)
        lm = causal_lm(model)
        torch.testing.assert_close(lm.states(ids, only_last=True), lm.states(ids)[:, -1:])


def test_the_trial_tells_modules_that_need_all_positions(tiny_model, monkeypatch):
    """Without help from the trial of the cache, which such a module fails, too."""
    tokens = torch.arange(16).view(4, 4)
    model = tiny_model("gpt_neox")
    mlp = model.gpt_neox.layers[-1].mlp
    forward = mlp.forward
    with torch.no_grad():
        assert _is_spared(model, tokens)
        monkeypatch.setattr(mlp, "forward", lambda states: forward(states + 30 * states.cumsum(1)))
        assert not _is_spared(model, tokens)
        monkeypatch.setattr(mlp, "forward", lambda states: forward(states.view(4, 4, 32)))
        assert not _is_spared(model, tokens)
        monkeypatch.setattr(mlp, "forward", forward)
        assert _is_spared(model, tokens)
