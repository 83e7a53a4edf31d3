"""What can be wrong with the machine rather than with the input, and what a Spark failure was about."""

from __future__ import annotations

import re


class MachineError(Exception):
    """The machine lacks something: Java, room on the disk, a writable folder, a free port."""


_FULL_DISK = ("No space left on device", "Disk quota exceeded")
_OUT_OF_MEMORY = ("MemoryError",)
_OUT_OF_HEAP = ("java.lang.OutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY")
_FROM_A_WORKER = re.compile(
    r"^(?:[\w.]+\.)?(InputError|ModelError): (.+?)(?=^\s*(?:at |SQLSTATE|Traceback)|\Z)", re.M | re.S
)


def find_known_error(error: BaseException) -> Exception | None:
    """The user's or the machine's problem inside an exception from Spark or the system; None if it is neither.

    Args:
        error: What was raised; its causes are looked at, too.
    """
    from data.errors import InputError
    from metrics.loading import ModelError

    seen: BaseException | None = error
    while seen is not None:
        text = str(seen)
        if any(sign in text for sign in _FULL_DISK):
            return MachineError("the disk is full. Free some room, then type the same command to go on.")
        if isinstance(seen, PermissionError):
            return MachineError(f"no permission: {seen.filename}. Choose another folder with --runs-dir.")
        if any(sign in text for sign in _OUT_OF_HEAP):
            return MachineError(
                "Java's heap is full. Fewer tasks at once (--master local[1]) need less; spark-submit gives it more "
                "(--conf spark.driver.memory=4g, see docs/cluster.md). The same command goes on."
            )
        if any(sign in text for sign in _OUT_OF_MEMORY):
            return MachineError(
                "out of memory. Fewer workers (--master local[1]) or a smaller --batch-size need less; the same "
                "command goes on."
            )
        worker = _FROM_A_WORKER.search(text)
        if worker:
            kind = InputError if worker.group(1) == "InputError" else ModelError
            return kind(worker.group(2).strip())
        seen = seen.__cause__ or seen.__context__
    return None
