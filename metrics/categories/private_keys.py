"""Blocks of private keys: PEM and PGP, whole or cut anywhere, OpenVPN's static keys, PuTTY's private lines.

An opening line alone is no key: manuals quote it, and programs look for it. Lines of base64 must follow, or the text
must end where they would begin, since a window is cut anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches
from metrics.categories.secret_values import entropy

_BASE64_LINES = re.compile(
    r"(?:(?:\\r)?(?:\\n)?\s{0,4}[A-Za-z0-9+/=]{8,80}){0,80}"
)  # also with ends escaped as in JSON
_OPENING = re.compile(r"(?<![A-Za-z0-9_])(?P<label>[A-Z ]{0,30})KEY(?: BLOCK)?(?P<dashes>-{4,5})")
# What may stand between the opening line and the base64: a line's end, signs that continue a string or a comment.
_BREAK = re.compile(r"(?:\\\\?[rn]|// |[ \t\r\n\"'+.,\\>|*#]){0,40}")
_FIELDS = re.compile(r"(?:(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): [^\n]{0,100}\n[ \t\r\n]{0,8}){0,6}")
_BODY = re.compile(r"[A-Za-z0-9+/]{0,80}={0,2}")
_LEAST_BODY = 16
_LINE_START = re.compile(r"(?:\A|[\n>|]|\\n|[:=] ?[\"'`])[ \t]{0,40}\Z")
_STATIC_KEY = re.compile(
    r"(?<![A-Za-z0-9_])OpenVPN Static key V[0-9]-{0,5}(?:(?:\s{0,4}[0-9a-f]{8,64}){1,40}|\s{0,4}\Z)"
)
_PUTTY_KEY = re.compile(
    r"(?<![A-Za-z0-9_])Private-Lines: ?[0-9]{1,4}"
    r"(?:\s{1,4}[A-Za-z0-9+/=]{8,80}(?:\s{1,4}[A-Za-z0-9+/=]{8,80}){0,79}|\s{0,4}\Z)"
)
_KEY_END = re.compile(r"-{4,5}END (?:[A-Z ]{0,20}PRIVATE KEY|OpenVPN Static key)")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/=]{4,80}\r?")
_MOST_LINES = 80
# A window that begins in the middle of the line that opens a PEM block.
_CUT_BLOCK = re.compile(
    r"\A(?:EY|Y)?-{0,5}\n[A-Za-z0-9+/]{64}\n[A-Za-z0-9+/=\n]{8,8000}\Z|\A(?:EY|Y)?-{1,5}\n[A-Za-z0-9+/]{40,64}\n?[A-Za-z0-9+/\n=]{0,8000}\Z"
)


def find_private_keys(text: str) -> Iterator[Span]:
    """Spans of type `PRIVATE_KEY` in a text; they may overlap."""
    for match in first_matches(_OPENING, text) if "KEY" in text else ():
        label = match["label"]
        at_start = match.start() == 0 and len(match["dashes"]) == 5
        private = label.endswith("PRIVATE ") and not label.lstrip().startswith("END ")
        cut = at_start and "PRIVATE ".endswith(label)
        if not (private or cut) or not _has_body(text, match, cut):
            continue
        end = _BASE64_LINES.match(text, match.end()).end()
        if private:
            yield Span("PRIVATE_KEY", match.start(), end, 0.95, "opening line of a private key")
        elif label:
            yield Span("PRIVATE_KEY", match.start(), end, 0.7, "cut opening line of a private key")
        elif re.search(r"[A-Za-z0-9+/]{40}", text[:end]):
            yield Span("PRIVATE_KEY", match.start(), end, 0.5, "cut opening line of a key")
    for match in first_matches(_KEY_END, text) if "--END " in text else ():
        start = _first_line_of_base64(text, match.start())
        if start < match.start():
            yield Span("PRIVATE_KEY", start, match.end(), 0.95, "closing line of a private key")
    for pattern, why in ((_STATIC_KEY, "static key of OpenVPN"), (_PUTTY_KEY, "private lines of a PuTTY key")):
        for match in first_matches(pattern, text):
            yield Span("PRIVATE_KEY", match.start(), match.end(), 0.95, why)
    cut_block = _CUT_BLOCK.match(text)
    if cut_block and entropy(text[:400]) >= 4.5:
        yield Span("PRIVATE_KEY", 0, len(text), 0.5, "lines of a PEM block whose opening line is cut away")


def _has_body(text: str, opening: re.Match[str], cut: bool) -> bool:
    """Whether base64 follows an opening line, or may be cut away behind it."""
    space = _BREAK.match(text, opening.end())
    fields = _FIELDS.match(text, space.end())
    body = _BODY.match(text, fields.end())
    if not (set("\n\\") & set(space.group()) or not space.group().strip(" ")):
        return False  # `grep -- '-----BEGIN PRIVATE KEY-----' key.pem`
    if body.end() == len(text):
        # Where a line begins, or a string that is assigned, somebody holds the key; in a sentence nobody does.
        before = text[: opening.start()][-60:].rstrip("-")
        return cut or _LINE_START.search(before) is not None
    letters = body.group()
    return len(letters) >= _LEAST_BODY and not letters.islower() and not letters.isupper()


def _first_line_of_base64(text: str, end: int) -> int:
    """Where the lines of base64 that stand right before `end` begin."""
    start = end
    for _ in range(_MOST_LINES):
        line = text.rfind("\n", 0, max(0, start - 1)) + 1
        if start - line > 82 or not _BASE64_LINE.fullmatch(text, line, max(line, start - 1)):
            break
        start = line
    return start
