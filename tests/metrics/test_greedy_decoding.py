"""The greedy continuation is `generate`'s, token for token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from metrics.causal_lm import causal_lm
from metrics.forward_pass import score
from metrics.packed_linear import pack_linears
from metrics.token_scores import ScoreLevel


def generate(model: PreTrainedModel, prefix: np.ndarray, new: int, eos: int | list[int] | None) -> np.ndarray:
    """The reference: HF `generate`, greedy, end-of-text tokens banned by min_new_tokens."""
    ids = torch.from_numpy(prefix).long()
    with torch.no_grad():
        out = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=new,
            max_new_tokens=new,
            eos_token_id=eos,
            pad_token_id=0,
        )
    return out[:, prefix.shape[1] :].numpy()


def first_difference(greedy: np.ndarray, true: np.ndarray) -> np.ndarray:
    wrong = greedy != true
    return np.where(wrong.any(1), wrong.argmax(1), true.shape[1])


def test_no_disagreement_with_generate_on_1200_sequences(memorized):
    tokens = memorized.tokens
    scores = score(memorized.model, tokens, 12, (4, 8, 12), level=ScoreLevel.FULL, eos_token_id=0)
    for column, k in enumerate((4, 8, 12)):
        expected = generate(memorized.model, tokens[:, 12 - k : 12], 12, eos=0)
        np.testing.assert_array_equal(scores.first_mismatch[:, column], first_difference(expected, tokens[:, 12:]))
    np.testing.assert_array_equal(scores.greedy_tokens, expected)
    without_probabilities = score(memorized.model, tokens, 12, (12,), level=ScoreLevel.MEMORIZATION, eos_token_id=0)
    np.testing.assert_array_equal(without_probabilities.greedy_tokens, expected)
    np.testing.assert_array_equal(without_probabilities.first_mismatch[:, 0], scores.first_mismatch[:, -1])
    assert without_probabilities.logprob is None
    mismatch = scores.first_mismatch[:, -1]
    # The comparison means something only where all three kinds of rows are plenty.
    assert (mismatch == 12).sum() > 50
    assert ((mismatch > 0) & (mismatch < 12)).sum() > 100
    assert (mismatch == 0).sum() > 100
    share = (scores.greedy_tokens == tokens[:, 12:]).mean(1)
    np.testing.assert_array_equal(share, (expected == tokens[:, 12:]).mean(1))
    # A teacher-forced share is another number.
    assert (share != (scores.rank[:, 11:] == 0).mean(1)).any()


def test_no_disagreement_with_generate_on_real_text(subject):
    import pyarrow.parquet as pq

    table = pq.read_table(subject / "sequences.parquet", columns=["tokens", "copies"]).to_pandas()
    often, rare = table[table.copies > 1], table[table.copies <= 1]
    pick = [*often.tokens.iloc[:: len(often) // 80], *rare.tokens.iloc[:: len(rare) // 80]]
    tokens = np.stack(pick).astype(np.int32)
    model = AutoModelForCausalLM.from_pretrained(subject / "model", dtype=torch.float32).eval()
    scores = score(model, tokens, 32, (32,), level=ScoreLevel.FULL, eos_token_id=0)
    np.testing.assert_array_equal(scores.greedy_tokens, generate(model, tokens[:, :32], 32, eos=0))
    mismatch = scores.first_mismatch[:, 0]
    assert (mismatch == 32).sum() > 20 and (mismatch < 32).sum() > 20
    assert ((mismatch > 0) & (mismatch < 32)).any()


@pytest.mark.parametrize(
    ("architecture", "cacheable"), [("gpt2", True), ("llama", True), ("opt", True), ("mamba", False)]
)
def test_other_architectures(tiny_model, architecture, cacheable):
    model = tiny_model(architecture)
    assert causal_lm(model).is_cacheable is cacheable
    rng = np.random.default_rng(1)
    tokens = rng.integers(3, 300, (24, 16)).astype(np.int32)
    # Half of the rows follow the model for a while, so that mismatches fall everywhere.
    own = generate(model, tokens[:, :8], 8, eos=2)
    for row in range(0, 24, 2):
        tokens[row, 8 : 8 + row // 2] = own[row, : row // 2]
    tokens[-1, 8:] = generate(model, tokens[-1:, :8], 8, eos=2)
    scores = score(model, tokens, 8, (8,), level=ScoreLevel.FULL, eos_token_id=2, batch_size=10)
    expected = generate(model, tokens[:, :8], 8, eos=2)
    np.testing.assert_array_equal(scores.greedy_tokens, expected)
    np.testing.assert_array_equal(scores.first_mismatch[:, 0], first_difference(expected, tokens[:, 8:]))
    assert scores.first_mismatch[-1, 0] == 8
    # The same where layers are packed, and where no probabilities are asked for.
    pack_linears(model.requires_grad_(False))
    packed = score(model, tokens, 8, (8,), level=ScoreLevel.MEMORIZATION, eos_token_id=2, batch_size=10)
    np.testing.assert_array_equal(packed.greedy_tokens, expected)


def test_several_end_of_text_tokens(memorized):
    tokens = memorized.tokens[:200]
    one = score(memorized.model, tokens, 12, (4, 12), level=ScoreLevel.FULL, eos_token_id=0)
    often = np.bincount(one.greedy_tokens.ravel()).argsort()[-3:].tolist()
    ends = [0, *often, 191]
    scores = score(memorized.model, tokens, 12, (4, 12), level=ScoreLevel.FULL, eos_token_id=ends)
    for column, k in enumerate((4, 12)):
        expected = generate(memorized.model, tokens[:, 12 - k : 12], 12, eos=ends)
        np.testing.assert_array_equal(scores.first_mismatch[:, column], first_difference(expected, tokens[:, 12:]))
    np.testing.assert_array_equal(scores.greedy_tokens, expected)
    labels = score(memorized.model, tokens, 12, (4, 12), level=ScoreLevel.EXTRACTABLE, eos_token_id=ends)
    np.testing.assert_array_equal(labels.first_mismatch, scores.first_mismatch)
    assert 0 < (scores.first_mismatch[:, 1] == 12).sum() < (one.first_mismatch[:, 1] == 12).sum()
    # They keep their probabilities, and so their part in those of the others.
    for name in ("logprob", "logprob_mean", "logprob_std", "topk_logprob"):
        np.testing.assert_array_equal(getattr(scores, name), getattr(one, name))


def test_nothing_is_banned_without_an_end_of_text_token(memorized):
    tokens = memorized.tokens[:40].copy()
    model = memorized.model
    # Make token 0 the favourite everywhere; only without a ban is it chosen.
    bias = torch.nn.Linear(96, 192)
    bias.weight.data.copy_(model.embed_out.weight if hasattr(model, "embed_out") else model.lm_head.weight)
    bias.bias.data.zero_()
    bias.bias.data[0] = 1000.0
    original = model.get_output_embeddings()
    model.set_output_embeddings(bias.requires_grad_(False))
    try:
        free = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=None)
        banned = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    finally:
        model.set_output_embeddings(original)
    assert (free.greedy_tokens == 0).all() and (free.first_mismatch == 0).all()
    # Banned, the argmax is what it would be without the favourite ...
    plain = score(model, tokens, 12, (12,), level=ScoreLevel.FULL, eos_token_id=0)
    np.testing.assert_array_equal(banned.greedy_tokens, plain.greedy_tokens)
    np.testing.assert_array_equal(banned.first_mismatch, plain.first_mismatch)
    # ... while the favourite keeps its share of the probability: nothing is left for the others.
    assert (banned.logprob < -900).all()
