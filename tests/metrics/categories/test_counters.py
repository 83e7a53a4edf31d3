"""Chains of numbers at like places."""

from __future__ import annotations

import pytest

from metrics.categories.counters import find_counters
from metrics.categories.repetition_lexer import lex


@pytest.mark.parametrize(
    ("text", "counted", "step"),
    [
        # The place of a number is what stands around it: the first is another place here than those after `;`.
        ("x n 1; n 2; n 3; n 4; x", ["3", "4"], 1),
        ("x n 9; n 7; n 5; n 3; x", ["5", "3"], -2),
        ("x n 1; n 2; n 3; n 9; n 10; x", ["3", "10"], 1),
        ("x n 1; n 2; n 9; n 4; x", [], 0),
        ("x n 5; n 5; n 5; n 5; x", [], 0),
        # Two columns count on their own; the step is that of the one that counts more often (the first 1 stands alone).
        ("x a 1 b 10; a 2 b 20; a 3 b 30; a 4 b 40; x", ["20", "3", "30", "4", "40"], 10),
        # 9 and a are hexadecimal together; 1, 2, 4 grow by one as powers of two; letters, roman numerals and words.
        ("x n 0x8; n 0x9; n 0xa; n 0xb; x", ["0xa", "0xb"], 1),
        ("x n 1; n 2; n 4; n 8; n 16; x", ["4", "8", "16"], 1),
        ("x n 001; n 010; n 011; n 100; n 101; x", ["011", "100", "101"], 1),  # binary
        # Two take turns, four numbers of each at least; not if anything disturbs them.
        ("x 1 50 2 47 3 44 4 41 5 38 6 x x", ["3", "44", "4", "41", "5", "38"], -3),
        ("x 1 50 2 47 3 49 4 41 5 38 6 x x", [], 0),
        ("x n a; n b; n c; n d; x", ["c", "d"], 1),
        ("x n iii; n iv; n v; n vi; n vii; x", ["v", "vi", "vii"], 1),
        ("x n two; n three; n four; n five; x", ["four", "five"], 1),
    ],
)
def test_counted(text: str, counted: list[str], step: int) -> None:
    tokens = lex(text)
    counters = find_counters(tokens, [False] * len(tokens.words))
    assert [tokens.words[position] for position in sorted(counters.counted)] == counted
    assert counters.step == step


def test_a_place_that_only_says_the_same_again_is_not_looked_at() -> None:
    tokens = lex("x n 1; n 2; n 3; n 4; x")
    assert find_counters(tokens, [True] * len(tokens.words)).counted == []
