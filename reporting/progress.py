"""One line per stage while a run goes on: rows done, rows a second, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from reporting.numbers import count, duration

PLAIN_SECONDS = 15.0
"""Off a terminal, at most one line in this time."""


class Stage:
    """A running stage; hand it the rows done so far. Safe to call from another thread."""

    def __init__(
        self,
        name: str,
        total_rows: int | None,
        done_before: int,
        clock: Callable[[], float],
        show: Callable[[Stage], None],
    ) -> None:
        self.name = name
        self.total_rows = total_rows
        self.done_rows = done_before
        self._done_before = done_before
        self._clock = clock
        self._started = clock()
        self._show = show
        self._lock = threading.Lock()

    def update(self, done_rows: int) -> None:
        """Says how many rows are done, those of an interrupted run before included."""
        with self._lock:
            self.done_rows = done_rows
            self._show(self)

    @property
    def seconds(self) -> float:
        """Seconds since the stage started."""
        return self._clock() - self._started

    @property
    def rows_per_second(self) -> float | None:
        """Rows done in this run per second; None while there is nothing to divide."""
        rows, seconds = self.done_rows - self._done_before, self.seconds
        return rows / seconds if rows > 0 and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Estimated at the mean speed so far."""
        speed = self.rows_per_second
        return None if speed is None or self.total_rows is None else (self.total_rows - self.done_rows) / speed


class StageProgress:
    """Shows the stages of a run: a live line on a terminal, plain lines elsewhere.

    Use it in a `with` block: at the end the terminal has its cursor back, whatever happened.

    Args:
        console: Where to write.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = console.is_terminal and not console.is_dumb_terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._console.show_cursor(True)

    @contextmanager
    def stage(
        self, name: str, description: str, total_rows: int | None = None, done_before: int = 0
    ) -> Iterator[Stage]:
        """Shows a stage from start to end.

        The terminal is as it was when the block is left, by an error or Ctrl-C, too.

        Args:
            name: The stage's name.
            description: What it does, in a few words.
            total_rows: Rows it will handle; None where that is not known.
            done_before: Rows that an interrupted run has already done; they don't count for the speed.

        Yields:
            The stage, to be told of the rows done.
        """
        run = self._live_stage if self._live else self._plain_stage
        with run(name, description, total_rows, done_before) as stage:
            try:
                yield stage
            except BaseException as error:
                end = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
                self._end(stage, "✗", f"{end} after {_rows(stage.done_rows)}, {duration(stage.seconds)}")
                raise
            speed = stage.rows_per_second
            took = f"{_rows(stage.done_rows)} in {duration(stage.seconds)}"
            self._end(stage, "✓", f"{took}, {_speed(speed)}" if speed else took)

    def skipped(self, name: str, why: str) -> None:
        """Says that a stage has nothing to do, and why."""
        self._line("·", name, f"skipped: {why}", "dim")

    @contextmanager
    def _live_stage(self, name: str, description: str, total_rows: int | None, done_before: int) -> Iterator[Stage]:
        progress = Progress(
            TextColumn("{task.fields[name]:<10}", style="bold"),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=12),
            _StageColumn(),
            console=self._console,
            transient=True,
            expand=True,
        )
        with progress:
            stage = Stage(
                name,
                total_rows,
                done_before,
                self._clock,
                lambda stage: progress.update(task, completed=stage.done_rows),
            )
            task = progress.add_task(description, total=total_rows, completed=done_before, name=name, stage=stage)
            yield stage

    @contextmanager
    def _plain_stage(self, name: str, description: str, total_rows: int | None, done_before: int) -> Iterator[Stage]:
        said_at = self._clock()

        def show(stage: Stage) -> None:
            nonlocal said_at
            if self._clock() - said_at >= PLAIN_SECONDS and stage.done_rows != total_rows:
                said_at = self._clock()
                self._line("", name, _status(stage).plain)

        rows = [] if total_rows is None else [_rows(total_rows)]
        before = [f"{count(done_before)} already done"] if done_before else []
        self._line("", name, ", ".join([description, *rows, *before]))
        yield Stage(name, total_rows, done_before, self._clock, show)

    def _end(self, stage: Stage, sign: str, text: str) -> None:
        self._line(sign, stage.name, text, "red" if sign == "✗" else "")

    def _line(self, sign: str, name: str, text: str, style: str = "") -> None:
        if self._live:
            sign = sign if self._console.encoding.startswith("utf") else "*"
            line = Text.assemble((f"{sign} ", style or "green"), (f"{name:<10} ", "bold"), (text, style))
        else:
            line = Text(f"{name}: {'done, ' if sign == '✓' else ''}{text}")
        self._console.print(line, soft_wrap=True, highlight=False)


class _StageColumn(ProgressColumn):
    """Rows done, speed and time left of the task's stage."""

    def render(self, task: Task) -> Text:
        return _status(task.fields["stage"])


def _status(stage: Stage) -> Text:
    done = count(stage.done_rows)
    parts = [f"{done} of {_rows(stage.total_rows)}" if stage.total_rows is not None else f"{done} rows"]
    if stage.rows_per_second is not None:
        parts.append(_speed(stage.rows_per_second))
    if stage.seconds_left is not None:
        parts.append(f"{coarse(max(0.0, stage.seconds_left))} left")
    return Text(", ".join(parts))


def coarse(seconds: float) -> str:
    """An estimate: tenths of a second would only flicker."""
    return f"{round(seconds)} s" if seconds < 59.5 else duration(seconds)


def _rows(rows: int) -> str:
    return f"{count(rows)} row" if rows == 1 else f"{count(rows)} rows"


def _speed(rows_per_second: float) -> str:
    shown = count(rows_per_second) if rows_per_second >= 10 else f"{rows_per_second:.1f}"
    return f"{shown} rows/s"
