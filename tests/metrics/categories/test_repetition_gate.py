"""The gate lets every pattern pass and holds back what does not recur."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.categories.repetition import find_pattern, find_patterns
from metrics.categories.repetition_gate import may_have_pattern
from metrics.categories.repetition_lexer import ROMAN_NUMERALS

PROSE = (
    "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill; "
    "nobody had seen it so high since the year of the great frost, when ice carried off two arches of the bridge."
)
CODE = (
    "def area(shape):\n    if shape.kind == 'disc':\n        return pi * shape.r ** 2\n"
    "    sides = [edge.length for edge in shape.edges]\n    return heron(*sides) if len(sides) == 3 else None\n"
)
COUNTERS = {
    "decimal": str,
    "hexadecimal": "0x{:02x}".format,
    "letter": lambda n: chr(ord("a") + n % 26),
    "roman": lambda n: list(ROMAN_NUMERALS)[n % 49],
}


def test_prose_and_code_are_held_back() -> None:
    assert may_have_pattern([PROSE, CODE]).tolist() == [False, False]


def test_less_than_half_must_recur_to_be_held_back() -> None:
    assert may_have_pattern([PROSE + PROSE[: len(PROSE) // 2], PROSE * 3]).tolist() == [False, True]


def test_few_tokens_pass() -> None:
    assert may_have_pattern(["", "b" * 300, "The river rose in the night.", "\0", "\ud83d"]).all()


def test_a_row_does_not_depend_on_its_batch() -> None:
    texts = [PROSE, "row 7: ok\n" * 20, CODE, ""] * 700  # more than are looked at together
    assert may_have_pattern(texts).tolist() == [False, True, False, True] * 700
    assert may_have_pattern([]).tolist() == []


@st.composite
def _patterns(draw: st.DrawFn) -> str:
    """A line of words, signs and perhaps counters, four times and more, cut anywhere at both ends."""
    parts = st.sampled_from(
        ["row", "the", "mill ", "river", "if ", "(", ")", ";", "=", "<", "/", "\n", " ", "_", "{n}"]
    )
    line = draw(st.lists(parts, min_size=1, max_size=12))
    number = COUNTERS[draw(st.sampled_from(sorted(COUNTERS)))]
    first, step = draw(st.integers(0, 400)), draw(st.sampled_from([1, 1, 2, 10]))
    times = draw(st.integers(4, 20))
    text = "".join(
        "".join(number(first + step * period) if part == "{n}" else part for part in line) for period in range(times)
    )
    cut = len(text) // times // 2
    return text[draw(st.integers(0, cut)) : len(text) - draw(st.integers(0, cut))][:300]


@settings(max_examples=300, deadline=None)
@given(_patterns())
def test_no_pattern_is_lost(text: str) -> None:
    assert find_patterns([text])[0].kind == find_pattern(text).kind
