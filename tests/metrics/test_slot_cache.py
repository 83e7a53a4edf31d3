"""The cache of slots against transformers' own, with some rows going on and others waiting."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from transformers import DynamicCache

from metrics.slot_cache import SlotCache


@pytest.fixture
def model(memorized):
    return memorized.model


def states(model, tokens, cache):
    with torch.no_grad():
        return model.base_model(input_ids=tokens, past_key_values=cache, use_cache=True)[0]


def test_rows_that_go_on_are_as_if_alone(model, memorized):
    tokens = torch.from_numpy(memorized.tokens[:6]).long()
    cache = SlotCache(6, 24)
    first = states(model, tokens[:, :10], cache)
    some, fewer = torch.tensor([1, 2, 3, 5]), torch.tensor([5, 2])
    second = states(model, tokens[some, 10:14], cache.extend(some, 10))
    third = states(model, tokens[fewer, 14:20], cache.extend(fewer, 14))

    own = DynamicCache()
    torch.testing.assert_close(first, states(model, tokens[:, :10], own))
    torch.testing.assert_close(second, states(model, tokens[:, 10:14], own)[some])
    torch.testing.assert_close(third, states(model, tokens[:, 14:20], own)[fewer])


def test_slots_move_and_are_copied(model, memorized):
    tokens = torch.from_numpy(memorized.tokens[:6]).long()
    cache, own = SlotCache(6, 24), DynamicCache()
    states(model, tokens[:, :10], cache)
    states(model, tokens[:, :10], own)
    expected = states(model, tokens[:, 10:12], own)

    other = cache.like(3)
    other.copy_from(cache, torch.tensor([4, 0]), 1, 10)
    got = states(model, tokens[[4, 0], 10:12], other.extend(slice(1, 3), 10))
    torch.testing.assert_close(got, expected[[4, 0]])

    chosen = torch.tensor([1, 3, 4])
    cache.keep(chosen, 10)
    got = states(model, tokens[chosen, 10:12], cache.extend(slice(3), 10))
    torch.testing.assert_close(got, expected[chosen])


def test_bytes_by_hand(model, memorized):
    cache = SlotCache(2, 5)
    states(model, torch.from_numpy(memorized.tokens[:2, :3]).long(), cache)
    assert cache.bytes_a_position == 2 * 2 * 96 * 4  # layers, keys and values, width, float32


def test_memory_is_given_back_at_once(model, memorized):
    """Batches follow each other faster than the garbage collector comes."""
    cache = SlotCache(2, 5)
    states(model, torch.from_numpy(memorized.tokens[:2, :3]).long(), cache)
    keys = weakref.ref(cache.layers[0].keys)
    gc.disable()
    try:
        del cache
        assert keys() is None
    finally:
        gc.enable()
