"""Texts by look-up against the tokenizer's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from metrics.token_bytes import TokenBytes, token_bytes

ALPHABET = sorted(ByteLevel.alphabet())  # one character for each byte
WORDS = ["Ġthe", "abc", "Ċ"]  # of several bytes: a space and "the", a line's end
EXTRA = 4  # ids of the model that the tokenizer does not know


def byte_level() -> PreTrainedTokenizerFast:
    """256 bytes, three words, and added tokens: a special one, spaces, and one that no byte is written as."""
    vocabulary = {token: number for number, token in enumerate([*ALPHABET, *WORDS])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    tokenizer.add_tokens([AddedToken("  "), AddedToken("☂x")])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


TOKENIZER = byte_level()
VOCAB = len(TOKENIZER) + EXTRA


def looked_up() -> TokenBytes:
    found = token_bytes(TOKENIZER, VOCAB)
    assert found is not None
    return found


def test_by_hand():
    ids = TOKENIZER.convert_tokens_to_ids
    # é is 0xC3 0xA9, written as the characters Ã and ©; without its end it is no UTF-8.
    row = [ids("a"), ids("Ã"), ids("©"), ids("Ġthe"), ids("  "), ids("<|endoftext|>"), ids("Ã")]
    assert looked_up()(np.array([row, [ids("☂x")] * 6 + [VOCAB - 1]])) == ["aé the  <|endoftext|>�", "☂x" * 6]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=12, max_size=12), max_size=5))
def test_equals_the_tokenizer(rows: list[list[int]]):
    expected = TOKENIZER.backend_tokenizer.decode_batch(rows, skip_special_tokens=False)
    assert looked_up()(np.array(rows, np.int32).reshape(-1, 12)) == expected


def test_a_vocabulary_of_any_length():
    for size in (1, 63, 64, 65):
        assert len(token_bytes(TOKENIZER, size).of) == size


@pytest.mark.parametrize(
    "decoder",
    [None, decoders.WordPiece(), decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])],
)
def test_other_tokenizers_decode_for_themselves(decoder: decoders.Decoder | None):
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(ALPHABET)}, []))
    if decoder:
        tokenizer.decoder = decoder
    assert token_bytes(PreTrainedTokenizerFast(tokenizer_object=tokenizer), len(ALPHABET)) is None


def test_a_tokenizer_that_says_otherwise_is_believed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("metrics.token_bytes._bytes", lambda token: b"?" if token == "abc" else (token or "").encode())
    assert token_bytes(TOKENIZER, VOCAB) is None
