"""Repeating and incrementing patterns with hand-counted periods and steps."""

from __future__ import annotations

import pytest

from metrics.categories.repetition import find_pattern


@pytest.mark.parametrize(
    ("text", "period", "step"),
    [
        # Tokens without the first and the last: each number and its comma.
        (", ".join(str(n) for n in range(1, 40)), 2, 1),
        (" ".join(str(n) for n in range(100, 400, 5)), 1, 5),
        ("\n".join(f"row {n}: ok" for n in range(9, 40)), 5, 1),  # row, number, colon, ok, line break
        ("\n".join(f"T{n}," for n in range(30, 0, -1)), 4, -1),  # T, number, comma, line break
        (" ".join(f"0x{n:04x}" for n in range(0x4FA0, 0x4FE0, 2)), 1, 2),
        (" ".join(f"{n:04X}" for n in range(0x41FA, 0x4220)), 1, 1),
        ("\n".join(f"{letter}) yes" for letter in "abcdefghijklmn"), 4, 1),
    ],
)
def test_incrementing(text: str, period: int, step: int) -> None:
    pattern = find_pattern(text)
    assert (pattern.kind, pattern.period % period, pattern.step) == ("incrementing", 0, step)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("the mill " * 20, 2),
        ("<td>&nbsp;</td>\n" * 10, 11),  # < td > & nbsp ; < / td > and the line break
        ("1.5 20 7\n" * 12, 6),
        ("=" * 30 + "\nmill\n" + ("=" * 30 + "\nmill\n") * 6, 4),
        ("0, " * 40, 2),
    ],
)
def test_repeating(text: str, period: int) -> None:
    pattern = find_pattern(text)
    assert (pattern.kind, pattern.period, pattern.step) == ("repeating", period, 0)
    assert pattern.coverage == 1


@pytest.mark.parametrize("text", ["b" * 90, "-" * 200, "  \n" + "." * 60 + "\n"])
def test_one_sign(text: str) -> None:
    assert find_pattern(text).kind == "repeating"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2 3",
        "The river rose in the night, and by the morning the lower meadows stood under water as far as the mill.",
        "import os\nimport sys\nfrom math import pi\n\ndef area(r):\n    return pi * r * r\n\nprint(area(3))\n",
        "17 3 88 2 41 9 63 5 27 90 14 6 33 71 8 52",
        "from a.b import One\nfrom c.d import Two, Three\nfrom e import Four\nimport five\nfrom g.h.i import Six\n",
    ],
)
def test_none(text: str) -> None:
    assert find_pattern(text).kind == ""


def test_an_extra_line_does_not_break_a_counter() -> None:
    lines = [f"Chapter {n}" for n in range(20, 32)]
    lines.insert(6, "THE HOUNDS.")
    assert find_pattern("\n".join(lines)).step == 1


def test_cut_ends_are_dropped() -> None:
    # The first and last number are cut to their last and first digit.
    text = ", ".join(str(n) for n in range(1200, 1240))
    assert find_pattern(text[3:-3]).step == 1
