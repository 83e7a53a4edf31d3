"""Repeating and incrementing patterns: a lexer, then the best period of the token sequence with numbers masked.

A pattern repeats with period p when token i equals token i - p nearly everywhere. With numbers masked, the counter
`row 1, row 2, row 3` has period 3; if the numbers that recur at the same place of each period form an arithmetic
chain with a step other than 0, the pattern is incrementing, otherwise repeating.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import eq, sub

from metrics.categories.evidence import Category, Evidence, Rows
from metrics.metric import Column

MAX_TOKENS = 400  # a window of 64 model tokens has fewer; bounds the time of a very long row
MIN_TOKENS = 8
MIN_PERIODS = 3.0  # a pattern is seen at least this often,
MIN_PERIODS_EXACT = 2.2  # or this often if it recurs without any difference
MIN_COVERAGE = 0.75  # share of the positions that agree with the one a period before, for a counter
MIN_COVERAGE_REPEATING = 0.85  # the same where nothing counts: lists of like items (imports) reach 0.8
MIN_EQUAL = 0.7  # share that agrees when numbers count as different, where nothing counts
MIN_CHAIN = 3  # numbers in an arithmetic chain
MIN_CHAIN_SHARE = 0.6  # share of a place's differences that are its most frequent step

# A ruler (one sign many times), a hexadecimal number (it has a digit), a number, a word, a line break, any other sign.
_TOKEN = re.compile(
    r"(?:([^\w\s])\1{3,200}|(?:0x|\b(?=[a-fA-F]{0,7}\d))[0-9a-fA-F]{2,12}\b|\d{1,18}|[^\W\d_]{1,40}|\n|[^\w\s]|_)"
)
_ONE_SIGN = re.compile(r"(\S)\1{19,}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{2,12}")
_NUMBER = "#0"  # stands for any number; the lexer makes no such token


@dataclass(frozen=True)
class Pattern:
    """The pattern of a text.

    Attributes:
        period: Tokens after which it recurs; 0 = none found.
        coverage: Share of positions that equal the one a period before, numbers masked, in [0, 1].
        equal: The same with numbers as they are.
        step: What a counter grows by from one period to the next; 0 where nothing counts.
    """

    period: int = 0
    coverage: float = 0.0
    equal: float = 0.0
    step: int = 0

    @property
    def kind(self) -> str:
        """`incrementing`, `repeating`, or `` for none."""
        if self.step and self.coverage >= MIN_COVERAGE:
            return "incrementing"
        if self.coverage >= MIN_COVERAGE_REPEATING and self.equal >= MIN_EQUAL:
            return "repeating"
        return ""


def find_pattern(text: str) -> Pattern:
    """The best-covered period of a text and the step of its counters.

    The first and the last token are dropped, since a window may cut them. Single letters count as numbers when they
    form a chain (`a) b) c)`).

    Args:
        text: Any text.

    Returns:
        The pattern with the highest coverage, of equally good ones the one with the shortest period; an empty
        pattern where no period is seen at least three times.
    """
    text = text[: MAX_TOKENS * 12]
    run = _ONE_SIGN.search(text)
    if run and run.end() - run.start() >= MIN_COVERAGE_REPEATING * len(text.strip()):
        return Pattern(1, 1.0, 1.0)
    tokens = [match.group() for match in islice(_TOKEN.finditer(text), MAX_TOKENS)][1:-1]
    if len(tokens) < MIN_TOKENS:
        return Pattern()
    masked = [_mask(token) for token in tokens]
    best = Pattern()
    for period in _candidate_periods(tokens, masked):
        coverage = sum(map(eq, masked, masked[period:])) / (len(masked) - period)
        if coverage < 1 and period * MIN_PERIODS > len(masked):
            continue
        if coverage > best.coverage + 1e-9:
            best = Pattern(period, coverage)
    if best.coverage < MIN_COVERAGE:
        return best
    equal = sum(map(eq, tokens, tokens[best.period :])) / (len(tokens) - best.period)
    return Pattern(best.period, best.coverage, equal, _step(tokens, masked))


@lru_cache(maxsize=1 << 16)
def _mask(token: str) -> str:
    return _NUMBER if token[0].isdecimal() or _HEX.fullmatch(token) else token


def _candidate_periods(tokens: list[str], masked: list[str]) -> list[int]:
    """The most frequent distances between a token and its next occurrence, their sums and multiples, ascending.

    Distances of the tokens as they are find rows of numbers that recur, those of the masked ones counters.
    """
    candidates: set[int] = set()
    for sequence in (tokens, masked):
        last: dict[str, int] = {}
        gaps: Counter[int] = Counter()
        for position, token in enumerate(sequence):
            if token in last:
                gaps[position - last[token]] += 1
            last[token] = position
        # A true period recurs at most places; where even the commonest gaps are rare there is none.
        frequent = [gap for gap, count in gaps.most_common(5) if count >= len(masked) / 12]
        candidates.update(gap * times for gap in frequent for times in (1, 2, 3))
        candidates.update(left + right for left in frequent for right in frequent)
    return sorted(gap for gap in candidates if gap <= len(masked) / MIN_PERIODS_EXACT)


def _step(tokens: list[str], masked: list[str]) -> int:
    """The most regular step of the numbers that stand between the same neighbours, 0 where none counts.

    Neighbours and not positions identify a place, so an extra line does not break a chain.
    """
    places: dict[tuple[str, ...], list[str]] = {}
    for position, token in enumerate(tokens):
        if masked[position] == _NUMBER or (len(token) == 1 and token.isascii() and token.isalpha()):
            neighbours = (*masked[max(0, position - 2) : position], "", *masked[position + 1 : position + 2])
            places.setdefault(neighbours, []).append(token)
    best_step, best_share = 0, MIN_CHAIN_SHARE
    for chain in places.values():
        values = _values(chain)
        if len(values) < MIN_CHAIN:
            continue
        step, count = Counter(map(sub, values[1:], values)).most_common(1)[0]
        share = count / (len(values) - 1)
        if step and count >= MIN_CHAIN - 1 and share >= best_share:
            best_step, best_share = step, share
    return best_step


def _values(chain: list[str]) -> list[int]:
    """The numbers of one place: all hexadecimal if one of them is, single letters by their code."""
    if all(token.isdecimal() for token in chain):
        return [int(token) for token in chain]
    if all(len(token) == 1 for token in chain):
        return [ord(token) for token in chain]
    return [int(token, 16) for token in chain if _HEX.fullmatch(token)]


def find(rows: Rows) -> Evidence:
    """Evidence of repetition in each row."""
    patterns = [find_pattern(text) for text in rows.texts]
    kinds = [pattern.kind for pattern in patterns]
    why = [
        f"{kind} pattern: period of {pattern.period} tokens covers {pattern.coverage:.0%}"
        + (f", step {pattern.step}" if pattern.step else "")
        for kind, pattern in zip(kinds, patterns, strict=True)
    ]
    return Evidence(
        holds=[bool(kind) for kind in kinds],
        columns={
            "repetition_kind": kinds,
            "repetition_period": [pattern.period for pattern in patterns],
            "repetition_coverage": [pattern.coverage for pattern in patterns],
            "repetition_step": [pattern.step for pattern in patterns],
        },
        why=why,
    )


REPETITION = Category(
    name="repetition",
    harmful=False,
    description="A repeating or incrementing pattern: counters, tables of one value, the same line again and again.",
    columns=(
        Column(
            "repetition_kind",
            "string",
            "Whether the pattern repeats or counts; empty for no pattern.",
            range="`incrementing`, `repeating`, ``",
        ),
        Column(
            "repetition_period",
            "int32",
            "After how many words, numbers and marks the best pattern recurs, numbers masked.",
            unit="lexer tokens",
            range="[0, 133], 0 = none",
        ),
        Column(
            "repetition_coverage",
            "float32",
            "Share of the places that equal the one a period before, numbers masked.",
            unit="share",
            range="[0, 1]",
        ),
        Column(
            "repetition_step",
            "int64",
            "What the counter grows by from one period to the next.",
            range="0 = nothing counts",
        ),
    ),
    find=find,
)
