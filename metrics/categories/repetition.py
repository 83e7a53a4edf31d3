"""Repeating and incrementing patterns: how much of a text its own beginning foretells.

A text is cut into words, numbers and signs. A token is *copied* if it is the one that followed the same tokens when
they last occurred; a number is *counted* if it continues an arithmetic chain of the numbers at its place. In a pattern
nearly every token after the first period is one or the other. What sets a pattern apart from a list of alike lines
(imports, members of a struct) is that nothing new comes: there, each line brings a word of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import eq
from typing import NamedTuple

from metrics.categories.counters import find_counters
from metrics.categories.evidence import Category, Evidence, Rows
from metrics.categories.repetition_gate import may_have_pattern
from metrics.categories.repetition_lexer import MAX_CHARACTERS, Tokens, lex
from metrics.metric import Column

INCREMENTING_THRESHOLD = 0.5
REPEATING_THRESHOLD = 0.5
MIN_PERIODS = 2.2  # a pattern is seen at least this often
MIN_TOKENS = 8  # a text of fewer is searched letter by letter
MIN_COUNTED = 2  # counted numbers without which nothing counts
_CONTEXT = 2  # tokens after the first period that cannot be copied yet, since what they follow has not recurred
_PERIODS_TRIED = 2  # in a table of one value the distance from value to value is commoner than that from line to line
_PROBE = 24  # characters whose next occurrence gives the period of a text without words


class Pattern(NamedTuple):
    """The pattern of a text.

    Attributes:
        period: Tokens (characters in a text of fewer than 8 tokens) after which it recurs; 0 = none found.
        coverage: Share of what comes after the first period that copying or counting foretells, in [0, 1].
        step: What a counter grows by from one period to the next; 0 where nothing counts.
        incrementing_score, repeating_score: How surely the text counts, or says the same again, in [0, 1].
    """

    period: int = 0
    coverage: float = 0.0
    step: int = 0
    incrementing_score: float = 0.0
    repeating_score: float = 0.0

    @property
    def kind(self) -> str:
        """`incrementing`, `repeating`, or `` for none."""
        if self.incrementing_score >= INCREMENTING_THRESHOLD:
            return "incrementing"
        return "repeating" if self.repeating_score >= REPEATING_THRESHOLD else ""


def find_patterns(texts: Sequence[str]) -> list[Pattern]:
    """The patterns of N texts; the empty one for those in which too little recurs to look closer."""
    none = Pattern()
    worth_a_look = may_have_pattern(texts).tolist()
    return [find_pattern(text) if worth else none for text, worth in zip(texts, worth_a_look, strict=True)]


def find_pattern(text: str) -> Pattern:
    """The pattern of a text and how sure it is.

    With n tokens, period p (the commonest distance between a token and the one it copies) and r = n / p >= 2.2:

        repeating_score = share of tokens that equal the one p before x (1 - min(1, new tokens a period))
        incrementing_score = min(share copied or counted, counted / numbers that change) x (1 - min(1, new tokens a
            period)), numbers masked, 0 if fewer than two are counted

    where shares are of the tokens after the first period and *new* are those that do not occur in it. A text that
    recurs exactly does not count, even if there are counters in it (1, 2, 3, 1, 2, 3, ...).

    Args:
        text: Any text; its first 4,096 characters and 400 tokens count.
    """
    tokens = lex(text)
    if len(tokens.words) < MIN_TOKENS:
        return _pattern_of_letters(text[:MAX_CHARACTERS])
    copies = _copies(tokens)
    repeating = _repeating(tokens.words, copies)
    if repeating.coverage == 1:
        return repeating
    incrementing = _incrementing(tokens, copies)
    surer = incrementing
    if not incrementing.kind:
        surer = max(
            incrementing, repeating, key=lambda each: (each.incrementing_score + each.repeating_score, each.coverage)
        )
    return surer._replace(incrementing_score=incrementing.incrementing_score, repeating_score=repeating.repeating_score)


class _Copies(NamedTuple):
    """Which of L tokens were copied, and from where.

    Attributes:
        copied: L booleans: the token is the one that followed when its context last occurred.
        changed: How many are the same but for the number: something counts, or numbers are arbitrary.
        distances: From each token to the one it copies, numbers masked.
        exact_distances: The same, numbers as they are.
    """

    copied: list[bool]
    changed: int
    distances: list[int]
    exact_distances: list[int]


def _copies(tokens: Tokens) -> _Copies:
    """Looks for each token at what followed when the same tokens stood before it.

    These are the last three, exact or with numbers masked, and masked also the last two: three keep apart what two
    cannot (`8859-1` in `iso-8859-1-html`), two find the way back sooner after a disturbance.
    """
    words, masks = tokens.words, tokens.masks
    contexts = zip(masks, words, _before(masks, 3), _before(masks, 2), _before(words, 3), strict=True)
    none = len(words)
    masks, words = (*masks, ""), (*words, "")  # so that "none" is a position, too, whose token equals no other
    last_three: dict[tuple[str, ...], int] = {}
    last_two: dict[tuple[str, ...], int] = {}
    last_exact: dict[tuple[str, ...], int] = {}
    copied, changed, distances, exact_distances = [False] * none, 0, [], []
    for position, (mask, word, three, two, exact) in enumerate(contexts):
        exact_source = last_exact.get(exact, none)
        source = last_three.get(three, none)
        if masks[source] != mask:
            source = last_two.get(two, none)
        last_three[three] = last_two[two] = last_exact[exact] = position
        if words[exact_source] == word:
            exact_distances.append(position - exact_source)
            copied[position] = True
        if masks[source] == mask:
            distances.append(position - source)
            if words[source] == word:
                copied[position] = True
            elif not copied[position]:
                changed += 1
    return _Copies(copied, changed, distances, exact_distances)


def _before(tokens: tuple[str, ...], order: int) -> Iterator[tuple[str, ...]]:
    """For each token the `order` ones before it."""
    padded = ("",) * order + tokens
    return zip(*(padded[skip : skip + len(tokens)] for skip in range(order)), strict=True)


def _incrementing(tokens: Tokens, copies: _Copies) -> Pattern:
    """How much copying and counting foretell."""
    length = len(tokens.words)
    if not copies.distances:
        return Pattern()
    period = Counter(copies.distances).most_common(1)[0][0]
    counters = find_counters(tokens, copies.copied)
    counted = sum(not copies.copied[position] for position in counters.counted)
    coverage = min(1.0, (copies.copied.count(True) + counted) / max(1, length - period - _CONTEXT))
    if counted < MIN_COUNTED or period * MIN_PERIODS > length:
        return Pattern(period, coverage)
    regular = min(1.0, counted / max(1, copies.changed))
    score = min(coverage, regular) * (1 - _news(tokens.masks, period))
    return Pattern(period, coverage, counters.step, incrementing_score=score)


def _repeating(words: tuple[str, ...], copies: _Copies) -> Pattern:
    """How much equals what stands one period before, for the best of the commonest distances."""
    best = Pattern()
    for period, _ in Counter(copies.exact_distances).most_common(_PERIODS_TRIED):
        if period * MIN_PERIODS <= len(words):
            coverage = list(map(eq, words, words[period:])).count(True) / (len(words) - period)
            if coverage > best.coverage:
                best = Pattern(period, coverage)
    if not best.period:
        return best
    return best._replace(repeating_score=best.coverage * (1 - _news(words, best.period)))


def _news(tokens: tuple[str, ...], period: int) -> float:
    """New tokens a period after the first one, at most 1."""
    begin = period + _CONTEXT
    new = len(set(tokens[begin:]).difference(tokens[:begin]))
    return min(1.0, new / max(1.0, len(tokens) / period - 1))


def _pattern_of_letters(text: str) -> Pattern:
    """The pattern of a text of few tokens (`uuuuu`): the distance after which a stretch of it occurs again."""
    text = " ".join(text.split()) or text  # one of blanks alone recurs as it is
    width = min(_PROBE, len(text) // 4)
    best = Pattern()
    if width < 4:
        return best
    for begin in (len(text) // 8, len(text) // 2):
        period = text.find(text[begin : begin + width], begin + 1) - begin
        if 0 < period * MIN_PERIODS <= len(text):
            coverage = list(map(eq, text, text[period:])).count(True) / (len(text) - period)
            if coverage > best.coverage:
                best = Pattern(period, coverage, repeating_score=coverage)
    return best


def find(rows: Rows) -> Evidence:
    """Evidence of repetition in each row."""
    patterns = find_patterns(rows.texts)
    kinds = [pattern.kind for pattern in patterns]
    why = [
        f"{kind} pattern: period of {pattern.period} tokens covers {pattern.coverage:.0%}"
        + (f", step {pattern.step}" if pattern.step else "")
        if kind
        else ""
        for kind, pattern in zip(kinds, patterns, strict=True)
    ]
    return Evidence(
        holds=[bool(kind) for kind in kinds],
        columns={
            "repetition_kind": kinds,
            "repetition_period": [pattern.period for pattern in patterns],
            "repetition_coverage": [pattern.coverage for pattern in patterns],
            "repetition_step": [pattern.step for pattern in patterns],
            "incrementing_score": [pattern.incrementing_score for pattern in patterns],
            "repeating_score": [pattern.repeating_score for pattern in patterns],
        },
        why=why,
    )


CATEGORY = Category(
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
            "After how many words, numbers and signs the best pattern recurs (characters where there are few words).",
            unit="lexer tokens",
            range="[0, 1861], 0 = none, or too little recurs to look",
        ),
        Column(
            "repetition_coverage",
            "float32",
            "Share of what comes after the first period that equals, or continues to count, what came before.",
            unit="share",
            range="[0, 1]",
        ),
        Column(
            "repetition_step",
            "int64",
            "What the counter grows by from one period to the next.",
            range="0 = nothing counts",
        ),
        Column(
            "incrementing_score",
            "float32",
            "How surely the text counts: the share that copying and counting foretell, less what is new.",
            range=f"[0, 1], incrementing from {INCREMENTING_THRESHOLD}",
        ),
        Column(
            "repeating_score",
            "float32",
            "How surely the text says the same again: the share that equals what stands a period before, less what is"
            " new.",
            range=f"[0, 1], repeating from {REPEATING_THRESHOLD}",
        ),
    ),
    find=find,
)
