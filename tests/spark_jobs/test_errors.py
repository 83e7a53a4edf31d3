"""What a failure of Spark was about, told from its text."""

from __future__ import annotations

import pytest

from spark_jobs.errors import MachineError, find_known_error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Job aborted: java.lang.OutOfMemoryError: GC overhead limit exceeded", "spark.driver.memory"),
        ("[UNABLE_TO_ACQUIRE_MEMORY] Unable to acquire 65536 bytes of memory, got 0.", "spark.driver.memory"),
        ("numpy.core._exceptions.MemoryError: Unable to allocate 9 GiB", "--batch-size"),
        ("java.io.IOException: No space left on device", "disk is full"),
    ],
)
def test_what_the_machine_lacks(text: str, told: str) -> None:
    found = find_known_error(RuntimeError(text))
    assert isinstance(found, MachineError)
    assert told in str(found)


def test_anything_else_is_not_known() -> None:
    assert find_known_error(RuntimeError("java.lang.NullPointerException")) is None
