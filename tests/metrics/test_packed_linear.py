"""Packed layers against the plain ones: the same numbers up to rounding, the same labels and tokens as `generate`."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from metrics import packed_linear
from metrics.forward_pass import score
from metrics.packed_linear import PackedLinear, _rows_taken, can_pack, even_rows, pack_linears
from metrics.token_scores import ScoreLevel

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch was built without oneDNN, so that nothing is packed"
)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 16), (3, 7, 16), (1, 1, 16)])
def test_product_is_the_plain_one(bias, shape):
    assert can_pack()
    torch.manual_seed(0)
    layer = nn.Linear(16, 33, bias=bias).requires_grad_(False)
    values = torch.randn(shape)
    packed = PackedLinear(layer.weight, layer.bias)
    assert packed(values).shape == (*shape[:-1], 33)
    torch.testing.assert_close(packed(values), layer(values), rtol=1e-5, atol=1e-6)
    assert torch.equal(packed.weight, layer.weight)


def test_few_sizes_are_taken_and_none_is_much_too_large():
    sizes = [_rows_taken(rows) for rows in range(1, 4097)]
    assert all(rows <= taken <= max(1.25 * rows, rows + 3) for rows, taken in enumerate(sizes, 1))
    assert len(set(sizes)) < 50
    assert all(even_rows(rows) == max((size for size in sizes if size <= rows), default=0) for rows in range(4096))
    assert _rows_taken(4096) == 4096 and _rows_taken(64) == 64


def test_a_row_does_not_depend_on_those_beside_it():
    torch.manual_seed(0)
    packed = PackedLinear(torch.randn(512, 300), torch.randn(512))
    values = torch.randn(200, 300)
    every = packed(values)
    for rows in (4, 5, 64, 199):
        assert torch.equal(packed(values[:rows]), every[:rows])


def test_every_score_is_that_of_the_plain_model(memorized):
    tokens = memorized.tokens
    wanted = np.arange(len(tokens)) % 40 == 0
    plain = score(memorized.model, tokens, 12, (8, 12), level=ScoreLevel.FULL, eos_token_id=0, el_rows=wanted)
    model = copy.deepcopy(memorized.model)
    assert pack_linears(model, body=True) == 2 * 4 + 1
    assert not any(type(module) is nn.Linear for module in model.modules())
    packed = score(model, tokens, 12, (8, 12), level=ScoreLevel.FULL, eos_token_id=0, el_rows=wanted)
    assert (plain.first_mismatch[:, 1] == 12).sum() > 50
    np.testing.assert_array_equal(packed.first_mismatch, plain.first_mismatch)
    np.testing.assert_array_equal(packed.greedy_tokens, plain.greedy_tokens)
    np.testing.assert_array_equal(packed.extraction_likelihood, plain.extraction_likelihood)
    for name in ("logprob", "topk_logprob", "logprob_mean", "logprob_std", "min_margin"):
        np.testing.assert_allclose(getattr(packed, name), getattr(plain, name), rtol=1e-4, atol=1e-4, err_msg=name)
    assert (packed.logprob != plain.logprob).any()  # or nothing was packed


def test_conv1d_is_packed_and_a_tied_head_leaves_the_embedding():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=2, n_positions=64)).eval()
    model.requires_grad_(False)
    ids = torch.arange(20).view(2, 10)
    before = model(ids).logits
    assert pack_linears(model, body=True) == 2 * 4 + 1
    torch.testing.assert_close(model(ids).logits, before, rtol=1e-4, atol=1e-5)


def test_a_large_tied_head_is_not_copied(monkeypatch):
    model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_embd=32, n_layer=1, n_head=2, n_positions=64)).eval()
    model.requires_grad_(False)
    monkeypatch.setattr(packed_linear, "_LARGEST_COPY_BYTES", 300 * 32 * 4 - 1)
    assert pack_linears(model, body=True) == 4
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_the_plain_weights_are_freed(memorized):
    model = copy.deepcopy(memorized.model)
    weights = [weakref.ref(module.weight) for module in model.modules() if type(module) is nn.Linear]
    pack_linears(model, body=True)
    gc.collect()
    assert len(weights) == 9 and all(weight() is None for weight in weights)


@pytest.mark.parametrize(("capability", "packed"), [("AVX2", 1), ("AVX512", 9), ("DEFAULT", 9)])
def test_the_body_is_packed_where_it_pays(memorized, monkeypatch, capability, packed):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    model = copy.deepcopy(memorized.model)
    assert pack_linears(model) == packed
    assert type(model.get_output_embeddings()) is PackedLinear


def test_what_can_not_be_packed_stays_as_it_is(memorized, monkeypatch):
    half = copy.deepcopy(memorized.model).to(torch.bfloat16)
    assert pack_linears(half, body=True) == 0
    trained = copy.deepcopy(memorized.model).requires_grad_(True)
    assert pack_linears(trained, body=True) == 0
    # Another torch: the operator is gone, takes other arguments, or multiplies wrong.
    for broken in (
        lambda *_: (_ for _ in ()).throw(NotImplementedError("no such operator")),
        lambda weight: (_ for _ in ()).throw(TypeError("takes two arguments")),
        lambda weight, *_: weight * 2,
    ):
        can_pack.cache_clear()
        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", broken)
        assert pack_linears(copy.deepcopy(memorized.model), body=True) == 0
    monkeypatch.undo()
    can_pack.cache_clear()
    assert pack_linears(copy.deepcopy(memorized.model), body=True) == 9
