"""People's names: patterns of the text around them, and a gazetteer of given and family names.

A name in a position where mails, letters and contact records put names is a finding. A name somewhere in prose
(an author cited, a person in the news) is one only to be masked: it scores below `LIKELY`, because a gazetteer alone
is right about half of the time and because a mention is not a leak.
"""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches
from metrics.gazetteer import first_names, last_names, ordinary_words

_WORD = r"[^\W\d_a-z][\w'’-]{1,24}"
_MIDDLE = rf"(?:{_WORD}|[A-Z]\.|[A-Z]\b|(?:van|von|de|der|den|da|di|du|del|la|le|bin|al|el|ter)(?=[ \t]))"
_FULL = rf"{_WORD}(?:[ \t]{_MIDDLE}){{1,3}}"
_ANY = rf"{_WORD}(?:[ \t]{_MIDDLE}){{0,3}}"
_JOINED = r"[^\W\d_a-z][^\W\d_]{1,24}[_.](?:[A-Z][_.])?[^\W\d_a-z][^\W\d_]{1,24}"
_LABEL = (
    r"(?:From|To|Cc|CC|Bcc|Sent by|Reply-To|Attn|Attention|Name|Full [Nn]ame|First [Nn]ame|Last [Nn]ame|Surname|"
    r"Contact|Contact [Pp]erson|Customer|Client|Patient|Employee|Student|Applicant|Recipient|Sender|"
    r"Ship to|Bill to|Sold to|Deliver to)"
)
_CLOSING = (
    r"(?:Sincerely|Yours|Yours truly|Yours sincerely|Yours faithfully|Best regards|Kind regards|Warm regards|Regards|"
    r"Best wishes|Best|Thanks|Thank you|Many thanks|Thanks again|Cheers|Respectfully|Cordially|Love|Take care)"
)
_FAREWELL = r"(?:[Ss]incerely|[Ff]aithfully|[Rr]egards|[Ww]ishes|Cheers)"  # ends a letter without a comma, too
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Dr|Prof|Professor)"
_TRAILER = r"(?:Signed-off|Reviewed|Acked|Tested|Reported|Suggested|Co-authored)-by"
_START = r"(?:^|\n)[> \t]{0,6}"
# A mailbox in brackets; the end of the text may cut it off.
_SPACE = r"[ \t\r\n\f\v]"  # in ASCII: the prefilter knows no other
_MAILBOX = (
    r"[<(\[][^<>()\[\]@ \t\r\n\f\v]{0,63}[A-Za-z0-9_.+'-]@"
    r"(?=[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.[A-Za-z0-9]|[a-z0-9-]{0,63}\.?[a-z]{0,3}\Z)"
)
_THANKS = r"(?:Many thanks|Thanks|Thank you)[^\n,]{0,60}"
_END = r"[ \t]{0,3}(?=\r?\n|\Z)"
# (what the pattern is called, what must be in the text for it to be tried, the pattern, its score)
_CONTEXTS: tuple[tuple[str, str, re.Pattern[str], float], ...] = tuple(
    (why, literal, re.compile(pattern), score)
    for why, literal, pattern, score in (
        ("name before a mail address", "@", rf"(?P<name>{_ANY})[\"']?{_SPACE}{{0,2}}{_MAILBOX}", 0.85),
        ("name in a header or field", ":", rf"\b{_LABEL}{_SPACE}?:[ \t]{{0,8}}\"?(?P<name>{_FULL})", 0.75),
        ("salutation", "Dear ", rf"\bDear (?:{_TITLE}\.? )?(?P<name>{_ANY})[,:;\n]", 0.75),
        ("salutation with a title", ",", rf"{_START}(?:To|Hi|Hello) {_TITLE}\.? (?P<name>{_ANY})[,:]{_END}", 0.75),
        ("greeting", "H", rf"{_START}(?:Hi|Hello|Hey),? (?P<name>{_ANY})[,!:]?{_END}", 0.7),
        ("closing line", ",", rf"\b{_CLOSING},{_SPACE}{{1,8}}[> ]{{0,4}}(?P<name>{_ANY})(?={_SPACE}|$)", 0.7),
        ("closing above a name", "\n", rf"\b{_FAREWELL}[ \t]{{0,3}}\r?\n[ \t\r\n]{{0,6}}(?P<name>{_ANY}){_END}", 0.7),
        ("thanks at the end", "hank", rf"{_START}{_THANKS}{_SPACE}{{1,6}}(?P<name>{_ANY}){_END}", 0.7),
        ("commit trailer", "-by:", rf"\b{_TRAILER}:[ \t]{{0,4}}(?P<name>{_ANY})", 0.8),
        ("mail directory name", "/", rf"(?P<name>{_FULL})/[A-Z]{{2,5}}/[A-Z][A-Za-z]{{1,8}}\b", 0.85),
        ("mail directory name", "@", rf"(?P<name>{_FULL})/[A-Za-z]{{2,12}}/[A-Z][A-Za-z]{{1,8}}@[A-Z]", 0.85),
        ("mail directory account", "/", rf"(?<!\w)(?P<name>{_JOINED})/[A-Z]{{2,5}}/[A-Z][A-Za-z]{{1,8}}\b", 0.85),
        ("mail directory entry", "</", rf"(?P<name>(?:{_WORD},[ \t])?{_ANY})[\"']?[ \t]{{0,2}}</[oO]=[A-Za-z]", 0.85),
        ("forwarded mail", "orwarded by", rf"\b[Ff]orwarded by[ \t]{{1,4}}(?P<name>{_FULL})", 0.8),
        ("person to turn to", "ontact", rf"\b[Cc]ontact[ \t][\"“]?(?P<name>{_FULL})", 0.6),
        ("title", ". ", rf"\b{_TITLE}\. (?P<name>{_ANY})", 0.4),
    )
)
# Fields name programs and places, too, and what follows a greeting or the word "contact" may be anybody.
_NEEDS_GIVEN_NAME = frozenset(
    (
        "name in a header or field",
        "greeting",
        "closing above a name",
        "thanks at the end",
        "person to turn to",
        "mail directory account",
    )
)
# The double space, sign or tab after it is a column's end; an index or a list of references has none there.
_LAST_FIRST = re.compile(
    rf"(?m)^[ \t]{{0,8}}(?P<name>(?P<last>{_WORD}),[ \t](?P<first>{_WORD})(?:[ \t][A-Z]\.?)?)"
    r"(?=[ \t]{2}|[;<(|\t])"
)
# "Love, Simon is a film": the name behind a closing on its own line ends it, or what was a line of its own follows.
_GOES_ON = re.compile(r"[ \t](?!sent\b|from\b|xo|p\.?s\b)[a-z]{2,}")
# Programs that are spoken to as people are. Alexa is a name, too, but few letters to her begin so.
_ASSISTANT = re.compile(r"[> \t\n]{0,8}(?:(?:Hi|Hey|Hello),? (?:Siri|Google|Cortana|Bixby)|Hey,? Alexa)\b")
_PAIR = re.compile(rf"\b(?P<first>{_WORD})[ \t](?:[A-Z]\.?[ \t])?(?P<last>{_WORD})")
_PARTS = re.compile(r"[ \t.,_-]+")
_NOBODY = frozenset(
    """sir madam sirs all customer customers editor friend friends team colleague colleagues reader readers user
    users member members lord god santa applicant students student parents everyone everybody folks guys list the
    diary hiring management grandma grandpa mom mum dad world community developers""".split()
)
_ORGANISATION = re.compile(
    r"\b(?:Inc|Ltd|LLC|Corp|Corporation|Company|Co|GmbH|Foundation|Team|Group|University|Institute|Project|Contributors|Authors|"
    r"Software|Systems|Committee|Society|Association|Department|Support|Service|Services)\b"
)


def find_names(text: str) -> list[Span]:
    """The people's names in a text, type `PERSON`: those in a context first, then those in prose, which score 0.45."""
    spans = []
    for why, literal, pattern, score in _CONTEXTS:
        if literal not in text:
            continue
        for match in first_matches(pattern, text):
            name = match["name"]
            leading = _PARTS.split(name, maxsplit=1)[0].lower()
            if _ORGANISATION.search(name) or leading in _NOBODY:
                continue
            if why == "closing line" and "\n" not in match.group() and _GOES_ON.match(text, match.end()):
                continue
            if why == "greeting" and _ASSISTANT.match(match.group()):
                continue
            if _could_be_name(name):
                sure = why not in _NEEDS_GIVEN_NAME or leading in first_names()
                spans.append(Span("PERSON", *match.span("name"), score if sure else 0.45, why))
    first, last = first_names(), last_names()
    if "," in text:
        for match in first_matches(_LAST_FIRST, text):
            if match["first"].lower() in first and not _ordinary(match["last"]):
                spans.append(Span("PERSON", *match.span("name"), 0.6, "last name, first name at the start of a line"))
    for match in first_matches(_PAIR, text):
        given, family = match["first"].lower(), match["last"].lower()
        if given in first and not _ordinary(given) and (family in last or not _ordinary(family)):
            spans.append(Span("PERSON", match.start(), match.end(), 0.45, "given and family name of the gazetteer"))
    return spans


def _ordinary(word: str) -> bool:
    return word.lower() in ordinary_words()


def _could_be_name(name: str) -> bool:
    """Whether at least one word of the candidate is a known name or no ordinary word."""
    return any(
        word.lower() in first_names() or word.lower() in last_names() or not _ordinary(word)
        for word in _PARTS.split(name)
        if len(word) >= 2
    )
