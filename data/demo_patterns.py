"""Repeating and incrementing texts: counters, repeated lines and phrases, dates and codes that step."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Sequence

ROWS = 80  # long enough that 64 tokens never reach the end


class Patterns:
    """A seeded source of repetitive texts made from the words given."""

    def __init__(self, seed: int, words: Sequence[str]) -> None:
        self.rng = random.Random(seed)
        self.words = words

    def document(self, shape: Callable[[Patterns], str] | None = None) -> str:
        """A text of the given shape, or of a random one of `SHAPES`."""
        return (shape or self.rng.choice(SHAPES))(self)

    def word(self) -> str:
        """A random word."""
        return self.rng.choice(self.words)


def counter(patterns: Patterns) -> str:
    """Consecutive numbers with a fixed step."""
    rng = patterns.rng
    start, step = rng.randint(0, 9000), rng.choice((1, 1, 2, 5, 10, 100))
    separator = rng.choice((" ", ", ", "\n", "; ", " | "))
    return separator.join(str(start + step * row) for row in range(ROWS))


def numbered_lines(patterns: Patterns) -> str:
    """The same words with a number that grows."""
    rng = patterns.rng
    start, step = rng.randint(1, 900), rng.choice((1, 1, 1, 2, 10))
    form = rng.choice(("{w} {n}", "{n}. {w}", "{w}-{n:03}", "{w} {n}: {v}", "{n}) {w} {v}", "Figure {n}. {w} {v}"))
    words = {"w": patterns.word(), "v": patterns.word()}
    return "\n".join(form.format(n=start + step * row, **words) for row in range(ROWS))


def repeated_line(patterns: Patterns) -> str:
    """One short line over and over."""
    rng = patterns.rng
    words = " ".join(patterns.word() for _ in range(rng.randint(2, 6)))
    line = rng.choice(("{}", "* {}", "- {} -", "{} ...", "> {}")).format(words)
    return "\n".join([line] * ROWS)


def repeated_phrase(patterns: Patterns) -> str:
    """A few words over and over in one line."""
    phrase = [patterns.word() for _ in range(patterns.rng.randint(1, 5))]
    return patterns.rng.choice((" ", ", ")).join(phrase * ROWS)


def repeated_numbers(patterns: Patterns) -> str:
    """A row of numbers over and over."""
    rng = patterns.rng
    row = rng.choice((" ", "\t", ", ")).join(
        f"{rng.randint(0, 99) / rng.choice((1, 10)):g}" for _ in range(rng.randint(2, 7))
    )
    return "\n".join([row] * ROWS)


def dates(patterns: Patterns) -> str:
    """Days or weeks that follow each other, with a constant beside them."""
    rng = patterns.rng
    day = datetime.date(rng.randint(1980, 2020), rng.randint(1, 12), rng.randint(1, 28))
    step = datetime.timedelta(days=rng.choice((1, 1, 7)))
    form = rng.choice(("{}", "{} {}", "{}, {}"))
    constant = rng.choice((patterns.word(), f"{rng.randint(0, 99) / 10}"))
    return "\n".join(form.format(day + step * row, constant) for row in range(ROWS))


def table_rows(patterns: Patterns) -> str:
    """A table with two columns that grow."""
    rng = patterns.rng
    start, other, step = rng.randint(1, 90), rng.randint(100, 9000), rng.choice((2, 3, 5, 10, 25))
    form = rng.choice(("| {} | {} |", "{}\t{}", "{} {}", "row {} value {}"))
    return "\n".join(form.format(start + row, other + step * row) for row in range(ROWS))


def hexadecimal(patterns: Patterns) -> str:
    """Hexadecimal numbers that grow."""
    rng = patterns.rng
    start, step = rng.randint(0, 60000), rng.choice((1, 2, 4, 8, 16))
    form = rng.choice(("{:04x}", "{:04X}", "0x{:04x}"))
    return rng.choice((" ", "\n", ", ")).join(form.format(start + step * row) for row in range(ROWS))


def ruler(patterns: Patterns) -> str:
    """Lines of signs with a word between them."""
    rng = patterns.rng
    sign, width = rng.choice("-=*~#+."), rng.randint(6, 30)
    return "\n".join([sign * width, patterns.word()] * ROWS)


SHAPES = (
    counter, numbered_lines, repeated_line, repeated_phrase, repeated_numbers, dates, table_rows, hexadecimal, ruler,
)  # fmt: skip
