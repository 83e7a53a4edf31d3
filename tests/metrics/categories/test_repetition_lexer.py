"""What the lexer cuts, and what each token may count as."""

from __future__ import annotations

import pytest

from metrics.categories.repetition_lexer import LETTER, NUMBER, lex


def _cut(text: str) -> list[str]:
    return list(lex(f"x {text} x").words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("row7: ok", ["row", "7", ":", "ok"]),
        ("_0x1f = 9;", ["_", "0x1f", "=", "9", ";"]),
        ("4FA0 b12 ffe 9e2", ["4FA0", "b", "12", "ffe", "9e2"]),  # b12 is a name that counts, 4FA0 a number
        ("a\n \n\n  b", ["a", "\n", "b"]),
        ("-----+--", ["-----", "+", "-", "-"]),
        ("fill_52é", ["fill", "_", "52", "é"]),
        ("1234567890123456789012", ["123456789012345678", "9012"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert _cut(text) == words


def test_the_first_and_the_last_token_are_dropped() -> None:
    assert lex("one, two").words == (",",)
    assert lex("one two").words == lex("one").words == lex("").words == ()


@pytest.mark.parametrize(
    ("token", "mask", "readings"),
    [
        # decimal, hexadecimal, letter, roman, word, binary, power of two
        ("12", NUMBER, (12, 0x12, None, None, None, None, None)),
        ("16", NUMBER, (16, 0x16, None, None, None, None, 4)),
        ("0110", NUMBER, (110, 0x110, None, None, None, 6, None)),
        ("⑫", NUMBER, (12, None, None, None, None, None, None)),
        ("Ⅳ", NUMBER, (4, None, None, None, None, None, None)),
        ("0x1F", NUMBER, (None, 31, None, None, None, None, None)),
        ("c", LETTER, (None, 12, ord("c"), None, None, None, None)),
        ("V", LETTER, (None, None, ord("V"), 5, None, None, None)),
        ("xlix", NUMBER, (None, None, None, 49, None, None, None)),
        ("Twelve", NUMBER, (None, None, None, None, 12, None, None)),
        ("nineteen", NUMBER, (None, None, None, None, 19, None, None)),
        ("third", NUMBER, (None, None, None, None, 3, None, None)),
        ("DECEMBER", NUMBER, (None, None, None, None, 12, None, None)),
        ("sun", NUMBER, (None, None, None, None, 7, None, None)),
        ("li", "li", None),
        ("river", "river", None),
        (";", ";", None),
        ("é", "é", None),
        ("९", NUMBER, (9, 9, None, None, None, None, None)),
    ],
)
def test_readings(token: str, mask: str, readings: tuple[int | None, ...] | None) -> None:
    tokens = lex(f"x {token} x")
    assert (tokens.masks, tokens.readings) == ((mask,), (readings,))


def test_a_long_text_is_cut() -> None:
    assert len(lex("ab " * 100_000).words) == 400
    assert "".join(lex("b" * 1_000_000).words) == "b" * (4096 - 2 * 40 + 24)
