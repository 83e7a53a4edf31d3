"""Handles: the names under which people write in chats, forums and social networks."""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches
from metrics.gazetteer import ordinary_words

_NAME = r"[A-Za-z0-9_`|^\[\]{}\\-]{2,24}"
# `<nick> text`, with or without a time before it, as logs of chats are written.
_CHAT_LINE = re.compile(rf"(?:^|\n)(?:\[?[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}})?\]?[ \t])?<[ @+%]?({_NAME})>[ \t]")
_FEWEST_CHAT_LINES = 2
_LEVELS = frozenset("trace debug info notice warn warning error fatal critical alert emerg".split())  # of a log's lines
_CODE_POINT = re.compile(r"U[0-9A-Fa-f]{4,8}")  # as tables of characters name them: `<U0041>`
_TAGS = frozenset(
    """a abbr address article aside b big blockquote body br button canvas caption center cite code col dd del div dl
    dt em fieldset figcaption figure font footer form frame h1 h2 h3 h4 h5 h6 head header hr html i iframe img
    input ins label legend li link main map menu meta nav object ol option p param path pre q rect s samp script
    section select small span strike strong style sub summary sup svg table tbody td textarea tfoot th thead time
    title tr track tt u ul var video""".split()
)
# Threads of forums in plain text: a rule of signs after an empty line, then the writer's name alone on a line.
_POST = re.compile(r"\n\n(?:-{6}|~{3})\n([A-Za-z0-9_-]{2,24})\n(?=[A-Z\"'(>*\[][^\n]{0,200} )")
_MENTION = re.compile(
    r"(?:\bRT|\bvia|\bcc|[Ff]ollow(?: me)?:?|[Tt]witter:?|[Ii]nstagram:?) @([A-Za-z0-9_]{2,24})", re.ASCII
)
_REPLY = re.compile(r"(?:^|\n)@([A-Za-z0-9_]{2,24}):? [A-Z“\"]")
_FIELD = re.compile(
    r"(?<![A-Za-z])(?:nick(?:name)?|screen ?name|skype|icq|aim)[ \t]{0,2}:[ \t]{0,4}@?"
    r"([A-Za-z0-9][A-Za-z0-9_.-]{2,31})(?![A-Za-z0-9(=])",
    re.IGNORECASE | re.ASCII,
)
_PROFILE = re.compile(
    r"(?<![A-Za-z])(?:blogger\.com/profile/|linkedin\.com/in/|facebook\.com/profile\.php\?id=|plus\.google\.com/)([A-Za-z0-9-]{4,40})"
)


def find_handles(text: str) -> Iterator[Span]:
    """Handles, type `HANDLE`: 0.6 where a log or thread names its writers, 0.5 in a field or link, 0.4 in a mention."""
    if "<" in text:
        lines = [match for match in first_matches(_CHAT_LINE, text) if _is_nick(match.group(1))]
        if len(lines) >= _FEWEST_CHAT_LINES and "</" not in text:
            for match in lines:
                yield Span("HANDLE", *match.span(1), 0.6, "writer of a line in a chat")
    if "\n\n---" in text or "\n\n~~~" in text:
        for match in first_matches(_POST, text):
            yield Span("HANDLE", *match.span(1), 0.6, "writer of a post in a thread")
    if "@" in text:
        for pattern in (_MENTION, _REPLY):
            for match in first_matches(pattern, text):
                yield Span("HANDLE", *match.span(1), 0.4, "mention in a social network")
    for match in first_matches(_FIELD, text):
        if match.group(1).rstrip(".-").lower() not in ordinary_words():  # `Aim: This study ...`, `nickname: String`
            yield Span("HANDLE", *match.span(1), 0.5, "value of a field for a handle")
    if ".com/" in text:
        for match in first_matches(_PROFILE, text):
            yield Span("HANDLE", *match.span(1), 0.5, "link to a person's profile")


def _is_nick(name: str) -> bool:
    """Whether what stands in angle brackets is no tag of HTML, no level of a log and no character's number."""
    return name.lower() not in _TAGS | _LEVELS and not _CODE_POINT.fullmatch(name)
