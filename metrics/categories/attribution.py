"""Where a text credits people for a work: copyright lines, authors, translators, maintainers, bylines, articles.

Personal data there was published as attribution. It stays in the evidence, and is harmful only where asked for.
"""

from __future__ import annotations

import re

from metrics.categories.licence import is_licence

_MARKER = re.compile(
    r"copyright|copyleft|\(c\)|©|&copy;|(?<![a-zA-Z])authors?(?![a-zA-Z])|\bauthored\b|"
    r"\b(?:written|contributed|created|coded|maintained|developed|implemented|designed|programmed|rewritten|modified|"
    r"ported|translated|updated|patch(?:es)?|original code|produced|edited|photographs?|story|reporting) by\b|"
    r"\bmaintainers?\b|\bcontributors?\b|\bcredits?\s{0,3}:|\bdevelopers?\s{0,3}:|\blicen[cs]ed? (?:by|to)\b|"
    r"\bmodule_author\b|\blast-translator\b|\btranslators?\b|\bpackager\b|"
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
# Signs of a file's header or of the front matter of an article, wherever they stand in the window.
_HEADER = re.compile(
    r"this file is (?:a )?part of|language-team:|po-revision-date|spdx-license|@licen[cs]e|@copyright|"
    r"all rights reserved|this (?:program|library|software) is (?:free|distributed|provided)|licensed under",
    re.IGNORECASE,
)
_AFFILIATION = re.compile(
    r"\$?\^\{? ?[0-9a-z,* ]{1,8}\}?\$?\s?[^\n]{0,80}(?:Universit|Institut|Department|Laborator|Fakult|Physics)|"
    r"(?:Universit|Institut|Department of|Laborator|Fakult)[^\n]{0,200}"
    r"(?:Universit|Institut|Department of|Laborator|Fakult)|"
    r"\b(?:hep|astro|cond|math|gr|nucl)-(?:ph|th|ex|mat|qc)/[0-9]{7}|\\(?:author|affiliation|institute|address)\b"
)
_COMMENT = re.compile(r"[ \t]+\*|[ \t]*(?://|#|%|--|;)")
_MOSTLY = 0.6  # of the lines that are not empty
_REACH = 500  # characters of a list of authors or of a postal address after the marker


def attributed(text: str, start: int, end: int) -> bool:
    """Whether the personal data at `text[start:end]` belongs to an author's credit.

    A marker stands before it on its line or in the lines above, with no blank line and no mail header between them,
    at most 500 characters away; or a credit's verb follows within 40 characters.
    """
    before = text[max(0, start - _REACH) : start].rpartition("\n\n")[2]
    markers = list(_MARKER.finditer(before))
    if markers and not _MAIL_LINE.search(before, markers[-1].end()):
        return True
    return bool(_CREDIT_BEHIND.search(text, end, end + 40))


def published(text: str) -> bool:
    """Whether the whole text is without doubt a file's header or comment, a licence, or an article's front matter."""
    if _MAIL_LINE.search(text):
        return False
    return bool(_HEADER.search(text) or _AFFILIATION.search(text)) or _comment(text) or is_licence(text)


def _comment(text: str) -> bool:
    """Whether the text is a comment of source code; whoever is named in one works on it.

    The first and last line may be cut, so most of the lines decide. An indented star, not a star, leads a line of a
    comment: lists of contacts have a star, too.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    led = sum(bool(_COMMENT.match(line)) for line in lines)
    return led >= 2 and led >= _MOSTLY * len(lines)
