"""What this process holds of the machine's memory beside what it still needs, and how it gives that back (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Of glibc's `malloc.h`, for `mallopt`, and of Linux's `mman.h`, for `madvise`.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MADV_DONTNEED = 4


def keep_freed() -> None:
    """Keeps what is freed for the next tensor, until `give_back_freed`.

    Else glibc returns large tensors to the system at once and fetches them anew, 4 KB by 4 KB: a tenth of the time.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_MMAP_THRESHOLD, 2**25)  # the most it takes
        library.mallopt(_TRIM_THRESHOLD, 2**30)


def give_back_freed() -> None:
    """Returns what was freed to the system: batches of changing sizes leave holes that glibc would keep."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@dataclass(frozen=True)
class FileMap:
    """A file that is mapped into memory.

    Attributes:
        addresses: From its first byte in memory to its last.
        path: The file; not there any more where its name ends with " (deleted)".
        offset: The byte of the file that its first byte is.
        inode: The file's number on its disk.
    """

    addresses: range
    path: Path
    offset: int
    inode: int


def unwritten_maps(addresses: Sequence[int]) -> list[FileMap]:
    """The maps of files that hold these addresses and of which no page was written to: such pages exist nowhere else.

    Args:
        addresses: Of weights. Those in memory of no file are in none of them.

    Returns:
        By address; none where Linux's list of maps is absent.
    """
    found = []
    with contextlib.suppress(OSError):
        listed = Path("/proc/self/smaps").read_text(errors="surrogateescape")
        for one in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", listed):
            span, _, offset, _, inode, *path = one.split("\n", 1)[0].split(maxsplit=5)
            first, end = (int(address, 16) for address in span.split("-"))
            if inode == "0" or not any(first <= address < end for address in addresses):
                continue
            sizes = dict(re.findall(r"^(Anonymous|Swap): +(\d+) kB$", one, re.MULTILINE))
            if sizes.get("Anonymous") == "0" and sizes.get("Swap") == "0":
                found.append(FileMap(range(first, end), Path(*path), int(offset, 16), int(inode)))
    return found


def give_back(maps: Sequence[FileMap]) -> None:
    """Returns the pages of files that are mapped into memory; what is still used of them is read from the file again.

    safetensors maps a file rather than reading it, and a page that was looked at once, to pack it, stays resident.

    Args:
        maps: As `unwritten_maps` found them, and not written to since.
    """
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL("libc.so.6").madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for one in maps:
            madvise(one.addresses.start, len(one.addresses), _MADV_DONTNEED)
