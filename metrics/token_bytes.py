"""Tokens to text by look-up, for the byte-level tokenizers that GPT-2, Pythia, Llama 3 and most others have.

Each of their tokens stands for bytes, and a text is the bytes of its tokens in a row. A list of these bytes decodes
four times as fast as the tokenizer, and a worker that has it needs no tokenizer: loading one takes seconds and the
memory of torch and transformers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_CHECKED_AT_ONCE = 64

# Byte-level tokenizers write a byte as one character: as itself where that can be seen, else as one from U+0100 on.
_VISIBLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = sorted(set(range(0x100)) - set(_VISIBLE))
_BYTE_OF = {chr(byte): byte for byte in _VISIBLE} | {chr(0x100 + place): byte for place, byte in enumerate(_HIDDEN)}


@dataclass(frozen=True)
class TokenBytes:
    """The bytes of every token.

    Attributes:
        of: By token id; empty for ids that the tokenizer does not know, of which models may have some more.
    """

    of: tuple[bytes, ...]

    def __call__(self, rows: np.ndarray) -> list[str]:
        """Tokens int [N, L] -> N texts: special tokens kept, spaces untouched, U+FFFD for bytes that are no UTF-8."""
        L = rows.shape[1]
        found = list(map(self.of.__getitem__, rows.ravel().tolist()))
        return [b"".join(found[place : place + L]).decode("utf-8", "replace") for place in range(0, rows.size, L)]


def token_bytes(tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> TokenBytes | None:
    """The bytes of the tokenizer's tokens; None where texts are not just these in a row.

    Every token is decoded among others by the tokenizer, too, and has to come out the same.

    Args:
        tokenizer: The model's.
        vocab_size: V of the model; ids are 0..V-1.
    """
    if not tokenizer.is_fast:
        return None
    backend = tokenizer.backend_tokenizer
    if (json.loads(backend.to_str())["decoder"] or {}).get("type") != "ByteLevel":
        return None
    found = TokenBytes(tuple(_bytes(backend.id_to_token(number)) for number in range(vocab_size)))
    ids = np.arange(-(-vocab_size // _CHECKED_AT_ONCE) * _CHECKED_AT_ONCE).reshape(-1, _CHECKED_AT_ONCE) % vocab_size
    return found if found(ids) == backend.decode_batch(ids.tolist(), skip_special_tokens=False) else None


def _bytes(token: str | None) -> bytes:
    if token is None:
        return b""
    if all(character in _BYTE_OF for character in token):
        return bytes(_BYTE_OF[character] for character in token)
    return token.encode()  # added to the vocabulary as plain text
