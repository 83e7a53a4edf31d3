"""Rows that go on together, from several passes, against rows of one pass; and that they do go on together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metrics.causal_lm import causal_lm, evaluation
from metrics.slot_cache import SlotCache
from metrics.verification import first_mismatch, first_mismatch_of_many

EOS = 0


def both(model, tokens: np.ndarray, prefix_tokens: int, size: int):
    """What is found with a pass over all rows, and with passes over `size` of them."""
    lm, ids = causal_lm(model), torch.from_numpy(tokens).long()
    caches = [SlotCache(slots, tokens.shape[1]) if lm.is_cacheable else None for slots in (len(tokens), size)]
    with evaluation(model):
        whole = first_mismatch(lm, ids, prefix_tokens, (EOS,), caches[0])
        many = first_mismatch_of_many(lm, ids, prefix_tokens, (EOS,), caches[1], size)
    return whole, many


@pytest.mark.parametrize("size", [1, 2, 7, 16, 64, 400])
@pytest.mark.parametrize(("prefix_tokens", "length"), [(12, 24), (12, 13), (12, 16), (1, 13), (3, 22)])
def test_many_rows_are_followed_as_those_of_one_pass(memorized, size, prefix_tokens, length):
    whole, many = both(memorized.model, memorized.tokens[::3, :length], prefix_tokens, size)
    suffix = length - prefix_tokens
    if suffix > 4:
        assert len(whole.position.unique()) > 3  # some leave at once, some later, some never
    for name, values in vars(whole).items():
        assert torch.equal(getattr(many, name), values), name
    # What `generate` would choose, and thus whether it is left there.
    ids = torch.from_numpy(memorized.tokens[::3, :length]).long()
    with torch.no_grad():
        logits = memorized.model(ids).logits[:, prefix_tokens - 1 : -1]
    logits[..., EOS] = -torch.inf
    wrong = logits.argmax(-1) != ids[:, prefix_tokens:]
    expected = torch.where(wrong.any(1), wrong.long().argmax(1), suffix)
    assert torch.equal(many.position, expected)


@pytest.mark.parametrize("architecture", ["mamba", "llama"])
def test_of_other_architectures(tiny_model, architecture):
    """Without a cache of keys and values nothing can wait; with shared ones it can."""
    model = tiny_model(architecture)
    tokens = np.random.default_rng(0).integers(1, 300, (40, 14))
    with torch.no_grad():
        for position in range(8, 14):  # half of them go on as the model does, some of those for two tokens only
            logits = model(torch.from_numpy(tokens[:20, :position])).logits[:, -1]
            logits[:, EOS] = -torch.inf
            tokens[:20, position] = np.where(np.arange(20) % 4 < (1 if position > 9 else 4), logits.argmax(-1), 7)
    whole, many = both(model, tokens, 8, 6)
    assert {0, 6} < set(whole.position.tolist())
    assert torch.equal(whole.position, many.position)
    assert torch.equal(whole.token, many.token)
    torch.testing.assert_close(whole.margin, many.margin)


def test_few_rows_that_go_on_wait_for_each_other(memorized):
    """15 passes over prompts of 16 rows, in 12 of which one row goes on; 4 rows can wait."""
    whole, _ = both(memorized.model, memorized.tokens, 12, 64)
    recited, left = ((whole.position == length).nonzero()[:, 0] for length in (12, 0))
    rows = [[left[16 * batch + row] for row in range(16)] for batch in range(15)]
    for batch in range(12):
        rows[batch][batch] = recited[batch]
    tokens = memorized.tokens[torch.tensor(rows).flatten().numpy()]
    seen: list[tuple[int, int]] = []
    lm, ids = causal_lm(memorized.model), torch.from_numpy(tokens).long()

    def note(module, args, kwargs):
        seen.append(tuple(kwargs["input_ids"].shape))

    handle = memorized.model.base_model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with evaluation(memorized.model):
            found = first_mismatch_of_many(lm, ids, 12, (EOS,), SlotCache(16, 24), 16)
    finally:
        handle.remove()
    assert int((found.position == 12).sum()) == 12
    # When the fifth comes, 4 are waiting, as when the ninth comes; the last 4 wait to the end.
    together = [(4, 3), (4, 8)]  # suffix positions 1 to 3, then 4 to 11
    assert seen == [(16, 12)] * 5 + together + [(16, 12)] * 4 + together + [(16, 12)] * 6 + together
