"""Dates of birth: a full date after a word for birth."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)"
)
_DATE = (
    rf"(?:[0-9]{{1,4}}[-/.][0-9]{{1,2}}[-/.][0-9]{{1,4}}|{_MONTH}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}|"
    rf"[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? [0-9]{{4}})(?![0-9])"
)
_FIELD = re.compile(
    rf"(?<![A-Za-z])(?:date of birth|birth[ _-]?da(?:te|y)|d\.?o\.?b\.?)[^A-Za-z0-9]{{1,6}}(?:is |was )?({_DATE})",
    re.IGNORECASE | re.ASCII,
)
_LONG_AGO = re.compile(r"(?<![0-9])1[0-8][0-9]{2}(?![0-9])")
# What is born without being a person, right before the word.
_THING = re.compile(
    r"(?<![A-Za-z])(?:cars?|automobile|vehicle|truck|engine|train|aircraft|airplane|plane|ships?|boat|vessel|compan(?:y|ies)|"
    r"firm|business|brand|label|bank|shop|store|club|team|band|orchestra|group|movement|party|union|league|nation|country|"
    r"republic|state|kingdom|city|town|village|church|school|university|college|magazine|newspaper|journal|website|site|"
    r"network|internet|web|project|product|model|idea|concept|plan|game|show|series|festival|language|software|horse|"
    r"mare|stallion|foal|colt|filly|dog|puppy|puppies|cat|kittens?|panda|elephant|it|"
    r"(?:inc|ltd|llc|corp|corporation|gmbh)\.?) (?:(?:was|were|had been|is) )?\Z",
    re.IGNORECASE | re.ASCII,
)
_OF_THING = re.compile(
    r"(?<![A-Za-z])(?:of|from|in|at|for|to|by|with|on|near) (?:[a-z'’]{1,24} ){0,2}\Z", re.IGNORECASE
)
_THING_REACH = 32  # characters
_BORN = re.compile(rf"(?<![A-Za-z])born(?: on)? ({_DATE})", re.IGNORECASE | re.ASCII)


def find_dates_of_birth(text: str) -> Iterator[Span]:
    """Dates of birth, type `DATE_OF_BIRTH`; the span is the date.

    A date in brackets after a name ("(born 3 May 1960)") is how reference works introduce people known to the
    public; it scores 0.4. Whoever was born before 1900 is history; companies, ships and animals are nobody.
    """
    for match in _FIELD.finditer(text):
        yield Span("DATE_OF_BIRTH", *match.span(1), 0.8, "date in a field for the date of birth")
    for match in _BORN.finditer(text):
        if _LONG_AGO.search(match.group(1)):
            continue  # nobody alive
        thing = _THING.search(text, max(0, match.start() - _THING_REACH), match.start())
        if thing and not _OF_THING.search(text, max(0, thing.start() - _THING_REACH), thing.start()):
            continue
        bracket = text[max(0, match.start() - 1) : match.start()] == "("
        why = "date of birth in brackets, as in reference works" if bracket else "date after a word for birth"
        yield Span("DATE_OF_BIRTH", *match.span(1), 0.4 if bracket else 0.7, why)
