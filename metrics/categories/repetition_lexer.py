"""Texts cut into words, numbers and signs, and what each of them may count as.

A counter is written in many ways: `9`, `0x1f`, `xiv`, `b)`, `third`, `Tuesday`. Each such token has readings, the
numbers that it may stand for; which reading is meant shows only beside its neighbours, in `counters.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain, islice
from typing import NamedTuple
from unicodedata import numeric

MAX_CHARACTERS = 4096  # a window of 64 model tokens has fewer; the bounds keep a row of 1 MB as cheap as a page
MAX_TOKENS = 400

NUMBER = "#0"  # stand for any number, and for any single letter; the lexer makes no such tokens
LETTER = "@0"

# Cut first into runs that recur from text to text, whose tokens are then looked up.
_RUN = re.compile(r"\w{1,60}|[^\w\s]{1,60}|\n\s*")
# A ruler (one sign many times), a hexadecimal number (0x..., or digits with letters but not `b12`, which is a name that
# counts), a decimal number, a word, any other sign.
_TOKEN = re.compile(
    r"(([^\w\s])\2{3,200}|0[xX][0-9a-fA-F]{1,15}\b"
    r"|\b(?=[a-fA-F]{0,7}\d)(?![a-fA-F]\d{1,3}\b)[0-9a-fA-F]{2,12}\b"
    r"|\d{1,18}|[^\W\d_]{1,40}|[^\w\s]|_)"
)
_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,15}")
_SERIES = (  # the first number, what each word adds, the words
    (0, 1, "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"),
    (17, 1, "seventeen eighteen nineteen"),
    (20, 10, "twenty thirty forty fifty sixty seventy eighty ninety hundred"),
    (1, 1, "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"),
    (15, 1, "fifteenth sixteenth seventeenth eighteenth nineteenth"),
    (20, 10, "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth hundredth"),
    (1, 1, "january february march april may june july august september october november december"),
    (1, 1, "jan feb mar apr may jun jul aug sep oct nov dec"),
    (1, 1, "monday tuesday wednesday thursday friday saturday sunday"),
    (1, 1, "mon tue wed thu fri sat sun"),
)
NUMBER_WORDS: dict[str, int] = {
    word: first + place * step for first, step, words in _SERIES for place, word in enumerate(words.split())
}

ROMAN_NUMERALS: dict[str, int] = {  # to 49: `li` is rather a tag, and `c` a letter
    tens + ones: 10 * ten + one
    for ten, tens in enumerate(("", "x", "xx", "xxx", "xl"))
    for one, ones in enumerate(("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"))
    if ten or one
}

# Numbers in a circle, in brackets or with a point, and roman numerals, which are one sign each.
NUMBER_SIGNS: dict[str, int] = {
    chr(sign): int(numeric(chr(sign)))
    for begin, end in ((0x2160, 0x217F), (0x2460, 0x249B), (0x24EB, 0x24FF), (0x2776, 0x2793), (0x3251, 0x325F))
    for sign in range(begin, end + 1)
}

# The number that a token stands for when read as decimal, hexadecimal, letter, roman, word, binary, power of two.
Readings = tuple[int | None, int | None, int | None, int | None, int | None, int | None, int | None]
NO_READINGS: Readings = (None, None, None, None, None, None, None)


class Tokens(NamedTuple):
    """The L tokens of a text.

    Attributes:
        words: The tokens as they are.
        masks: The same with `NUMBER` for whatever may be a number, `LETTER` for a single letter.
        readings: What each may count as; None for a token that is no number.
    """

    words: tuple[str, ...]
    masks: tuple[str, ...]
    readings: tuple[Readings | None, ...]


def lex(text: str) -> Tokens:
    """The tokens of the beginning of a text, without the first and the last, since a window may cut these."""
    runs = map(_tokens_of, _RUN.findall(text[:MAX_CHARACTERS]))
    tokens = list(islice(chain.from_iterable(runs), 1, MAX_TOKENS + 2))[:-1]
    if not tokens:
        return Tokens((), (), ())
    return Tokens(*zip(*tokens, strict=True))


@lru_cache(maxsize=1 << 16)
def _tokens_of(run: str) -> tuple[tuple[str, str, Readings | None], ...]:
    """The tokens of a run of letters and digits, of signs, or of line breaks: each with its mask and its readings."""
    if run[0] == "\n":
        return (("\n", "\n", None),)
    return tuple((token, *_read(token)) for token, _ in _TOKEN.findall(run))


def _read(token: str) -> tuple[str, Readings | None]:
    """The mask of a token and its readings, if it may be a number."""
    if token.isdecimal():
        value = int(token)
        hexadecimal = int(token, 16) if len(token) <= 15 else None
        return NUMBER, (value, hexadecimal, None, None, None, _binary(token), _exponent(value))
    if not token.isascii():
        value = NUMBER_SIGNS.get(token)
        return (token, None) if value is None else (NUMBER, (value, None, None, None, None, None, None))
    if token.isalpha():
        hexadecimal = int(token, 16) if len(token) == 1 and token in "abcdefABCDEF" else None
        roman = ROMAN_NUMERALS.get(token.lower())
        if len(token) == 1:
            return LETTER, (None, hexadecimal, ord(token), roman, None, None, None)
        word = NUMBER_WORDS.get(token.lower())
        if word is not None or roman is not None:
            return NUMBER, (None, None, None, roman, word, None, None)
    elif _HEX.fullmatch(token):
        value = int(token, 16)
        return NUMBER, (None, value, None, None, None, None, _exponent(value))
    return token, None


def _binary(token: str) -> int | None:
    """The value of `0110`; None for a single digit, which counts as it is, and for other digits."""
    return int(token, 2) if len(token) > 1 and not token.strip("01") else None


def _exponent(value: int) -> int | None:
    """e of 2 ** e, so that 1, 2, 4, 8 count by one; None for any other number."""
    return value.bit_length() - 1 if value and value & (value - 1) == 0 else None
