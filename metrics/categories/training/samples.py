"""The windows that a training learns from, with their labels and where they come from."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from metrics.categories.training.files import TextFile, text_files
from metrics.categories.training.windows import readable, windows


@dataclass
class Samples:
    """Windows of files and of invented pieces, in the order in which they were added.

    Attributes:
        texts: N windows.
        labels: N labels, 1 or 0.
        origins: N numbers of the file or piece that each is from; files come first, numbered from 1.
        read: The files.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    read: list[TextFile] = field(default_factory=list)

    def add(self, found: list[str], label: int) -> None:
        """Adds windows of the file that was read last."""
        self._add(found, label, len(self.read))

    def add_invented(
        self, pieces: Callable[[random.Random], Iterator[str]], label: int, count: int, source: random.Random
    ) -> None:
        """Adds one window of each of `count` pieces. After the files."""
        first = max(self.origins, default=0) + 1
        for number, piece in zip(range(count), pieces(source), strict=False):
            self._add([window for _, window in windows(piece, source, 1)], label, first + number)

    def held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """bool [N] twice: the windows of every fifth file or piece, and those among them that are of files."""
        origins = np.array(self.origins)
        fifth = origins % 5 == 0
        return fifth, fifth & (origins <= len(self.read))

    def _add(self, found: list[str], label: int, origin: int) -> None:
        self.texts += found
        self.labels += [label] * len(found)
        self.origins += [origin] * len(found)


def files_by_kind() -> list[tuple[str, list[TextFile]]]:
    """The packages' source files, documents and licences by kind."""
    by_kind: dict[str, list[TextFile]] = {}
    for file in text_files():
        if readable(file.kind) or file.kind == "licence":
            by_kind.setdefault(file.kind, []).append(file)
    return sorted(by_kind.items())
