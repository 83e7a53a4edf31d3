"""Runs a Spark action under a readable description, reports how far it is, and can be interrupted."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from pyspark import InheritableThread
from pyspark.sql import SparkSession

T = TypeVar("T")
_POLL_SECONDS = 0.2
_PROGRESS_SECONDS = 1.0  # each look asks Java about every stage of every job so far
_interrupted = threading.Event()


@contextmanager
def interrupts_between_calls() -> Iterator[None]:
    """Within it, Ctrl-C takes effect where `run_action` looks for it, never in the middle of a call to the JVM.

    A second Ctrl-C takes effect at once.
    """

    def note(number: int, frame: object) -> None:
        if _interrupted.is_set():
            signal.default_int_handler(number, frame)
        _interrupted.set()

    _interrupted.clear()
    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _interrupted.is_set():
        raise KeyboardInterrupt


def run_action(
    spark: SparkSession,
    description: str,
    action: Callable[[], T],
    on_progress: Callable[[float], None] | None = None,
) -> T:
    """Runs `action` and returns what it returns.

    Args:
        spark: The session.
        description: What the Spark UI shows for the jobs; never any text of the input.
        action: Calls Spark actions; runs in a thread of its own.
        on_progress: Called now and then with the share of tasks done, in [0, 1].

    Raises:
        BaseException: Whatever `action` raised. On Ctrl-C the jobs are cancelled first.
    """
    context = spark.sparkContext
    group = uuid.uuid4().hex
    result: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        context.setJobGroup(group, description, interruptOnCancel=True)
        try:
            result.append(action())
        except BaseException as error:  # handed to the caller below, whatever it is
            failure.append(error)

    thread = InheritableThread(target=work, daemon=True)
    thread.start()
    looked = time.monotonic()
    try:
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
            if on_progress and time.monotonic() - looked >= _PROGRESS_SECONDS:
                on_progress(_share_done(context, group))
                looked = time.monotonic()
            if _interrupted.is_set():
                raise KeyboardInterrupt
    except BaseException:
        context.cancelJobGroup(group)
        raise
    if failure:
        raise failure[0]
    return result[0]


def _share_done(context: object, group: str) -> float:
    tracker = context.statusTracker()
    done = total = 0
    for job_id in tracker.getJobIdsForGroup(group):
        job = tracker.getJobInfo(job_id)
        for stage_id in job.stageIds if job else ():
            stage = tracker.getStageInfo(stage_id)
            if stage:
                done += stage.numCompletedTasks
                total += stage.numTasks
    return done / total if total else 0.0
