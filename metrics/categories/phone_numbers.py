"""Telephone numbers: shapes that people write, checked against the numbering plans of the phonenumbers library."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span

_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|extension)[ ]?\d{1,6})?"
_BEFORE = r"(?<![\w$€£#/=])(?<!\d[.,-])"
_AFTER = r"(?![\w%/]|[.,-]\d)"
_INTERNATIONAL = re.compile(
    rf"{_BEFORE}(?:\+|00)[1-9]\d{{0,2}}[ .-]?(?:\(\d{{1,4}}\)[ .-]?)?\d{{1,5}}(?:[ .-]\d{{2,5}}){{0,5}}"
    rf"{_EXTENSION}{_AFTER}"
)
_NORTH_AMERICAN = re.compile(
    rf"{_BEFORE}(?:(?:\+?1|001)[ .-]?)?(?:\([2-9]\d\d\)[ .-]?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{{4}}{_EXTENSION}{_AFTER}"
)
_LABELLED = re.compile(
    r"\b(?:telephone|tel|phone|fax|mobile|cell|cellphone|call(?: me)?(?: at| on)?|ph|whatsapp|sms|hotline|number is|"
    r"dial|reach(?:ed)? at)\b"
    rf"(?:\s?(?:no|number|nr|#))?[\s.:)=\"']{{1,5}}(?P<number>\+?\(?\d[\d ().-]{{5,18}}\d{_EXTENSION}){_AFTER}",
    re.IGNORECASE,
)
_FICTIONAL = re.compile(r"555\D{0,2}(?:01\d\d|1212)\b")


def find_phone_numbers(text: str) -> Iterator[Span]:
    """Telephone numbers, type `PHONE`.

    The score is 0.85 for a number that is assigned in its numbering plan, 0.6 for one of possible length in a shape
    that hardly anything else has or after a word for telephone. Numbers reserved for fiction (555-01xx) are left out.
    """
    for match in _LABELLED.finditer(text):
        yield from _checked(match["number"], match.start("number"), "number after a word for telephone", 0.65)
    for match in _NORTH_AMERICAN.finditer(text):
        yield from _checked(match.group(), match.start(), "North American number", 0.6)
    if "+" in text or "00" in text:
        for match in _INTERNATIONAL.finditer(text):
            yield from _checked(match.group(), match.start(), "international number", 0.4)


def _checked(number: str, start: int, why: str, score: float) -> Iterator[Span]:
    import phonenumbers

    if _FICTIONAL.search(number):
        return
    try:
        parsed = phonenumbers.parse("+" + number[2:] if number.startswith("00") and why[0] == "i" else number, "US")
    except phonenumbers.NumberParseException:
        return
    if phonenumbers.is_valid_number(parsed):
        yield Span("PHONE", start, start + len(number), 0.85, f"{why}, assigned in its numbering plan")
    elif phonenumbers.is_possible_number(parsed) or score > 0.6:
        yield Span("PHONE", start, start + len(number), score, f"{why}, of possible length")
