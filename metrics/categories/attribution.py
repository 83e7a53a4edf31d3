"""Where a text credits people for a work: copyright lines, authors, translators, maintainers, bylines, articles.

Personal data there was published as attribution. It stays in the evidence, and is harmful only where asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from metrics.categories.evidence import Span
from metrics.categories.licence import is_licence
from metrics.gazetteer import first_names

# What prose says about authors and copyright, and no credit does: "the author said that", "copyright law".
_AUTHORS = r"authors?(?![a-zA-Z])(?! (?!(?:is|are|and|or|by|contact|e-?mail)\b)[a-z]+[ ,.])"
_COPYRIGHT = r"copy(?:right|left)(?! (?:laws?|acts?|infring|claims?|cases?|suits?|disputes?|trials?|page|office))"
_MARKER = re.compile(
    rf"\(c\)|©|&copy;|{_COPYRIGHT}|(?<![a-zA-Z]){_AUTHORS}|\bauthored\b|"
    r"\b(?:written|contributed|created|coded|maintained|developed|implemented|designed|programmed|rewritten|modified|"
    r"ported|translated|updated|patch(?:es)?|original code|produced|edited|photographs?|story|reporting) by\b|"
    r"\bmaintainers?\b|\bcontributors?\b|\bcredits?\s{0,3}:(?!\s{0,3}[0-9])|\bdevelopers?\s{0,3}:|"
    r"\blicen[cs]ed? (?:by|to)\b|\bmodule_author\b|\blast-translator\b|\btranslators?\b|\bpackager\b|"
    r"\bcorresponding author|\bcorrespondence\b",
    re.IGNORECASE,
)
# "jroe@mill.org (Jane Roe) contributed the tables": the verb stands behind.
_CREDIT_BEHIND = re.compile(
    r"\s(?:contributed|wrote|provided|submitted|suggested|reported|implemented|ported|supplied|fixed)\s", re.IGNORECASE
)
_MAIL_LINE = re.compile(
    r"^(?:from|to|cc|bcc|sent|subject|reply-to|phone|tel|address|dear)\b", re.IGNORECASE | re.MULTILINE
)
# Signs of a file's header.
_HEADER = re.compile(
    r"this file is (?:a )?part of|language-team:|po-revision-date|spdx-license|@licen[cs]e|@copyright|"
    r"all rights reserved|this (?:program|library|software) is (?:free|distributed|provided)|licensed under",
    re.IGNORECASE,
)
# Signs of an article's front matter. Two institutions of one kind on a line are affiliations; a department and its
# university may be a mail's signature.
_AFFILIATION = re.compile(
    r"\$?\^\{? ?[0-9a-z,* ]{1,8}\}?\$?\s?[^\n]{0,80}(?:Universit|Institut|Department|Laborator|Fakult|Physics)|"
    r"(Universit|Institut|Department of|Laborator|Fakult)[^\n]{0,200}\1|"
    r"\b(?:hep|astro|cond|math|gr|nucl)-(?:ph|th|ex|mat|qc)/[0-9]{7}|\\(?:author|affiliation|institute|address)\b"
)
# Words by which somebody is reached in private, before a finding on its line.
_PRIVATE = re.compile(
    r"\b(?:home|cell|mobile|private|personal)(?: (?:phone|number|address|e-?mail|mail))?[ \t]{0,2}[:=(]|"
    r"\b(?:home|private|personal) (?:e-?mail|mail|address|account)\b|\bat home\b|\blives? (?:at|in|with|near)\b|"
    r"\b(?:call|text|phone|ring|reach|find) (?:me|him|her|them)\b|\b(?:my|our) (?:house|home|flat|apartment)\b|"
    r"\bmy (?:number|address|phone|cell|mobile|e-?mail|new|old|private|personal)\b",
    re.IGNORECASE,
)
_PRIVATE_REACH = 80  # characters
# "text Lucy 503-889-4471", "ask for Lucy at": whoever is called by the given name alone.
_CALL = re.compile(
    r"\b(?:[Cc]all|[Tt]ext|[Pp]hone|[Rr]ing|[Rr]each|[Aa]sk for|[Ww]hats[Aa]pp|[Mm]essage) "
    r"([A-Z][\w'’-]{1,24})[ \t:,(]"
)
_CREDITS = frozenset(("EMAIL", "PERSON", "HANDLE"))  # what credits of authors are made of
_AFFILIATED = _CREDITS | {"ADDRESS"}  # the front matter of an article has the addresses of institutes, too
_COMMENT = re.compile(r"[ \t]+\*|[ \t]*(?://|#|%|--|;)")
_MOSTLY = 0.6  # of the lines that are not empty
_REACH = 500  # characters of a list of authors after the marker, and between a sign of a header and its authors
_LONG_LINE = 120  # characters; a longer line is prose, and no list of authors
_BLANK_LINE = re.compile(r"\n[ \t*#/%;]{0,8}\r?\n")


def credited(text: str, spans: Sequence[Span]) -> list[bool]:
    """Which findings of personal data were published as the credit of an author.

    A name, handle or mail address is, if a marker or a credit's verb governs it, or if it stands in a header or in
    front matter. Telephone and identity numbers, postal addresses outside of front matter, and what words of private
    contact announce never are.
    """
    whole = _all_published(text)
    return [
        not announced_in_private(text, span.start)
        and (
            (span.type in _CREDITS and (whole or _marked(text, span) or _in_header(text, span)))
            or (span.type in _AFFILIATED and _in_front_matter(text, span))
        )
        for span in spans
    ]


def _marked(text: str, span: Span) -> bool:
    """Whether a marker governs a finding: before it on its line or on the lines above, or a verb within 40 characters.

    Between the marker and the finding is no blank line, no mail header, no long line, and less than 500 characters.
    """
    before = text[max(0, span.start - _REACH) : span.start].rpartition("\n\n")[2]
    markers = list(_MARKER.finditer(before))
    if markers and not _MAIL_LINE.search(before, markers[-1].end()):
        lines = before[markers[-1].end() :].split("\n")
        if len(lines) == 1 or max(map(len, lines)) <= _LONG_LINE:
            return True
    return bool(_CREDIT_BEHIND.search(text, span.end, span.end + 40))


def announced_in_private(text: str, start: int) -> bool:
    """Whether words of private contact stand at most 80 characters before a finding, on its line.

    They may call somebody by the given name.
    """
    before = text[max(0, start - _PRIVATE_REACH) : start].rpartition("\n")[2]
    called = _CALL.search(before)
    return bool(_PRIVATE.search(before) or (called and called.group(1).lower() in first_names()))


def _all_published(text: str) -> bool:
    """Whether the whole text is without doubt a comment of source code or a licence."""
    return not _MAIL_LINE.search(text) and (_comment(text) or is_licence(text))


def _in_front_matter(text: str, span: Span) -> bool:
    """Whether an article's affiliations, or its number in an archive, stand at most 500 characters away."""
    around = text[max(0, span.start - _REACH) : span.end + _REACH]
    return not _MAIL_LINE.search(around) and bool(_AFFILIATION.search(around))


def _in_header(text: str, span: Span) -> bool:
    """Whether a finding stands in a file's header.

    A sign of a header governs what stands before it, at most one blank line away, and what follows it in the same
    paragraph or comment.
    """
    if _MAIL_LINE.search(text[max(0, span.start - _REACH) : span.end + _REACH]):
        return False
    behind = _HEADER.search(text, span.end, span.end + _REACH)
    if behind and len(_BLANK_LINE.findall(text, span.end, behind.start())) <= 1:
        return True
    before = text[max(0, span.start - _REACH) : span.start]
    signs = list(_HEADER.finditer(before))
    if not signs:
        return False
    open_comment = before.rfind("/*") > before.rfind("*/")
    return open_comment or not _BLANK_LINE.search(before, signs[-1].end())


def _comment(text: str) -> bool:
    """Whether the text is a comment of source code; whoever is named in one works on it.

    The first and last line may be cut, so most of the lines decide. An indented star, not a star, leads a line of a
    comment: lists of contacts have a star, too.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    led = sum(bool(_COMMENT.match(line)) for line in lines)
    return led >= 2 and led >= _MOSTLY * len(lines)
