"""The policy beside its original: whose logits, in which precision, with which weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from transformers import CTRLConfig, CTRLLMHeadModel, Gemma2Config, Gemma2ForCausalLM
from transformers.cache_utils import DynamicCache

from metrics.forward_pass import score
from metrics.token_scores import ScoreLevel
from unlearning.method import NonFiniteError, UnlearningError
from unlearning.policy import Policy

KINDS = pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])


def perturb(policy: Policy) -> None:
    """Changes every trained weight."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in policy.trainable():
            weight += 0.05 * torch.randn(weight.shape, generator=generator)


@pytest.mark.parametrize("first", [1, 7, 19])
def test_logits_are_of_the_tokens_from_first_on(fresh, rows, first):
    policy = Policy(fresh())
    with torch.no_grad():
        expected = policy.network(input_ids=rows).logits
    logits = policy.logits(rows, first)
    assert logits.dtype == torch.float32
    assert logits.shape == (36, 20 - first, 48)
    for j in range(20 - first):
        torch.testing.assert_close(logits[:, j], expected[:, first + j - 1], rtol=0, atol=1e-5)
    # The model knows its rows by heart, so a shift by one would be seen here, too.
    assert (logits.argmax(-1) == rows[:, first:])[:24, -1].float().mean() > 0.9


@pytest.mark.parametrize("first", [0, 20])
def test_positions_without_logits_are_refused(fresh, rows, first):
    with pytest.raises(ValueError, match="1 to 19"):
        Policy(fresh()).logits(rows, first)


def test_a_model_that_is_not_head_of_body(rows):
    config = Gemma2Config(
        vocab_size=48,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=32,
        final_logit_softcapping=0.5,
    )
    torch.manual_seed(0)
    policy = Policy(Gemma2ForCausalLM(config))
    logits = policy.logits(rows, 10)
    assert logits.abs().max() <= 0.5  # the head's own logits go beyond the cap
    torch.testing.assert_close(logits, policy.network(input_ids=rows).logits[:, 9:-1], rtol=0, atol=1e-6)
    logits.sum().backward()
    assert all(weight.grad is not None for weight in policy.trainable())


@KINDS
def test_the_original_stays_what_it_was(fresh, rows, lora):
    policy = Policy(fresh(), lora=lora)
    torch.testing.assert_close(policy.logits(rows, 5), policy.logits(rows, 5, reference=True), rtol=0, atol=0)
    before = policy.logits(rows, 5, reference=True)
    perturb(policy)
    after = policy.logits(rows, 5, reference=True)
    assert torch.equal(before, after) and not after.requires_grad
    changed = policy.logits(rows, 5)
    assert (changed - before).abs().max() > 0.1 and changed.requires_grad
    with policy.original() as network, torch.no_grad():
        torch.testing.assert_close(network(input_ids=rows).logits[:, 4:-1], before, rtol=0, atol=1e-5)


@KINDS
def test_looking_at_the_original_leaves_gradients_alone(fresh, rows, lora):
    policy = Policy(fresh(), lora=lora)
    perturb(policy)
    names = policy.weights().keys()

    def gradients(look: bool) -> list[torch.Tensor]:
        policy.model.zero_grad()
        loss = policy.logits(rows, 5).log_softmax(-1)[..., 3].mean()
        if look:
            policy.logits(rows, 5, reference=True)
        loss.backward()
        return [weight.grad.clone() for weight in policy.trainable()]

    for one, other in zip(gradients(False), gradients(True), strict=True):
        assert torch.equal(one, other) and one.abs().sum() > 0
    assert policy.weights().keys() == names


def test_dropout_never_runs(fresh, rows):
    policy = Policy(fresh())  # its configuration has dropout of 0.1
    assert torch.equal(policy.logits(rows, 1), policy.logits(rows, 1))


def test_lora_trains_every_linear_layer_but_the_head(fresh, rows):
    policy = Policy(fresh(), lora=True, lora_rank=3)
    # A rank-3 adapter of a layer from m to n has 3 (m + n) weights. Two layers: 32->96, 32->32, 32->64, 64->32.
    assert sum(weight.numel() for weight in policy.trainable()) == 2 * 3 * (128 + 64 + 96 + 96)
    assert not any("embed" in name or "lm_head" in name for name in policy.weights())
    assert policy.network.get_output_embeddings().weight.requires_grad is False


def test_a_rank_that_no_matrix_can_have_is_refused(fresh):
    model = fresh()
    largest = max(min(part.weight.shape) for part in model.modules() if isinstance(part, torch.nn.Linear))
    Policy(fresh(), lora=True, lora_rank=largest)
    with pytest.raises(UnlearningError, match=f"--lora-rank {largest + 1}: expected at most {largest}"):
        Policy(model, lora=True, lora_rank=largest + 1)


def test_lora_begins_the_same_whatever_was_drawn_before(fresh):
    torch.manual_seed(1)
    one = Policy(fresh(), lora=True).weights()
    torch.manual_seed(2)
    state = torch.get_rng_state()
    other = Policy(fresh(), lora=True).weights()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), state)
    seeded = Policy(fresh(), lora=True, seed=1).weights()
    assert not all(torch.equal(one[name], seeded[name]) for name in one)


def test_merged_adapters_are_the_policy(fresh, rows, learned):
    policy = Policy(fresh(), lora=True, gradient_checkpointing=True)
    perturb(policy)
    merged = policy.merged()
    with torch.no_grad():
        torch.testing.assert_close(
            merged(input_ids=rows).logits[:, :-1], policy.logits(rows, 1).detach(), rtol=0, atol=1e-4
        )
    assert merged.state_dict().keys() == learned.state_dict().keys()
    assert not policy.model.training and len(policy.trainable()) == 16  # the policy itself is as it was


def test_merged_is_the_model_itself_under_full_fine_tuning(fresh):
    policy = Policy(fresh())
    assert policy.merged() is policy.network is policy.model


@KINDS
def test_gradient_checkpointing_computes_twice_and_the_same(fresh, rows, lora):
    def run(checkpointing: bool) -> tuple[list[torch.Tensor], int]:
        policy = Policy(fresh(), lora=lora, gradient_checkpointing=checkpointing)
        perturb(policy)
        calls = []
        policy.network.gpt_neox.layers[0].mlp.dense_h_to_4h.register_forward_hook(lambda *_: calls.append(1))
        policy.logits(rows, 1).log_softmax(-1)[..., 3].mean().backward()
        return [weight.grad for weight in policy.trainable()], len(calls)

    (plain, once), (again, twice) = run(False), run(True)
    assert (once, twice) == (1, 2)
    for one, other in zip(plain, again, strict=True):
        assert torch.equal(one, other)


def test_sampling_with_a_cache_works_beside_gradient_checkpointing(fresh, rows):
    policy = Policy(fresh(), gradient_checkpointing=True)
    cache = DynamicCache()
    with torch.no_grad():
        policy.network(input_ids=rows[:, :9], past_key_values=cache, use_cache=True)
        last = policy.network(input_ids=rows[:, 9:10], past_key_values=cache, use_cache=True).logits[:, 0]
    torch.testing.assert_close(last, policy.logits(rows, 10)[:, 0].detach(), rtol=0, atol=1e-4)
    cache = DynamicCache()
    policy.network(input_ids=rows, past_key_values=cache, use_cache=True).logits.sum().backward()
    assert cache.get_seq_length() == 20  # the backward pass did not write it again


def test_a_copy_of_a_checkpointed_model_runs_its_own_layers(fresh, rows):
    policy = Policy(fresh(), gradient_checkpointing=True)
    other = copy.deepcopy(policy.network)
    perturb(policy)
    assert torch.equal(other(input_ids=rows).logits, fresh()(input_ids=rows).logits)


def test_layers_that_cannot_be_recomputed_are_named():
    model = CTRLLMHeadModel(CTRLConfig(vocab_size=48, n_positions=32, n_embd=16, dff=16, n_layer=1, n_head=2))
    with pytest.raises(UnlearningError, match=r"CTRLLMHeadModel has no layers.*--gradient-checkpointing"):
        Policy(model, gradient_checkpointing=True)


def test_bfloat16_is_for_the_body_only(fresh, rows):
    exact = Policy(fresh()).logits(rows, 1)
    policy = Policy(fresh(), precision="bfloat16")
    logits = policy.logits(rows, 1)
    assert policy.precision == "bfloat16" and Policy(fresh()).precision == "float32"
    assert logits.dtype == torch.float32
    assert 1e-3 < (logits - exact).abs().mean() < 0.1
    assert (logits != logits.bfloat16().float()).float().mean() > 0.9  # a bfloat16 head gives bfloat16 numbers only
    logits.sum().backward()
    assert all(weight.dtype == weight.grad.dtype == torch.float32 for weight in policy.trainable())


@KINDS
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_hits_are_what_the_measuring_command_finds(fresh, rows, lora, precision):
    policy = Policy(fresh(), lora=lora, precision=precision)
    perturb(policy)
    for banned in ((), (0,), (int(rows[3, 12]),), (0, int(rows[3, 12]), int(rows[5, 15]))):
        hits = policy.greedy_hits(rows, banned)
        scores = score(policy.network, rows.numpy(), 10, (10,), level=ScoreLevel.FULL, eos_token_id=banned)
        np.testing.assert_array_equal(hits.numpy(), scores.rank == 0)
        np.testing.assert_array_equal(hits[:, 9:].all(1).numpy(), scores.first_mismatch[:, 0] == 10)
    assert not policy.greedy_hits(rows, (int(rows[3, 12]),))[3, 11]
    assert policy.greedy_hits(rows[:0], (0,)).shape == (0, 19)


def test_hits_of_a_broken_model(fresh, rows):
    policy = Policy(fresh())
    with torch.no_grad():
        policy.network.gpt_neox.final_layer_norm.bias[0] = torch.nan
    with pytest.raises(NonFiniteError):
        policy.greedy_hits(rows, (0,))


@KINDS
def test_weights_go_and_come_back(fresh, rows, lora):
    policy = Policy(fresh(), lora=lora)
    perturb(policy)
    kept = {name: weight.clone() for name, weight in policy.weights().items()}
    other = Policy(fresh(), lora=lora)
    assert not torch.equal(other.logits(rows, 1), policy.logits(rows, 1))
    other.load_weights(kept)
    assert torch.equal(other.logits(rows, 1), policy.logits(rows, 1))


def test_weights_of_something_else_are_refused(fresh):
    kept = Policy(fresh(), lora=True, lora_rank=2).weights()
    for other in (Policy(fresh()), Policy(fresh(), lora=True, lora_rank=4)):
        with pytest.raises(UnlearningError, match="--lora-rank"):
            other.load_weights(kept)


def test_options_that_make_no_sense(fresh):
    with pytest.raises(UnlearningError, match="float16"):
        Policy(fresh(), precision="float16")
    with pytest.raises(UnlearningError, match="--lora-rank 0"):
        Policy(fresh(), lora=True, lora_rank=0)


def test_load_takes_a_folder(fresh, rows, tmp_path):
    rounded = fresh()
    with torch.no_grad():
        for weight in rounded.parameters():
            weight.copy_(weight.bfloat16())
    fresh().bfloat16().save_pretrained(tmp_path)
    policy = Policy.load(str(tmp_path), device="cpu")
    assert {weight.dtype for weight in policy.trainable()} == {torch.float32}
    assert (policy.rank, policy.world, policy.device.type) == (0, 1, "cpu")
    torch.testing.assert_close(policy.logits(rows, 1), Policy(rounded).logits(rows, 1), rtol=0, atol=0)


def test_one_process_needs_no_others(fresh, rows):
    policy = Policy(fresh())
    policy.logits(rows, 1).sum().backward()
    grads = [weight.grad.clone() for weight in policy.trainable()]
    policy.average_gradients()
    assert all(torch.equal(grad, weight.grad) for grad, weight in zip(grads, policy.trainable(), strict=True))
    assert torch.equal(policy.share(rows), rows)
    assert policy.total(torch.tensor(2.5)) == 2.5
