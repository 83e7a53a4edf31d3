"""Finds many phrases in many texts at once, as whole words: case, line breaks, comment leaders and signs don't matter.

A text is cut into words, runs of ASCII letters and digits in lower case. Each word becomes a 64-bit hash, each run of
k words one hash of their hashes, for a whole batch in a few numpy passes; then a look-up in the hashes of the phrases.
Time is linear in the text and hardly grows with the number of phrases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from metrics.categories.chunks import chunks

_LOWER_OR_BLANK = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() else 32 for byte in range(128)) + b" " * 128
_LONGEST_WORD = 32  # characters beyond it do not count
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, as a product with it must be reversible
_FILTER_BITS = np.uint64(64 - 17)
_CHUNK = 1 << 15  # characters; so that the arrays stay in the processor's cache
_TEXT = 20_000  # characters of a text that are read; bounds the time of a very long row


@cache
def _factors() -> np.ndarray:
    """uint64 [32]: an odd factor for each place in a word, fixed for good by the seed."""
    return np.random.default_rng(4).integers(0, 2**63, _LONGEST_WORD, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def plain(text: str) -> str:
    """The words of a text's first 20,000 characters, in lower case, a single space before and after each."""
    return f" {' '.join(_only_words(text).decode('ascii').split())} "


def _only_words(text: str) -> bytes:
    """In lower case, a blank for each byte that is no ASCII letter or digit; the copyright sign reads as (c)."""
    return text[:_TEXT].replace("©", "(c)").encode("utf-8", "surrogatepass").translate(_LOWER_OR_BLANK)


@dataclass(frozen=True)
class Words:
    """The words of N texts, in order.

    Attributes:
        hashes: uint64 [W].
        rows: int64 [W], the text that each is in.
    """

    hashes: np.ndarray
    rows: np.ndarray


def words_of(texts: Sequence[str]) -> Words:
    """The words of each text; only its first 20,000 characters are read."""
    encoded = [_only_words(text) for text in texts]
    characters = np.frombuffer(b" ".join([*encoded, b""]), dtype=np.uint8)
    places = np.flatnonzero(characters != 32)
    if not len(places):
        return Words(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1] + 1))
    lengths = np.diff(starts, append=len(places))
    place_in_word = np.arange(len(places)) - np.repeat(starts, lengths)
    factors = np.append(_factors(), np.uint64(0))[np.minimum(place_in_word, _LONGEST_WORD)]
    hashes = np.add.reduceat(characters[places] * factors, starts)
    text_ends = np.cumsum([len(one) + 1 for one in encoded])
    return Words(hashes ^ (hashes >> np.uint64(29)), np.searchsorted(text_ends, places[starts], side="right"))


class Phrases:
    """A list of phrases of one word or more, ready to be looked up.

    Args:
        phrases: As `plain` writes them, without the outer spaces; all different.

    Raises:
        ValueError: A phrase is not in that form, or is listed twice.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        if wrong := [phrase for phrase in phrases if plain(phrase) != f" {phrase} "]:
            raise ValueError(f"Write phrases as words in lower case between single spaces; these are not: {wrong[:3]}.")
        if len(set(phrases)) < len(phrases):
            raise ValueError(f"{len(phrases) - len(set(phrases))} phrases are listed twice; list each once.")
        self.phrases = tuple(phrases)
        self._filter = np.zeros(1 << 17, dtype=bool)
        self._by_length: list[tuple[int, np.ndarray, np.ndarray]] = []
        for length in sorted({phrase.count(" ") + 1 for phrase in phrases}):
            numbers = np.array([number for number, phrase in enumerate(phrases) if phrase.count(" ") + 1 == length])
            hashes = np.array([next(_runs(words_of([phrases[number]]), {length}))[1][0] for number in numbers])
            order = np.argsort(hashes)
            self._by_length.append((length, hashes[order], numbers[order]))
            self._filter[hashes >> _FILTER_BITS] = True

    def found(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Which phrases are in which texts; see `found_of_each`."""
        return found_of_each([self], texts)[0]

    def _in(self, words: Words) -> np.ndarray:
        """int64 [M]: row x number of phrases + number of the phrase, for each place where one is found."""
        keys = []
        runs = _runs(words, {length for length, _, _ in self._by_length})
        for (_, known, numbers), (rows, hashes) in zip(self._by_length, runs, strict=True):
            likely = np.flatnonzero(self._filter[hashes >> _FILTER_BITS])
            nearest = np.minimum(np.searchsorted(known, hashes[likely]), len(known) - 1)
            hit = known[nearest] == hashes[likely]
            keys.append(rows[likely[hit]] * len(self.phrases) + numbers[nearest[hit]])
        return np.concatenate(keys) if keys else np.zeros(0, dtype=np.int64)


def found_of_each(lists: Sequence[Phrases], texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which phrases of several lists are in which texts, whose words are cut and hashed once for all of them.

    Args:
        lists: The lists of phrases.
        texts: N strings; only the first 20,000 characters of a text are read.

    Returns:
        For each list, rows and numbers of phrases, int64 [M] each; each phrase once for each text that it is in, sorted
        by row.
    """
    keys: list[list[np.ndarray]] = [[np.zeros(0, dtype=np.int64)] for _ in lists]
    for start, chunk in chunks(texts, _CHUNK, _TEXT):
        words = words_of(chunk)
        for known, found in zip(lists, keys, strict=True):
            found.append(np.unique(known._in(words)) + start * len(known.phrases))
    return [np.divmod(np.concatenate(found), max(1, len(one.phrases))) for one, found in zip(lists, keys, strict=True)]


def _runs(words: Words, lengths: set[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and hashes of all runs of k words that lie in one text, for each k in `lengths` from the shortest."""
    hashes = words.hashes * _MULTIPLIER
    for length in range(1, max(lengths, default=0) + 1):
        if length > 1:
            hashes = (hashes[: len(hashes) - 1] + words.hashes[length - 1 :]) * _MULTIPLIER
        if length in lengths:
            within = words.rows[: len(hashes)] == words.rows[length - 1 :]
            yield words.rows[: len(hashes)][within], hashes[within]
