"""What a reader sees of a sequence: nothing hidden in it, masks and the differing part marked.

Texts come from training data and from models, so they may hold anything: terminal escapes, characters that
reverse the direction of writing, half a surrogate pair.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"<[A-Z][A-Z0-9_]*>|\w+|\s+|[^\w\s]")
_KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")  # joiners, needed to write several languages


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Attributes:
        text: What to show.
        differs: True where the other text has something else.
        masked: True for a placeholder that stands for personal data.
    """

    text: str
    differs: bool = False
    masked: bool = False


def visible(text: str) -> str:
    """Replaces what would act on a terminal or a page instead of being read.

    Control characters become their pictures (ESC: `␛`), invisible format characters their code point
    (`⟨U+202E⟩`), lone surrogates the replacement character. Line feeds and tabs stay.
    """
    return "".join(_visible_character(character) for character in text)


def pieces(text: str, other: str | None = None, mask_types: Collection[str] = ()) -> list[Piece]:
    """Cuts a text into pieces, word by word compared with another.

    Args:
        text: The text to show.
        other: What to compare it with; None marks no difference.
        mask_types: Types of personal data; `<TYPE>` is marked as a mask for these and no other.

    Returns:
        Pieces whose texts, joined, are `visible(text)` (a differing line feed is shown as `↵` as well).
    """
    words = _WORDS.findall(visible(text))
    masks = {f"<{mask}>" for mask in mask_types}
    differing = _differing(words, _WORDS.findall(visible(other)) if other is not None else words)
    result: list[Piece] = []
    for word, differs in zip(words, differing, strict=True):
        masked = word in masks
        shown = word.replace("\n", "↵\n") if differs else word
        last = result[-1] if result else None
        if last and not masked and (last.differs, last.masked) == (differs, False):
            result[-1] = Piece(last.text + shown, differs)
        else:
            result.append(Piece(shown, differs, masked))
    return result


def _visible_character(character: str) -> str:
    if character in "\n\t" or character in _KEPT_FORMAT_CHARACTERS:
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return f"⟨U+{code:04X}⟩" if category in ("Cc", "Cf") else character


def _differing(words: list[str], others: list[str]) -> list[bool]:
    """True for each word that an alignment with `others` does not find there."""
    differs = [True] * len(words)
    for block in SequenceMatcher(None, words, others, autojunk=False).get_matching_blocks():
        differs[block.a : block.a + block.size] = [False] * block.size
    for i in range(1, len(words) - 1):  # a space between two differing words belongs to the difference
        if words[i].isspace() and differs[i - 1] and differs[i + 1]:
            differs[i] = True
    return differs
