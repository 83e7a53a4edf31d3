"""What this process holds of the machine's memory beside what it still needs, and how it gives that back (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import re
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


def give_back_weights() -> int:
    """Returns the pages of mapped safetensors files; what is still used of them is read from the file again.

    safetensors maps a file rather than reading it, and a page that was looked at once, to pack it, stays resident. Only
    maps are given back of which no page was written to, since such pages exist nowhere else.

    Returns:
        Bytes given back; 0 where Linux's list of maps is absent.
    """
    given = 0
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL("libc.so.6", use_errno=True).madvise
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        maps = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
        for one in maps:
            heading, *lines = one.splitlines()
            if not heading.removesuffix(" (deleted)").endswith(".safetensors"):
                continue
            sizes = dict(re.findall(r"^(Rss|Anonymous): +(\d+) kB$", "\n".join(lines), re.MULTILINE))
            start, end = (int(address, 16) for address in heading.split()[0].split("-"))
            if sizes.get("Anonymous") == "0" and madvise(start, end - start, _MADV_DONTNEED) == 0:
                given += int(sizes["Rss"]) * 1024
    return given
