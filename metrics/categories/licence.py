"""The language of licences, and where a text credits its authors.

Two users: boilerplate (is the row a licence?) and personal data (was this person named as the author of a work?).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise

# Phrases that hardly occur outside licences, in lower case, single spaces; one of them suffices.
PHRASES: tuple[str, ...] = (
    "licensed under the", "under the terms of the", "permission is hereby granted",
    "free of charge, to any person", "without warranty", "without warranties", "warranties of",
    "implied warrant", "any express or implied", "either express or implied",
    "fitness for a particular purpose", "merchantability", "in no event shall", "in no event will",
    "redistributions of source code", "redistributions in binary form", "redistribution and use",
    "above copyright notice", "this list of conditions", "the following disclaimer",
    "contributors may be used to endorse", "specific prior written permission", "shall not be liable",
    "be liable for any", "holders be liable", "loss of use, data", "business interruption",
    "theory of liability", "strict liability", "contract, strict", "tort or otherwise", "tort (including",
    "advised of the possibility", "all rights reserved", "general public license", "apache license",
    "mit license", "bsd license", "mozilla public license", "eclipse public license", "creative commons",
    "gnu lesser", "gnu general", "see the license for", "copy of the license",
    "limitations under the license", "unless required by applicable law", "agreed to in writing",
    "use this file except", "contributor license agreement", "copyright ownership", "to use, copy, modify",
    "publish, distribute, sublicense", "substantial portions of the software",
    "copyright notice and this permission", "royalty-free", "derivative works", "covered work",
    "corresponding source", "sublicens", "copyleft", "licensor", "licensee", "free software foundation",
    "terms and conditions of this", "the software is provided", "this software is provided",
    "provided \"as is\"", "spdx-license-identifier", "without modification, are permitted",
    "object code form", "the copyright holder", "copyright owner", "reproduce, prepare derivative",
    "grants you a", "hereby grants", "this license agreement", "of this license", "under this license",
    "this agreement", "copyright (c)", "copyright ©", "(c) copyright", "copyright &copy;",
)  # fmt: skip

_LEADER = re.compile(r"(?:^|\n)[ \t]{0,40}(?:/\*+|\*+/?|//+|#+|;+|--+|%+|>+|\.\.|dnl|rem)?[ \t]{0,40}")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[a-z]{2,30}")
_ATTRIBUTION = re.compile(
    r"copyright|\(c\)|©|&copy;|(?<![a-zA-Z])authors?(?![a-zA-Z])|\bauthored\b|\b(?:written|contributed|created|coded|maintained|developed|"
    r"implemented|designed|programmed|rewritten|modified|ported|translated|updated|patch(?:es)?|original code) by\b|"
    r"\bmaintainers?\b|\bcontributors?\b|\bcredits?\s*:|\bdevelopers?\s*:|\blicen[cs]ed? (?:by|to)\b|\bmodule_author\b",
    re.IGNORECASE,
)
_MAIL_LINE = re.compile(
    r"^(?:from|to|cc|bcc|sent|subject|reply-to|phone|tel|address|dear)\b", re.IGNORECASE | re.MULTILINE
)
_REACH = 160  # characters of a list of authors or of a postal address after the marker


def plain(text: str) -> str:
    """The text in lower case, comment leaders (`*`, `//`, `#`, ...) and line breaks turned into single spaces."""
    return _SPACE.sub(" ", _LEADER.sub(" ", text.lower()))


def count_phrases(plain_text: str, phrases: Sequence[str]) -> int:
    """How many of the phrases a text as `plain` returns it contains; each counts once."""
    return sum(phrase in plain_text for phrase in phrases)


def words_of(plain_text: str) -> set[str]:
    """The different words of a text as `plain` returns it, and its different pairs of words (`covered_work`)."""
    words = _WORD.findall(plain_text)
    return {*words, *map("_".join, pairwise(words))}


@cache
def licence_words() -> dict[str, float]:
    """The weight of each word for a licence, in nats, and the intercept under `*`; `train_licence.py` says how made."""
    text = resources.files("metrics.categories").joinpath("licence_words.txt").read_text(encoding="utf-8")
    return {word: float(weight) for word, weight in (line.split() for line in text.splitlines())}


def licence_score(plain_text: str) -> tuple[float, int]:
    """How much a text reads like a licence.

    Args:
        plain_text: A text as `plain` returns it.

    Returns:
        The probability, by its words, that the text is of a licence, in [0, 1]; and the number of different phrases
        of licences in it, of which one is enough.
    """
    phrases = count_phrases(plain_text, PHRASES)
    weights = licence_words()
    logit = weights["*"] + sum(weights.get(word, 0.0) for word in words_of(plain_text))
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, logit)))), phrases


def attributed(text: str, start: int) -> bool:
    """Whether the personal data at `start` follows a copyright or authorship marker.

    The marker stands before it on its line or in the lines above, at most 160 characters away, with no blank line
    and no mail header between them.
    """
    before = text[max(0, start - _REACH) : start]
    before = before.rpartition("\n\n")[2]
    markers = list(_ATTRIBUTION.finditer(before))
    return bool(markers) and not _MAIL_LINE.search(before, markers[-1].end())


def is_licence(text: str) -> bool:
    """Whether a text is without doubt a licence or its header: two different phrases, and no mail header."""
    return count_phrases(plain(text), PHRASES) >= 2 and not _MAIL_LINE.search(text)
