"""Batches of texts in pieces whose arrays stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def chunks(texts: Sequence[str], characters: int, longest: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Cuts a batch after every `characters` characters or a little more.

    Args:
        texts: N strings.
        characters: Size of a piece.
        longest: Characters of a text that are read; more do not count.

    Yields:
        The index of the first text of a piece, and the texts of the piece.
    """
    start = size = 0
    for index, text in enumerate(texts):
        size += min(len(text), longest) + 1
        if size >= characters or index == len(texts) - 1:
            yield start, texts[start : index + 1]
            start, size = index + 1, 0
