"""Repeating and incrementing patterns: hand-counted periods and steps, hand-computed scores, and real labelled rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from metrics.categories.evidence import Rows
from metrics.categories.repetition import Pattern, find, find_pattern, find_patterns

ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV"]
CARDINALS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
LATER_ORDINALS = [
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
]
TENS = ["ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred"]
NAMES = ["Door", "Lock", "Weir", "Sluice", "Wheel", "Stone", "Flour", "Sack"]
FIELDS = ["width", "height", "depth", "weight", "price", "count", "volume", "area"]
PLACES = [(17, 5), (3, 27), (88, 90), (2, 14), (41, 6), (9, 33), (63, 71)]
PROSE = "The river rose in the night, and by the morning the lower meadows stood under water as far as the mill."

# A text, its period and its step. Periods are of the tokens without the first and the last.
COUNTERS = [
    (", ".join(str(n) for n in range(1, 40)), 2, 1),
    (" ".join(str(n) for n in range(100, 400, 5)), 1, 5),
    ("\n".join(f"row {n}: ok" for n in range(9, 40)), 5, 1),  # row, number, colon, ok, line break
    ("\n".join(f"T{n}," for n in range(30, 0, -1)), 4, -1),  # T, number, comma, line break
    ("\n".join(f"v{n} = get({n});" for n in range(94, 106)), 9, 1),  # 99 -> 100
    (" ".join(f"0x{n:04x}" for n in range(0x4FA0, 0x4FE0, 2)), 1, 2),
    (" ".join(f"{n:04X}" for n in range(0x41FA, 0x4220)), 1, 1),
    (", ".join(f"_0x{n:x}" for n in range(0x1A, 0x31)), 3, 1),
    ("; ".join(f"int item{n}" for n in range(7, 24)), 4, 1),
    ("\n".join(f"{letter}) yes" for letter in "abcdefghijklmn"), 4, 1),
    (" ".join(f"{letter}1" for letter in "ABCDEFGHIJKLMNOP"), 2, 1),
    ("\n".join(f"Chapter {numeral}" for numeral in ROMAN), 3, 1),
    ("\n".join(f"Day {word}: walk" for word in CARDINALS), 5, 1),
    ("\n".join(f"the {word} part" for word in ORDINALS), 4, 1),
    (", ".join(f"{word} percent" for word in TENS), 3, 10),
    ("\n".join(f"the {word} part" for word in LATER_ORDINALS), 4, 1),
    (", ".join(str(2**n) for n in range(14)), 2, 1),  # the exponent counts
    ("\n".join(f"<p>{n} %</p>" for n in range(0, 100, 10)), 10, 10),
    ("\n".join(f"{n:06b}" for n in range(20)), 2, 1),  # binary
    (" ".join(chr(ord("①") + n) for n in range(20)), 1, 1),
    ("\n".join(f"{chr(ord('Ⅰ') + n)} mill" for n in range(12)), 3, 1),
    ("\n".join(f"{n} {300 - 7 * n}" for n in range(1, 17)), 3, 1),  # at places of their own
    (" ".join(f"{n} {300 - 7 * n}" for n in range(1, 17)), 1, -7),  # two take turns at one place
    (", ".join(f"{n}, {90 + 5 * n}, {2 * n}" for n in range(1, 14)), 2, 5),  # three
]
REPEATS = [
    ("the mill " * 20, 2),
    ("<td>&nbsp;</td>\n" * 10, 11),  # < td > & nbsp ; < / td > and the line break
    ("1.5 20 7\n" * 12, 6),
    ("=" * 30 + "\nmill\n" + ("=" * 30 + "\nmill\n") * 6, 4),
    ("0, " * 40, 2),
    ("0x0C, 0x24, " * 12, 4),
    ("0 0.0 0.0\n" * 7, 8),  # 0, 0 . 0, 0 . 0 and the line break
    ("7, 7, 7, 7, 7, 7,\n" * 6, 13),  # the line break too is where it was
    ("1, 2, 3, " * 9, 6),  # a counter that starts again and again
    ("up to the A and up to the B and " * 6, 10),
]


@pytest.mark.parametrize(("text", "period", "step"), COUNTERS)
def test_incrementing(text: str, period: int, step: int) -> None:
    pattern = find_pattern(text)
    assert (pattern.kind, pattern.period, pattern.step) == ("incrementing", period, step)


@pytest.mark.parametrize(("text", "period"), REPEATS)
def test_repeating(text: str, period: int) -> None:
    assert find_pattern(text) == Pattern(period, 1.0, repeating_score=1.0)
    assert find_pattern(text).kind == "repeating"


@pytest.mark.parametrize("text", ["b" * 90, "-" * 200, "  \n" + "." * 60 + "\n", "abcde" * 20, " " * 90])
def test_few_tokens_are_searched_letter_by_letter(text: str) -> None:
    pattern = find_pattern(text)
    assert (pattern.kind, pattern.coverage) == ("repeating", 1)
    assert pattern.period == (5 if "c" in text else 1)


def test_blank_rows_repeat() -> None:
    assert find_pattern(" \n" * 90) == Pattern(2, 1.0, repeating_score=1.0)
    assert find_pattern(" \n" * 7).kind == ""  # too short to tell


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"{a}.{b} " for a in range(1, 5) for b in range(1, 7)),
        "\n".join(f"{a}.{b}.{c}" for a in range(1, 3) for b in range(1, 4) for c in range(1, 5)),
        " ".join(f"{letter}{row}" for row in range(1, 5) for letter in "ABCDEF"),
        "\n".join(f"put({row}, {column}, x);" for row in range(4) for column in range(5)),
    ],
)
def test_nested_counters(text: str) -> None:
    assert find_pattern(text).kind == "incrementing"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2 3",
        PROSE,
        "import os\nimport sys\nfrom math import pi\n\ndef area(r):\n    return pi * r * r\n\nprint(area(3))\n",
        "17 3 88 2 41 9 63 5 27 90 14 6 33 71 8 52",
        "from a.b import One\nfrom c.d import Two, Three\nfrom e import Four\nimport five\nfrom g.h.i import Six\n",
        # Lists of like lines: most of each line is that of the line before, but each brings a word of its own.
        "".join(f"import org.mill.river.{name};\n" for name in NAMES),
        "".join(f'  <File Path="src/{name}.cs" />\n' for name in NAMES),
        "".join(f"    float {name};\n" for name in FIELDS),
        "".join(f"  self.{name} = {name}\n" for name in FIELDS),
        "".join(f"  at ({a}, {b})\n" for a, b in PLACES),
    ],
)
def test_none(text: str) -> None:
    assert find_pattern(text).kind == ""


def test_incrementing_score_by_hand() -> None:
    # 1 ... 11 between the cut ends, period 1, so 11 - 1 - 2 = 8 tokens can be foretold. 4 to 11 follow two numbers, as
    # 3 did: 8 change. 3 to 10 stand between numbers: 4 to 10 count, 7 of 8. Nothing is new.
    pattern = find_pattern(" ".join(str(n) for n in range(13)))
    assert pattern == Pattern(1, 7 / 8, 1, incrementing_score=7 / 8)


def test_repeating_score_by_hand() -> None:
    # Five periods of five tokens after the cut `x`; the fourth ends in another word. 20 tokens can be compared, two
    # differ (the new word, and the old one after it); one new word in four periods.
    rows = ["to the old red mill"] * 3 + ["to the old red farm"] + ["to the old red mill"]
    pattern = find_pattern(" ".join(["x", *rows, "x"]))
    assert (pattern.period, pattern.coverage, pattern.step) == (5, 18 / 20, 0)
    assert pattern.repeating_score == pytest.approx(18 / 20 * 3 / 4)


def test_a_list_that_brings_a_new_word_each_time_scores_nothing() -> None:
    words = ["mill", "farm", "barn", "pond", "oak"]
    pattern = find_pattern(" ".join(["x", *(f"to the old red {word}" for word in words), "x"]))
    assert (pattern.period, pattern.coverage, pattern.repeating_score) == (5, 16 / 20, 0)


def test_too_few_periods() -> None:
    words = [f"w{letter}x" for letter in "abcdefghijklmnopqrst"]
    assert find_pattern(" ".join(["x", *words * 2, *words[:3], "x"])).kind == ""  # seen 2.15 times
    assert find_pattern(" ".join(["x", *words * 2, *words[:5], "x"])).kind == "repeating"  # 2.25 times


def test_an_extra_line_does_not_break_a_counter() -> None:
    lines = [f"Chapter {n}" for n in range(20, 32)]
    lines.insert(6, "THE HOUNDS.")
    assert find_pattern("\n".join(lines)).step == 1


@pytest.mark.parametrize("cut", range(1, 9))
def test_cut_ends_are_dropped(cut: int) -> None:
    for text, _, _ in COUNTERS:
        assert find_pattern(text[cut:-cut]).kind == "incrementing"
    for text, _ in REPEATS:
        assert find_pattern(text[cut:-cut]).kind == "repeating"


def test_a_long_row_counts_by_its_beginning() -> None:
    head = ", ".join(str(n) for n in range(1000))
    assert find_pattern(head + PROSE * 10_000) == find_pattern(head)


def test_evidence() -> None:
    evidence = find(Rows([COUNTERS[0][0], REPEATS[0][0], PROSE, ""], [-1] * 4))
    assert evidence.holds == [True, True, False, False]
    assert evidence.columns["repetition_kind"] == ["incrementing", "repeating", "", ""]
    assert evidence.columns["repetition_step"] == [1, 0, 0, 0]
    assert evidence.columns["repeating_score"] == [0, 1, 0, 0]
    assert evidence.why[0] == "incrementing pattern: period of 2 tokens covers 100%, step 1"
    assert evidence.why[2] == ""


def _labelled(folder: Path) -> Iterator[dict[str, str]]:
    with (folder / "pythia70m_labelled.csv").open(newline="", encoding="utf-8") as file:
        yield from (row for row in csv.DictReader(file) if row["text"] != "#ERROR!")


def test_real_rows(shared_data: Path) -> None:
    rows = list(_labelled(shared_data))
    kinds = [pattern.kind for pattern in find_patterns([row["text"] for row in rows])]
    truths = [re.sub("^(pattern-)?(.*)$", lambda m: m[2] if m[1] else "", row["category"]) for row in rows]

    def f1(kind: str | None, memorized_only: bool) -> float:
        pairs = [
            (bool(truth) if kind is None else truth == kind, bool(said) if kind is None else said == kind)
            for row, truth, said in zip(rows, truths, kinds, strict=True)
            if row["memorized"] == "True" or not memorized_only
        ]
        hits = sum(truth and said for truth, said in pairs)
        return 2 * hits / sum(truth + said for truth, said in pairs)

    assert f1(None, memorized_only=True) >= 0.94
    assert f1("incrementing", memorized_only=True) >= 0.91
    assert f1("repeating", memorized_only=True) >= 0.93
    assert f1(None, memorized_only=False) >= 0.87


def test_the_gate_changes_no_label(shared_data: Path) -> None:
    texts = [row["text"] for row in _labelled(shared_data)]
    assert [pattern.kind for pattern in find_patterns(texts)] == [find_pattern(text).kind for text in texts]
