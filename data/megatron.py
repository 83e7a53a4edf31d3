"""Token files of Megatron-LM and GPT-NeoX: `name.bin` holds token ids one after the other, `name.idx` says where each
sequence begins and how long it is. Both are mapped into memory, so that nothing is read before it is looked at.

The index, little-endian: `MMIDIDX\\0\\0`; uint64 version 1; uint8 type of the tokens; uint64 n sequences; uint64 d
documents; int32 [n] tokens of each sequence; int64 [n] the byte where each begins; int64 [d] documents, not used here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import InputError

_MAGIC = b"MMIDIDX\x00\x00"
_HEADER = struct.Struct("<9sQBQQ")
_TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}


@dataclass(frozen=True)
class TokenFile:
    """A pair of files.

    Attributes:
        tokens: The `.bin` file as an array of token ids.
        sizes: int32 [n], tokens of each sequence.
        pointers: int64 [n], the byte where each begins, ascending.
    """

    tokens: np.ndarray
    sizes: np.ndarray
    pointers: np.ndarray

    def sequences_in(self, start: int, stop: int) -> tuple[int, int]:
        """The first and the last (exclusive) sequence that begin in these bytes."""
        first, last = np.searchsorted(self.pointers, (start, stop))
        return int(first), int(last)


def pair(path: str | Path) -> tuple[Path, Path] | None:
    """`name.bin` and `name.idx` where `name.bin`, `name.idx` or `name` was given and one of them exists."""
    path = Path(path).expanduser()
    if path.suffix in (".bin", ".idx"):
        path = path.with_suffix("")
    files = path.with_name(f"{path.name}.bin"), path.with_name(f"{path.name}.idx")
    return files if any(file.is_file() for file in files) else None


def open_tokens(bin_file: Path, idx_file: Path) -> TokenFile:
    """Maps a pair into memory.

    Raises:
        InputError: A file is missing, is no such index, or the two do not fit each other.
    """
    for file, other in ((bin_file, idx_file), (idx_file, bin_file)):
        if not file.is_file():
            raise InputError(f"{file} does not exist; {other.name} needs it beside itself.")
    with idx_file.open("rb") as stream:
        header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise InputError(f"{idx_file} is no index of a Megatron token file: expected it to begin with MMIDIDX.")
    _, version, kind, sequences, documents = _HEADER.unpack(header)
    if version != 1 or kind not in _TYPES:
        raise InputError(f"{idx_file}: found version {version}, token type {kind}; expected version 1, integer tokens.")
    expected = _HEADER.size + 12 * sequences + 8 * documents
    if idx_file.stat().st_size != expected:
        raise InputError(
            f"{idx_file}: found {idx_file.stat().st_size:,} bytes; {sequences:,} sequences and {documents:,} documents "
            f"take {expected:,}. It may be cut off."
        )
    if sequences == 0:
        raise InputError(f"{idx_file}: found no sequences.")
    sizes = np.asarray(np.memmap(idx_file, "<i4", "r", _HEADER.size, (sequences,)))
    pointers = np.asarray(np.memmap(idx_file, "<i8", "r", _HEADER.size + 4 * sequences, (sequences,)))
    dtype = np.dtype(_TYPES[kind])
    end = int(pointers[-1]) + int(sizes[-1]) * dtype.itemsize
    if bin_file.stat().st_size != end:
        raise InputError(
            f"{bin_file}: found {bin_file.stat().st_size:,} bytes; by {idx_file.name} it has {end:,}. Is it whole, and "
            "of the same data?"
        )
    return TokenFile(np.asarray(np.memmap(bin_file, dtype, "r")) if end else np.zeros(0, dtype), sizes, pointers)
