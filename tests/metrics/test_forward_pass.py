"""The pass against the full logits, batch sizes against each other, and what it does when things go wrong."""

from __future__ import annotations

import copy
from dataclasses import fields

import numpy as np
import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
)

from metrics import causal_lm as causal_lm_module
from metrics.causal_lm import causal_lm
from metrics.forward_pass import default_batch_size, score
from metrics.model_errors import ModelError
from metrics.token_scores import FIELD_LEVELS, ScoreLevel, TokenScores


def assert_same(one: TokenScores, other: TokenScores) -> None:
    for field in fields(TokenScores):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if a is None:
            assert b is None
        elif field.name in ("first_mismatch", "rank", "greedy_tokens"):
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5, err_msg=field.name)


def full_logits(model, tokens: np.ndarray) -> torch.Tensor:
    """float64 [N, T-1, V]: entry j speaks of token j + 1."""
    with torch.no_grad():
        return model(torch.from_numpy(tokens).long()).logits[:, :-1].double()


@pytest.fixture(scope="module")
def reference(memorized):
    """Sequences of every kind, their scores, and their logits in float64."""
    tokens = memorized.tokens[::6]
    scores = score(memorized.model, tokens, 12, (4, 8, 12), level=ScoreLevel.FULL, eos_token_id=0)
    return tokens, scores, full_logits(memorized.model, tokens)


def test_shapes_and_types(reference):
    tokens, scores, _ = reference
    rows = len(tokens)
    expected = {
        "first_mismatch": (np.int32, (rows, 3)),
        "min_margin": (np.float32, (rows,)),
        "logprob": (np.float32, (rows, 23)),
        "rank": (np.int32, (rows, 23)),
        "topk_logprob": (np.float32, (rows, 12)),
        "logprob_mean": (np.float32, (rows, 23)),
        "logprob_std": (np.float32, (rows, 23)),
        "greedy_tokens": (np.int32, (rows, 12)),
        "extraction_likelihood": (np.float32, (rows,)),
    }
    for name, (dtype, shape) in expected.items():
        value = getattr(scores, name)
        assert (value.dtype, value.shape) == (dtype, shape), name
    assert np.isnan(scores.extraction_likelihood).all()


def test_logprob_and_moments(reference):
    tokens, scores, logits = reference
    logp = logits.log_softmax(-1)
    true = torch.from_numpy(tokens[:, 1:]).long()[..., None]
    np.testing.assert_allclose(scores.logprob, logp.gather(-1, true)[..., 0], rtol=1e-5, atol=2e-5)
    mean = (logp.exp() * logp).sum(-1)
    std = (logp.exp() * (logp - mean[..., None]) ** 2).sum(-1).sqrt()
    np.testing.assert_allclose(scores.logprob_mean, mean, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(scores.logprob_std, std, rtol=1e-4, atol=2e-5)


def test_rank_counts_what_greedy_decoding_prefers(reference):
    tokens, scores, logits = reference
    logits = logits.float().clone()
    logits[..., 0] = -torch.inf
    order = logits.argsort(dim=-1, descending=True, stable=True)
    true = torch.from_numpy(tokens[:, 1:]).long()[..., None]
    expected = (order == true).int().argmax(-1).numpy()
    # float32 noise between batch shapes may swap tokens that are equal to 6 digits: not one in a thousand.
    assert (scores.rank != expected).mean() < 1e-3
    np.testing.assert_array_equal(scores.rank == 0, expected == 0)


def test_topk_renormalised(reference):
    tokens, scores, logits = reference
    top = logits[:, 11:].topk(40, -1)
    true = torch.from_numpy(tokens[:, 12:]).long()
    own = logits[:, 11:].gather(-1, true[..., None])[..., 0]
    inside = (top.indices == true[..., None]).any(-1)
    expected = torch.where(inside, own - top.values.logsumexp(-1), -torch.inf)
    np.testing.assert_allclose(scores.topk_logprob, expected, rtol=1e-5, atol=2e-5)
    assert (scores.topk_logprob >= scores.logprob[:, 11:] - 1e-6)[inside.numpy()].all()
    assert 0 < inside.float().mean() < 1


def test_margin_is_the_smallest_gap_of_the_decisions_that_count(memorized, reference):
    tokens, scores, _ = reference
    smallest = np.full(len(tokens), np.inf)
    for column, k in enumerate((4, 8, 12)):
        logits = full_logits(memorized.model, tokens[:, 12 - k :])[:, k - 1 :]
        logits[..., 0] = -torch.inf
        top = logits.topk(2, -1).values
        gaps = (top[..., 0] - top[..., 1]).numpy()
        counts = np.arange(12) <= scores.first_mismatch[:, column, None]
        smallest = np.minimum(smallest, np.where(counts, gaps, np.inf).min(1))
    # What is decoded after the mismatch: the same gaps along the model's own continuation.
    path = np.concatenate([tokens[:, :12], scores.greedy_tokens], 1)
    logits = full_logits(memorized.model, path)[:, 11:]
    logits[..., 0] = -torch.inf
    top = logits.topk(2, -1).values
    smallest = np.minimum(smallest, (top[..., 0] - top[..., 1]).numpy().min(1))
    np.testing.assert_allclose(scores.min_margin, smallest, atol=2e-4)


def test_extractable_scores_are_the_full_ones(memorized, reference):
    tokens, scores, _ = reference
    short = score(memorized.model, tokens, 12, (4, 8, 12), level=ScoreLevel.EXTRACTABLE, eos_token_id=0)
    np.testing.assert_array_equal(short.first_mismatch, scores.first_mismatch)
    assert short.logprob is short.rank is short.greedy_tokens is short.extraction_likelihood is None
    # Fewer decisions are taken, since nothing is decoded after a mismatch.
    assert (short.min_margin >= scores.min_margin - 1e-5).all()


@pytest.mark.parametrize("level", [ScoreLevel.MEMORIZATION, ScoreLevel.LIKELIHOOD])
def test_scores_in_between_are_the_full_ones_as_far_as_they_go(memorized, reference, level):
    tokens, scores, _ = reference
    some = score(memorized.model, tokens, 12, (4, 8, 12), level=level, eos_token_id=0)
    assert some.level == level
    expected = {name: value if FIELD_LEVELS[name] <= level else None for name, value in vars(scores).items()}
    if level == ScoreLevel.LIKELIHOOD:
        expected["logprob"] = scores.logprob[:, -12:]
    assert_same(some, TokenScores(**expected))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_the_batch_size_changes_nothing(memorized, reference, batch_size):
    tokens = reference[0][::3]
    wanted = np.arange(len(tokens)) % 5 == 0
    every = score(memorized.model, tokens, 12, (4, 8, 12), level=ScoreLevel.FULL, eos_token_id=0, el_rows=wanted)
    some = score(
        memorized.model,
        tokens,
        12,
        (4, 8, 12),
        level=ScoreLevel.FULL,
        eos_token_id=0,
        el_rows=wanted,
        batch_size=batch_size,
    )
    assert_same(some, every)


@pytest.mark.parametrize("batch_size", [1, 3, 50])
@pytest.mark.parametrize("level", [ScoreLevel.EXTRACTABLE, ScoreLevel.MEMORIZATION])
def test_labels_and_continuations_are_the_same_to_the_bit_in_any_batch(memorized, reference, level, batch_size):
    """Rows go on in ever smaller groups, or wait for others; who else is in a group must not matter."""
    options = {"level": level, "eos_token_id": 0}
    every = score(memorized.model, reference[0], 12, (8, 12), **options)
    some = score(memorized.model, reference[0], 12, (8, 12), **options, batch_size=batch_size)
    for name in ("first_mismatch", "greedy_tokens", "min_margin"):
        np.testing.assert_array_equal(getattr(some, name), getattr(every, name), err_msg=name)


@pytest.mark.parametrize(("prefix_tokens", "suffix_tokens"), [(1, 12), (2, 3), (3, 1), (12, 2), (12, 4)])
def test_scores_of_short_prompts_and_suffixes_are_the_same_to_the_bit_in_any_batch(
    memorized, prefix_tokens, suffix_tokens
):
    tokens = memorized.tokens[:33, : prefix_tokens + suffix_tokens]
    for level in (ScoreLevel.LIKELIHOOD, ScoreLevel.FULL):
        options = {"level": level, "eos_token_id": 0}
        every = score(memorized.model, tokens, prefix_tokens, (prefix_tokens,), **options)
        for batch_size in (1, 3, 32):
            some = score(memorized.model, tokens, prefix_tokens, (prefix_tokens,), **options, batch_size=batch_size)
            for name, value in vars(every).items():
                np.testing.assert_array_equal(getattr(some, name), value, err_msg=name)
    logprob = full_logits(memorized.model, tokens).log_softmax(-1)
    expected = logprob.gather(2, torch.from_numpy(tokens[:, 1:]).long()[..., None])[..., 0]
    np.testing.assert_allclose(every.logprob, expected, rtol=1e-4, atol=1e-5)


def test_a_batch_fits_where_few_rows_do():
    """Packed layers take multiples of four, but a model of which three rows fit is not run one by one."""
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(vocab_size=50, hidden_size=512, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )
    sizes = {length: default_batch_size(model, length) for length in (64, 1024, 2048, 2300, 3500, 20_000)}
    assert sizes == {64: 64, 1024: 4, 2048: 3, 2300: 3, 3500: 2, 20_000: 1}


def test_chunks_of_the_head_change_nothing(memorized, reference, monkeypatch):
    tokens, scores, _ = reference
    monkeypatch.setattr(causal_lm_module, "_CHUNK_LOGITS", {"cpu": 192 * 5})
    assert_same(score(memorized.model, tokens, 12, (4, 8, 12), level=ScoreLevel.FULL, eos_token_id=0), scores)


def test_ties_go_to_the_lowest_id(memorized):
    model = copy.deepcopy(memorized.model)
    tokens = memorized.tokens[memorized.copies > 1][:60].copy()
    before = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    head = model.get_output_embeddings().weight.data
    # Token 190 becomes a twin of token 5 in the head: the two always have the same logit.
    head[190] = head[5]
    fives = tokens[:, 12:] == 5
    hit = fives & (before.rank[:, 11:] == 0)
    assert hit.any()
    twin = tokens.copy()
    twin[:, 12:][fives] = 190
    low = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    high = score(model, twin, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    assert (low.rank[:, 11:][hit] == 0).all()
    row, column = np.argwhere(hit)[0]
    assert high.rank[row, 11 + column] == 1
    assert low.min_margin[row] == 0
    # Neither the twin nor anything else greedy decoding gives is ever the higher of the two.
    assert not (low.greedy_tokens == 190).any()
    assert high.first_mismatch[row, 0] <= column


def test_end_of_text_in_the_suffix_is_never_extractable(memorized):
    extractable = memorized.tokens[
        score(
            memorized.model, memorized.tokens, 12, (12,), level=ScoreLevel.EXTRACTABLE, eos_token_id=0
        ).first_mismatch[:, 0]
        == 12
    ][:20].copy()
    extractable[:, 20] = 0
    scores = score(memorized.model, extractable, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    np.testing.assert_array_equal(scores.first_mismatch[:, 0], 8)
    np.testing.assert_array_equal(scores.rank[:, 19], 191)
    assert np.isfinite(scores.logprob[:, 19]).all()
    assert (scores.greedy_tokens != 0).all()


def gemma2() -> Gemma2ForCausalLM:
    config = Gemma2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        sliding_window=6,
        final_logit_softcapping=2.0,
        initializer_range=0.5,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation="eager",
    )
    return Gemma2ForCausalLM(config)


def cohere() -> CohereForCausalLM:
    config = CohereConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        logit_scale=0.0625,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return CohereForCausalLM(config)


@pytest.mark.parametrize("build", [gemma2, cohere])
def test_models_that_do_more_than_their_head(build):
    torch.manual_seed(0)
    model = build().eval()
    tokens = np.random.default_rng(0).integers(3, 300, (9, 16)).astype(np.int32)
    assert causal_lm(model).max_batch(16) is not None
    with torch.no_grad():
        hidden = model.base_model(torch.from_numpy(tokens).long())[0]
        naked = model.get_output_embeddings()(hidden)
        true = model(torch.from_numpy(tokens).long()).logits
        assert not torch.allclose(naked, true, rtol=1e-3)
        own = model.generate(
            torch.from_numpy(tokens[:, :8]).long(),
            attention_mask=torch.ones(9, 8),
            do_sample=False,
            min_new_tokens=8,
            max_new_tokens=8,
        )[:, 8:].numpy()
    scores = score(model, tokens, 8, (8,), level=ScoreLevel.FULL, eos_token_id=2, batch_size=4)
    expected = true[:, :-1].log_softmax(-1).gather(-1, torch.from_numpy(tokens[:, 1:]).long()[..., None])[..., 0]
    np.testing.assert_allclose(scores.logprob, expected, atol=1e-4)
    np.testing.assert_array_equal(scores.greedy_tokens, own)


@pytest.mark.parametrize("level", [ScoreLevel.EXTRACTABLE, ScoreLevel.FULL])
def test_out_of_memory_halves_the_batch(memorized, reference, level):
    tokens, scores, _ = reference
    if level < ScoreLevel.FULL:
        scores = score(memorized.model, tokens, 12, (4, 8, 12), level=level, eos_token_id=0)
    seen: list[int] = []

    def small_device(module, args, kwargs):
        seen.append(kwargs["input_ids"].shape[0])
        if seen[-1] > 10:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = memorized.model.base_model.register_forward_pre_hook(small_device, with_kwargs=True)
    try:
        survived = score(memorized.model, tokens, 12, (4, 8, 12), level=level, eos_token_id=0, batch_size=64)
    finally:
        handle.remove()
    assert_same(survived, scores)
    # 64, 32 and 16 fail once each, and nothing larger than 8 is tried again.
    assert [size for size in seen if size > 10] == [64, 32, 16]


def test_the_cpu_allocator_running_out_counts_too(memorized):
    def full_machine(module, args, kwargs):
        torch.empty(2**60)

    handle = memorized.model.base_model.register_forward_pre_hook(full_machine, with_kwargs=True)
    try:
        with pytest.raises(RuntimeError) as caught:
            score(memorized.model, memorized.tokens[:8], 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    finally:
        handle.remove()
    assert "Not even one sequence of 24 tokens" in "".join(caught.value.__notes__)


def test_other_errors_are_not_taken_for_a_lack_of_memory(memorized):
    def broken(module, args, kwargs):
        raise RuntimeError("something else")

    handle = memorized.model.base_model.register_forward_pre_hook(broken, with_kwargs=True)
    try:
        with pytest.raises(RuntimeError, match="something else"):
            score(memorized.model, memorized.tokens[:8], 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    finally:
        handle.remove()


@pytest.mark.parametrize("level", ScoreLevel)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_broken_model_is_refused(memorized, level, value):
    model = copy.deepcopy(memorized.model)
    model.get_output_embeddings().weight.data[7] = value
    with pytest.raises(ModelError, match="not finite"):
        score(model, memorized.tokens[:8], 12, (12,), level=level, eos_token_id=0)


def test_bfloat16_runs(memorized):
    model = copy.deepcopy(memorized.model).to(torch.bfloat16)
    tokens = memorized.tokens[:100]
    narrow = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    wide = score(memorized.model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    assert narrow.logprob.dtype == np.float32
    assert np.median(np.abs(narrow.logprob - wide.logprob)) < 0.1


def test_training_mode_is_left_as_it_was(memorized):
    model = copy.deepcopy(memorized.model)
    model.config.hidden_dropout = 0.5
    model.train()
    scores = score(model, memorized.tokens[:8], 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    assert model.training
    assert_same(scores, score(memorized.model, memorized.tokens[:8], 12, (12,), level=ScoreLevel.FULL, eos_token_id=0))


def test_no_rows_give_empty_arrays(memorized):
    scores = score(memorized.model, np.zeros((0, 24), np.int32), 12, (4, 12), level=ScoreLevel.FULL, eos_token_id=0)
    assert scores.first_mismatch.shape == (0, 2)
    assert scores.logprob.shape == (0, 23)
    assert scores.greedy_tokens.shape == (0, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prefix_tokens": 24}, "do not leave a suffix"),
        ({"k_values": (8, 4, 12)}, "prompt lengths"),
        ({"k_values": (4, 8)}, "prompt lengths"),
        ({"tokens": np.full((2, 24), 192)}, "token id 192 is outside"),
        ({"tokens": np.full((2, 24), -1)}, "token id -1 is outside"),
        ({"tokens": np.zeros((2, 60))}, "longer than the 32 positions"),
        ({"tokens": np.zeros(24)}, "expected \\[sequences, tokens\\]"),
        ({"eos_token_id": 192}, "end-of-text token 192"),
    ],
)
def test_what_does_not_fit_is_refused(memorized, change, message):
    arguments = {"tokens": memorized.tokens[:2], "prefix_tokens": 12, "k_values": (12,), "eos_token_id": 0} | change
    with pytest.raises(ValueError, match=message):
        score(memorized.model, level=ScoreLevel.FULL, **arguments)
