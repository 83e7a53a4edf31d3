"""What a stretch of work cost: wall time, CPU time and memory of this process and all below it, Java and workers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LOOK_SECONDS = 0.25


@dataclass
class Usage:
    """Seconds of wall and of CPU, and peaks of resident memory in bytes.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all processes.
        peak: Of the sum over all processes.
        java: Of the largest JVM.
        driver: Of this process.
        worker: Of the largest other process; pages that it shares with the one it was forked from are counted.
    """

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0
    java: int = 0
    driver: int = 0
    worker: int = 0


def processes(top: int) -> list[int]:
    """A process and all below it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [top]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _cpu_and_memory() -> tuple[dict[int, float], dict[str, list[int]]]:
    """CPU seconds of each process, and the resident sets of `java`, `driver` and `worker`."""
    seconds: dict[int, float] = {}
    memory: dict[str, list[int]] = {"java": [], "driver": [], "worker": []}
    for process in processes(os.getpid()):
        try:
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            program = Path(f"/proc/{process}/exe").readlink().name
            resident = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
        seconds[process] = (int(stat[11]) + int(stat[12])) / _CLOCK_TICKS
        kind = "driver" if process == os.getpid() else "java" if program == "java" else "worker"
        memory[kind].append(resident)
    return seconds, memory


@contextmanager
def measured() -> Iterator[Usage]:
    """Measures what happens inside."""
    usage, stop = Usage(), threading.Event()
    before, _ = _cpu_and_memory()
    latest: dict[int, float] = dict(before)

    def watch() -> None:
        while not stop.wait(_LOOK_SECONDS):
            seconds, memory = _cpu_and_memory()
            latest.update(seconds)
            usage.peak = max(usage.peak, sum(map(sum, memory.values())))
            for kind, resident in memory.items():
                setattr(usage, kind, max(getattr(usage, kind), *resident, 0))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    started = time.monotonic()
    try:
        yield usage
    finally:
        usage.wall = time.monotonic() - started
        stop.set()
        thread.join()
        latest.update(_cpu_and_memory()[0])
        usage.cpu = sum(latest.values()) - sum(before.values())
