"""Passwords that are plain words without quotes: lines of settings that assign one and hold nothing else.

In settings a bare word is a value; in a program it is a variable. A line `NAME=word` in capitals and without spaces is
written only in settings; `name = word` counts where the lines around it are settings, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.matches import first_matches
from metrics.categories.secret_values import is_password

_LINE = re.compile(
    r"^(?:(?:export |set |ENV )?(?P<loud>[A-Z0-9_]{0,40}PASS(?:WORD|WD|PHRASE))=|"
    r"(?:[A-Za-z][\w.-]{0,60}?)?(?i:pass(?:word|wd|phrase))[ \t]{0,2}=[ \t]{0,2}|"
    r"(?P<redis>(?i:config set )?(?:requirepass|masterauth)[ \t]{1,4}))(?P<word>[a-z]{6,30})[ \t]{0,4}\r?$",
    re.ASCII | re.MULTILINE,
)
# `[section]`, `# comment`, `name = value`, `flag`; no brackets and quotes of calls, no sentences.
_SETTING = re.compile(
    r"[ \t]{0,8}(?:[#;!].{0,300}|\[[\w .:/-]{1,80}\]|[\w.-]{1,80}(?:[ \t]{0,8}[=:][^(){};]{0,300})?|)\r?", re.ASCII
)
# What a variable, a kind of value or a place to look for one is called.
_NOUN = re.compile(
    r"(?:new|old|my|raw|get|set|is|has|to|from)?(?:line|answer|result|response|reply|match|config|setting|option|parameter|directive|"
    r"command|argument|variable|prompt|request|session|account|string|number|object|integer|float|double|boolean|varchar|"
    r"buffer|content|message|letters|random|generated?|encoded|decoded|digest|cipher|keyring|keychain|vault|stdin|environ\w{0,5}|"
    r"always|never|nothing|anything|something|whatever|manual|automatic|unknown|private|public|return|import|lambda|"
    r"disallow|accept|reject|denied|unset|unused|visible|masked|expired?s?|reset|change[ds]?|update[ds]?)s?",
)
_NEIGHBOURS = 3


def words_in_settings(text: str) -> Iterator[tuple[int, int]]:
    """Where the words stand that lines of settings assign to passwords: character offsets, in order."""
    for match in first_matches(_LINE, text):
        word = match["word"]
        if _NOUN.fullmatch(word) or not is_password(word, quoted=True, plain=True):
            continue
        if not (match["loud"] or match["redis"] or _among_settings(text, match.start(), match.end())):
            continue
        if text.count(word) == 1:  # what stands elsewhere, too, names something: a user, a database, a variable
            yield match.span("word")


def _among_settings(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 400) : max(0, start - 1)].split("\n")[-_NEIGHBOURS:]
    after = text[end + 1 : end + 401].split("\n")[:_NEIGHBOURS]
    return all(_SETTING.fullmatch(line) for line in (*before, *after))
