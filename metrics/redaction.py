"""Text that can be shown: personal data and secrets masked, layout and ordinary words kept.

Detectors miss things, so this works the other way round: after the detected spans are replaced by their type, a word
is shown only if it is known to be an ordinary one, and what is left of addresses, long numbers and random strings is
masked by its form. Masks keep capitals and punctuation, never the length of a word:

    Dear <PERSON>,                      Dear <PERSON>,
    the Brzk tower, call me at 4711  -> the Xxxx tower, call me at ####

Limits: a name made of ordinary words and written in small letters ("rose stone") is masked only in harmful rows; a
number of one or two digits, a year, and a run of counters are shown in rows that are not harmful. Words of other
languages and rare terms are masked though nobody is named so.
"""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from metrics.categories.credentials import entropy, find_credentials
from metrics.categories.personal_data import find_personal_data
from metrics.gazetteer import first_names, last_names, ordinary_words

_MAIL = re.compile(r"[^\s@<>()\[\]\"',;]{1,128}@[^\s@<>()\[\]\"',;]{1,255}")
_STRING = re.compile(r"[A-Za-z0-9+/_=~!$%&*?#^-]{8,}")
_DIGITS = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+")
_PART = re.compile(r"[^\W\d_A-Z]+|[A-Z]+(?![a-z])|[A-Z][^\W\d_A-Z]*")
_LINK = re.compile(r"[ \t().\-/]{0,3}\n?[ \t().\-/]{0,3}")
_SENTENCE_END = re.compile(r"(?:^|[.!?:;\n\"“(\[{>|*#=/-])[ \t]{0,20}\Z")
_CLOSE = re.compile(r"(?:[ \t]|,[ \t]|[.'’-]|[ \t][A-Z]\.[ \t])\Z")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_COUNTERS = 5  # so many numbers in a row with the same small step are a counter
_PHONE_DIGITS = 7  # so many digits with nothing but separators between them may be a telephone number

# Shown whatever stands beside them.
_FUNCTION_WORDS = frozenset(
    """a about above after again against all also am an and any are as at be because been before being below
    between both but by can could did do does doing down during each few for from further had has have
    having he her here hers him his how i if in into is it its just me more most my no nor not now of
    off on once only or other our out over own same she should so some such than that the their them
    then there these they this those through to too under until up very was we were what when where
    which while who whom why will with would you your may might must shall dear hello hi regards
    sincerely thanks thank yours best kind mr mrs ms dr prof name names phone telephone tel fax mobile
    email mail e address subject sent date cc bcc re fw fwd forwarded date birth company copyright
    author authors license licence http https www com org net password passwd user username login host
    key token secret private public begin end rsa ec openssh""".split()
)
# Written with a capital, and nobody's name.
_PROPER = frozenset(
    """apache mit bsd gnu gpl lgpl mozilla eclipse creative commons python java javascript linux windows unix
    macos posix unicode ascii utf html css xml json sql http https url uri api sdk gmt utc am pm english
    internet microsoft google github berne pep rfc iso ieee christmas sunday""".split()
    + [
        name.lower()
        for name in (*calendar.month_name, *calendar.day_name, *calendar.month_abbr, *calendar.day_abbr)
        if name
    ]
)


@dataclass(frozen=True)
class _Edit:
    """The replacement of `text[start:end]`."""

    start: int
    end: int
    mask: str


def redact(text: str, spans: Sequence[Mapping[str, object]] = (), harmful: bool = True) -> str:
    """The text with everything that may identify a person or open something masked.

    Args:
        text: Any text.
        spans: What was detected, with `type`, `start`, `end` (character offsets), as in the columns `pii` and
            `credentials`. The detectors are run here as well, so an empty list loses little.
        harmful: The row is labelled with a harmful category: also mask capitalised words inside sentences, names
            that are ordinary words, years and counters.

    Returns:
        The text with `<EMAIL>`, `<PERSON>`, ... for spans, `<SECRET>` for random strings, `Xxxx`, `xxxx` or `XXXX` for
        words and `#` for digits.
    """
    return redact_parts([text], spans, harmful)[0]


def redact_parts(parts: Sequence[str], spans: Sequence[Mapping[str, object]] = (), harmful: bool = True) -> list[str]:
    """As `redact`, for a text that is shown in parts, such as prefix and suffix: an address that the cut divides is
    masked in both, and its mask stands in the part where it begins.

    Args:
        parts: Consecutive parts of one text.
        spans: As for `redact`, with offsets into the parts joined.
        harmful: As for `redact`.

    Returns:
        One masked string for each part.
    """
    edits = _edits("".join(parts), spans, harmful)
    shown, start = [], 0
    for part in parts:
        end = start + len(part)
        pieces, position = [], start
        for edit in edits:
            if edit.end <= start or edit.start >= end:
                continue
            pieces.append(part[position - start : max(edit.start, start) - start])
            pieces.append(edit.mask if edit.start >= start else "")
            position = min(edit.end, end)
        pieces.append(part[position - start :])
        shown.append(_SURROGATE.sub("\ufffd", "".join(pieces)))
        start = end
    return shown


def _edits(text: str, spans: Sequence[Mapping[str, object]], harmful: bool) -> list[_Edit]:
    """All replacements, in order and without overlaps: detected spans, then forms, numbers and words between them."""
    edits: list[_Edit] = []
    detected = [_Edit(int(span["start"]), int(span["end"]), f"<{span['type']}>") for span in spans]  # type: ignore[call-overload]
    for found in (*find_credentials(text), *find_personal_data(text)):
        detected.append(_Edit(found.start, found.end, f"<{found.type}>"))
    _add(edits, sorted(detected, key=lambda edit: (edit.start, -edit.end)), len(text))
    _add(edits, (_Edit(*match.span(), "<EMAIL>") for match in _MAIL.finditer(text)), len(text))
    strings = (match for match in _STRING.finditer(text) if _looks_random(match.group(), harmful))
    _add(edits, (_Edit(*match.span(), "<SECRET>") for match in strings), len(text))
    _add(edits, _masked_numbers(text, harmful), len(text))
    _add(edits, _masked_words(text, harmful), len(text))
    return edits


def _add(edits: list[_Edit], new: Iterator[_Edit] | Sequence[_Edit], length: int) -> None:
    """Adds those parts of the new edits that no earlier one covers, and sorts."""
    taken = bytearray(length)
    for edit in edits:
        taken[edit.start : edit.end] = b"\1" * (edit.end - edit.start)
    for edit in new:
        start, end = max(0, edit.start), min(edit.end, length)
        free = taken.find(0, start, end)
        mask = edit.mask
        while 0 <= free < end:
            stop = taken.find(1, free, end)
            stop = end if stop < 0 else stop
            # What an overlap leaves of a digit or a word keeps no mark of its own.
            edits.append(_Edit(free, stop, mask))
            taken[free:stop] = b"\1" * (stop - free)
            mask = ""
            free = taken.find(0, stop, end)
    edits.sort(key=lambda edit: edit.start)


def _looks_random(string: str, harmful: bool) -> bool:
    """Whether a string mixes letters and digits, or is long and of high entropy, and is not made of known words."""
    parts = [part.lower() for word in _WORD.findall(string) for part in _PART.findall(word)]
    long = [part for part in parts if len(part) >= 3]
    if not parts or (long and all(part in ordinary_words() for part in long)):
        return False
    mixed = any(character.isdigit() for character in string) or any(character in "!$%&*?#^~" for character in string)
    if mixed and entropy(string) >= 2.5:
        return harmful or len(string) >= 16
    return len(string) >= 24 and entropy(string) >= 4.0


def _masked_numbers(text: str, harmful: bool) -> Iterator[_Edit]:
    """`#` for each digit of telephone-like groups and of numbers of three and more digits."""
    runs = list(_DIGITS.finditer(text))
    shown = set() if harmful else _counters([run.group() for run in runs])
    groups: list[list[re.Match[str]]] = []
    for index, run in enumerate(runs):
        if index in shown:
            continue
        if groups and _LINK.fullmatch(text, groups[-1][-1].end(), run.start()):
            groups[-1].append(run)
        else:
            groups.append([run])
    for group in groups:
        many = sum(len(run.group()) for run in group) >= _PHONE_DIGITS
        for run in group:
            year = not harmful and _YEAR.fullmatch(run.group())
            if many or (len(run.group()) >= 3 and not year):
                yield _Edit(run.start(), run.end(), "#" * len(run.group()))


def _counters(numbers: Sequence[str]) -> set[int]:
    """Positions of the numbers that belong to a run with one small step."""
    values = [int(number) if len(number) <= 9 else -(10**12) * index for index, number in enumerate(numbers, 1)]
    shown: set[int] = set()
    for stride in (1, 2, 3):
        steps = [after - before for before, after in zip(values, values[stride:], strict=False)]
        for start in range(len(steps)):
            window = steps[start : start + (_COUNTERS - 1) * stride : stride]
            if len(window) == _COUNTERS - 1 and len(set(window)) == 1 and abs(window[0]) <= 100:
                shown.update(start + stride * place for place in range(_COUNTERS))
    return shown


def _masked_words(text: str, harmful: bool) -> Iterator[_Edit]:
    """A mask for each word that is not known to be ordinary, and for the capitalised words beside it."""
    words = list(_WORD.finditer(text))
    masked = [not _shown(match.group(), _inside_sentence(text, match.start()), harmful) for match in words]
    # Names come in twos: an ordinary word that is a name, or has a capital, beside a masked one is part of a name.
    for order in (range(1, len(words)), range(len(words) - 2, -1, -1)):
        for index in order:
            other = index - 1 if order.step == 1 else index + 1
            left, right = words[min(index, other)], words[max(index, other)]
            word = words[index].group()
            beside = right.start() - left.end() <= 4 and _CLOSE.fullmatch(text, left.end(), right.start())
            capitals = word[0].isupper() and words[other].group()[0].isupper()
            likely = capitals or _is_name(word)
            if masked[other] and beside and likely and word.lower() not in _FUNCTION_WORDS | _PROPER:
                masked[index] = True
    for match, hidden in zip(words, masked, strict=True):
        if hidden:
            yield _Edit(match.start(), match.end(), _shape(match.group()))


def _shown(word: str, inside_sentence: bool, harmful: bool) -> bool:
    """Whether a word by itself may be shown."""
    lower = word.lower()
    if len(word) == 1 or lower in _FUNCTION_WORDS or lower in _PROPER:
        return True
    if not all(len(part) == 1 or part.lower() in ordinary_words() for part in _PART.findall(word)):
        return False
    name = _is_name(word)
    title = word[0].isupper() and not word.isupper()
    if harmful:
        return not name and not (title and inside_sentence)
    return not (name and title and inside_sentence)


def _is_name(word: str) -> bool:
    return word.lower() in first_names() or word.lower() in last_names()


def _inside_sentence(text: str, start: int) -> bool:
    return not _SENTENCE_END.search(text, max(0, start - 24), start)


def _shape(word: str) -> str:
    if word.isupper():
        return "XXXX"
    return "Xxxx" if word[0].isupper() else "xxxx"
