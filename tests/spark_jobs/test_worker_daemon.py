"""Workers are forked from a process that has imported what they need, and nothing that a fork does not survive."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked from it on Linux only")
REPOSITORY = Path(__file__).resolve().parents[2]
WATCHED = ("is_available", "device_count", "current_device", "get_device_name", "get_device_properties", "_lazy_init")
PROGRAM = f"""
import sys, threading
from pathlib import Path
import torch
asked = []
for name in {WATCHED}:
    setattr(torch.cuda, name, lambda *a, name=name, known=getattr(torch.cuda, name): asked.append(name) or known(*a))
import spark_jobs.worker_daemon
assert "transformers.modeling_utils" in sys.modules
print(len(list(Path("/proc/self/task").iterdir())), "pyarrow" in sys.modules, asked)
"""


def test_what_is_imported_before_the_fork_starts_no_thread_and_asks_for_no_gpu() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "1 False []\n", done.stderr


def test_workers_are_forked_from_it(spark) -> None:
    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        imported = [name in sys.modules for name in ("torch", "transformers.modeling_utils", "metrics.forward_pass")]
        parent = Path(f"/proc/{os.getppid()}/cmdline").read_text().split("\0")
        shared = sum(
            int(line.split()[1])
            for line in Path("/proc/self/smaps_rollup").read_text().splitlines()
            if line.startswith("Shared_Dirty")
        )
        for _ in batches:
            found = {"imported": all(imported), "parent": " ".join(parent), "shared": shared}
            yield pa.RecordBatch.from_pylist([found])

    rows = spark.range(0, 4, 1, 4).mapInArrow(look, "imported boolean, parent string, shared long").collect()
    assert len(rows) == 4
    for row in rows:
        assert row.imported
        assert "-m spark_jobs.worker_daemon pyspark.worker" in row.parent
        assert row.shared > 100_000  # KB of what it imported, not its own
