"""A cheap look at a whole batch: which texts recur enough to be worth the search for a pattern.

In a pattern nearly every run of four tokens, numbers masked, has occurred before; in prose and ordinary code most are
new. One numpy pass over the bytes of all texts counts the distinct runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics.categories.repetition_lexer import MAX_CHARACTERS, NUMBER_SIGNS, NUMBER_WORDS, ROMAN_NUMERALS

MIN_RECURRING = 0.5  # share of the runs; a text that is seen 2.2 times without a difference reaches 0.54
FEW_TOKENS = 28  # a text of fewer is always looked at: one long word, or too little to count runs in
_RUN = 4
_ROWS = 2048  # looked at together; bounds the memory
_BUCKET_BITS = 10  # of a run's hash; runs that share them count as one that recurs, which loses no text

_SPACE, _WORD, _SIGN = range(3)
_KIND = np.full(256, _SIGN, dtype=np.uint8)
_KIND[list(b" \t\r\x0b\x0c")] = _SPACE
_KIND[[byte for byte in range(256) if byte >= 128 or chr(byte).isalnum()]] = _WORD

# A token is known by the sum of its bytes' values, so an anagram of it counts as the same, which loses no text either.
# The sums stay below the bit that a digit sets.
_DIGIT = np.uint64(1 << 46)
_VALUE = np.random.default_rng(4).integers(1 << 30, 1 << 32, size=256, dtype=np.uint64)
_VALUE[list(b"0123456789")] += _DIGIT
_NUMBER = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)
_LOW_BITS = np.uint64((1 << 16) - 1)


def _counting_words() -> np.ndarray:
    """bool [65536]: whether the value of what may count though it has no digit ends in these 16 bits."""
    known = np.zeros(1 << 16, dtype=bool)
    letters = [chr(byte) for byte in range(128) if chr(byte).isalpha()]
    for word in (*NUMBER_WORDS, *ROMAN_NUMERALS, *letters, *NUMBER_SIGNS):
        for form in (word, word.title(), word.upper()):
            known[int(_VALUE[list(form.encode())].sum()) & int(_LOW_BITS)] = True
    return known


_COUNTS = _counting_words()


def may_have_pattern(texts: Sequence[str]) -> np.ndarray:
    """bool [N]: whether a text may be a pattern; false only where too few runs of its tokens recur.

    A token is here a run of letters and digits, or one sign; it is masked if it holds a digit, is one letter, a roman
    numeral or a number word. So texts are cut more coarsely than by the lexer, and recur rather more.
    """
    looks = [_look(texts[begin : begin + _ROWS]) for begin in range(0, len(texts), _ROWS)]
    return np.concatenate([np.zeros(0, dtype=bool), *looks])


def _look(texts: Sequence[str]) -> np.ndarray:
    """The answer for at least one text."""
    encoded = [text[:MAX_CHARACTERS].encode("utf-8", "surrogatepass") for text in texts]
    data = np.frombuffer(b"\n".join(encoded) + b"\n", dtype=np.uint8)
    row_ends = np.cumsum([len(each) + 1 for each in encoded])

    kind = _KIND[data]
    begins = kind == _SIGN
    begins[0] = True
    begins[1:] |= kind[1:] != kind[:-1]
    starts = np.flatnonzero(begins)
    values = np.add.reduceat(_VALUE[data], starts)
    kinds = kind[starts]
    values[(kinds == _WORD) & ((values >= _DIGIT) | _COUNTS[values & _LOW_BITS])] = _NUMBER

    is_token = kinds != _SPACE
    values, starts = values[is_token], starts[is_token]
    rows = np.repeat(np.arange(len(texts)), np.diff(np.searchsorted(starts, row_ends), prepend=0))
    runs = values.copy()
    for back in range(1, _RUN):
        runs *= _MULTIPLIER
        runs[back:] += values[:-back]
    runs ^= runs >> np.uint64(29)
    runs *= _MULTIPLIER
    runs >>= np.uint64(64 - _BUCKET_BITS)
    # Each run notes itself in its row's bucket; those that still stand there when all have are the distinct ones.
    places = (rows << _BUCKET_BITS) + runs.astype(np.int64)
    order = np.arange(len(places), dtype=np.int32)
    latest = np.empty(len(texts) << _BUCKET_BITS, dtype=np.int32)
    latest[places] = order
    distinct = np.bincount(rows[latest[places] == order], minlength=len(texts))
    tokens = np.bincount(rows, minlength=len(texts))
    later = tokens - _RUN  # the first runs of a text reach into the one before it and cannot recur
    return (tokens < FEW_TOKENS) | (distinct - _RUN <= (1 - MIN_RECURRING) * later)
