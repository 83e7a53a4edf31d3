"""Telephone numbers: shapes that people write, checked against the numbering plans of the phonenumbers library."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches

_EXTENSION = r"(?:[ ,]{0,2}(?:x|ext\.?|extension)[ ]?[0-9]{1,6})?"
_BEFORE = r"(?<![A-Za-z0-9_$€£#/=])(?<![0-9][.,-])"
_AFTER = r"(?![A-Za-z0-9_%/]|[.,-][0-9])"
_INTERNATIONAL = re.compile(
    rf"{_BEFORE}(?:\+[1-9][0-9]{{0,2}}[ .-]?|00[1-9][0-9]{{0,2}}[ .-])"
    rf"(?:\([0-9]{{1,4}}\)[ .-]?)?[0-9]{{1,12}}(?:[ .-][0-9]{{2,8}}){{0,5}}{_EXTENSION}{_AFTER}|"
    rf"{_BEFORE}00[1-9][0-9]{{8,13}}{_AFTER}"  # in one run of digits
)
_NORTH_AMERICAN = re.compile(
    rf"{_BEFORE}(?:(?:\+?1|001)[ .-]?)?(?:\([2-9][0-9]{{2}}\)[ .-]?|[2-9][0-9]{{2}}[ .-])[2-9][0-9]{{2}}[ .-][0-9]{{4}}"
    rf"{_EXTENSION}{_AFTER}"
)
# Text taken from tables of web pages runs cells together: a name, and right behind it the number.
_RUN_ON = re.compile(r"(?<=[A-Za-z])[2-9][0-9]{2}-[2-9][0-9]{2}-[0-9]{4}(?![0-9-])")
_NUMBER = rf"\+?\(?[0-9][0-9 ().-]{{5,18}}[0-9]{_EXTENSION}"
# Some of the words have other meanings: the journal Cell, pH, a desk of 120 by 60. They name a number only with a sign
# or word in between, or if the number is assigned. In the name of an article (`10.1016/j.cell.`) none of them does.
_WORD_BEFORE = re.compile(
    r"(?<![A-Za-z./])(?:telephone|tel|phone|(?P<vague>fax|mobile|cell|desk|pager|ph|dial|call)|cellphone|voicemail|whatsapp|"
    r"sms|hotline|(?:call|text|ring|reach|answering|messages?)(?: (?:me|us|him|her|them))?(?: (?:at|on|to))|reached at)"
    rf"(?P<link>(?:[ ]?(?:no|number|nr|#))?(?: is)?[ \t\n.:)=\"']{{1,5}})(?P<number>{_NUMBER}){_AFTER}",
    re.IGNORECASE | re.ASCII,
)
_WORD_AFTER = re.compile(
    rf"{_BEFORE}(?P<number>{_NUMBER})(?=[ \t]{{0,2}}[-(]{{0,2}}"
    r"(?:office|fax|mobile|cell|home|work|phone|voice|pager|direct)(?![a-z]))",
    re.IGNORECASE | re.ASCII,
)
# How people write a number that no numbering plan vouches for: groups of two digits or more with the same sign between
# them, the first maybe in brackets. Decimals in a row, single digits, seasons, and years in brackets are other numbers.
_WRITTEN = re.compile(
    rf"(?!(?:19|20)[0-9]{{2}}[ .-](?:19|20)[0-9]{{2}})\+?(?:[0-9]{{1,3}}[ .-]?)?"
    rf"(?:\((?!(?:19|20)[0-9]{{2}}\))[0-9]{{1,5}}\)[ .-]?)?"
    rf"[0-9]{{2,11}}(?:(?P<sign>[ .-])[0-9]{{2,8}}(?:(?P=sign)[0-9]{{2,8}}){{0,4}})?{_EXTENSION}",
    re.IGNORECASE,
)
# The groups of ten digits, with or without the 1 before them: `2012-2013-14` has as many, and is none.
_GROUPS = frozenset(((10,), (11,), (3, 3, 4), (1, 3, 3, 4), (3, 7), (1, 3, 7), (1, 10), (6, 4), (1, 6, 4)))
_AFTERWARDS = re.compile(r"office|fax|mobile|cell|home|work|phone|voice|pager|direct", re.IGNORECASE | re.ASCII)
# What numbers things: beside a sign or word for a number, or alone if the word means hardly anything else.
_THING = re.compile(
    r"(?<![A-Za-z])(?:(?:part|item|product|model|catalog(?:ue)?|stock|order|invoice|serial|batch|lot|ticket|tracking|"
    r"case|docket|drawing|form|ref|reference|version)"
    r"(?: ?[:#]| ?(?:no|nr|num|number|id|code)\.?)|p/n|s/n|sku|isbn|upc|ean|part|model|serial|invoice|order)"
    r"(?: is)?[ \t:#]{1,3}\Z",
    re.IGNORECASE | re.ASCII,
)
_THING_REACH = 40  # characters
_FIGURES = re.compile(r"[0-9][0-9.,%]*(?:[ \t]{1,8}[0-9][0-9.,%]*){2,24}")
_NO_FIGURES = re.compile(
    r"(?:[0-9]{5}[ \t]{1,8})?(?:1 )?[0-9]{3} [0-9]{3} [0-9]{4}|[0-9]{4}(?: [0-9]{4}){3}|0[0-9]{1,4}(?: [0-9]{2,8}){2,5}"
)
_ROW = 100  # characters before and after a number that are looked at for rows of figures
_FICTIONAL = re.compile(r"555[^0-9]{0,2}(?:01[0-9]{2}|1212)(?![0-9])")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15
_DIGIT_RUN = re.compile(r"[0-9][0-9 ().-]{5}")


def find_phone_numbers(text: str) -> Iterator[Span]:
    """Telephone numbers, type `PHONE`.

    The score is 0.85 for a number that is assigned in its numbering plan. Otherwise it is 0.65 beside a word for
    telephone, 0.6 for a possible North American number in a shape that hardly anything else has, and 0.4 for other
    international ones. Numbers reserved for fiction (555-01xx) are left out.
    """
    if not _DIGIT_RUN.search(text):
        return
    for pattern in (_WORD_BEFORE, _WORD_AFTER) if _AFTERWARDS.search(text) else (_WORD_BEFORE,):
        for match in first_matches(pattern, text):
            vague = pattern is _WORD_BEFORE and match["vague"] and not match["link"].strip(" \t\n.")
            possible = 0.65 if not vague and _WRITTEN.fullmatch(match["number"]) else 0.0
            yield from _checked(match["number"], match.start("number"), "number beside a word for telephone", possible)
    for match in first_matches(_NORTH_AMERICAN, text):
        if _numbers_a_thing(text, match.start()):
            continue
        # Digits in groups of three, three and four with mere spaces between them are found in tables of numbers, too.
        distinct = any(sign in match.group() for sign in "(-.")
        if not distinct and _among_figures(text, match.start(), match.end()):
            continue
        yield from _checked(match.group(), match.start(), "North American number", 0.6 if distinct else 0.0)
    for match in first_matches(_RUN_ON, text):
        yield from _checked(match.group(), match.start(), "North American number behind a word", 0.0)
    if "+" in text or "00" in text:
        for match in first_matches(_INTERNATIONAL, text):
            if _numbers_a_thing(text, match.start()):
                continue
            score = 0.4 if match.group()[0] == "+" else 0.0
            yield from _checked(match.group(), match.start(), "international number", score)


def _numbers_a_thing(text: str, start: int) -> bool:
    """Whether a word for the numbers of parts, orders, books ... stands right before a number."""
    return bool(_THING.search(text, max(0, start - _THING_REACH), start))


def _among_figures(text: str, start: int, end: int) -> bool:
    """Whether a row of three figures or more, other than a telephone's or card's, is on a number's line or beside it.

    Of a long line only the 100 characters before and after are looked at.
    """
    above = text[max(0, start - _ROW) : start].rsplit("\n", 2)[-2:]
    below = text[end : end + _ROW].split("\n", 2)[:2]
    lines = "\n".join(above) + text[start:end] + "\n".join(below)
    return any(not _NO_FIGURES.fullmatch(row.group()) for row in _FIGURES.finditer(lines))


def _checked(number: str, start: int, why: str, possible: float) -> Iterator[Span]:
    """The number as a span, if its numbering plan has it; with score `possible` (0: not at all) if it only could."""
    import phonenumbers

    digits = sum(character.isdigit() for character in re.split(r"[xe]", number)[0])
    if _FICTIONAL.search(number) or not _FEWEST_DIGITS <= digits <= _MOST_DIGITS:
        return
    try:
        parsed = phonenumbers.parse("+" + number[2:] if number.startswith("00") else number, "US")
    except phonenumbers.NumberParseException:
        return
    american = parsed.country_code == 1 and number[0] != "+" and not number.startswith("00")
    groups = tuple(map(len, re.findall(r"[0-9]+", re.split(r"[ ,]{0,2}[xe]", number, flags=re.IGNORECASE)[0])))
    if phonenumbers.is_valid_number(parsed) and not (american and groups not in _GROUPS):
        yield Span("PHONE", start, start + len(number), 0.85, f"{why}, assigned in its numbering plan")
    elif possible and (possible > 0.6 or phonenumbers.is_possible_number(parsed)):
        yield Span("PHONE", start, start + len(number), possible, f"{why}, of possible length")
