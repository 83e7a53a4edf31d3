"""One line while a model is trained: iteration, what the method reports of it, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from reporting.comparison import n_things
from reporting.numbers import duration, number, percent
from reporting.progress import coarse
from reporting.tables import encodable

PLAIN_SECONDS = 5.0
"""Off a terminal, at most one line in this time, beside the first and the last."""


@dataclass(frozen=True)
class _Part:
    """A part of the line.

    Attributes:
        label: What it is called.
        short: What it is called on a terminal.
        needs: The figure without which it is left out.
        show: Record -> its text.
        keep: On a terminal too narrow for all, parts go in ascending order of this.
    """

    label: str
    short: str
    needs: str
    show: Callable[[Mapping[str, Any]], str]
    keep: int


def _steady(value: float) -> str:
    """Three decimals, so that a line that is written over and over does not jump."""
    return f"{value:.3f}" if 0.001 <= abs(value) < 10 or value == 0 else number(value)


def _reward(record: Mapping[str, Any]) -> str:
    spread = record.get("reward_std")
    return _steady(record["reward_mean"]) + ("" if spread is None else f" ± {_steady(spread)}")


_PARTS = (
    _Part("reward", "reward", "reward_mean", _reward, 4),
    _Part("forget loss", "loss", "forget_loss", lambda record: _steady(record["forget_loss"]), 4),
    _Part("KL", "KL", "kl", lambda record: _steady(record["kl"]), 3),
    _Part("clipped", "clip", "clip_fraction", lambda record: percent(record["clip_fraction"]), 1),
    _Part(
        "forget set extractable",
        "forget",
        "forget_extractable",
        lambda record: percent(record["forget_extractable"]),
        6,
    ),
    _Part("retain loss", "retain", "retain_loss", lambda record: _steady(record["retain_loss"]), 2),
)


class TrainingProgress:
    """Shows a training: a live line on a terminal, plain lines elsewhere.

    Use it in a `with` block, and call it with the record of each finished iteration. At the end one line stays, and
    the terminal is as it was, after an error or Ctrl-C, too.

    Args:
        console: Where to write.
        iterations: The most there will be.
        name: What is trained, in a word.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        console: Console,
        iterations: int,
        name: str = "unlearn",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._iterations = iterations
        self._name = name
        self._clock = clock
        self._started = clock()
        self._done_before: int | None = None
        self._record: Mapping[str, Any] | None = None
        self._said: Mapping[str, Any] | None = None
        self._shown_at = self._said_at = self._started
        live = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(self, console=console, transient=True, refresh_per_second=4) if live else None

    def __enter__(self) -> Self:
        self._started = self._clock()
        if self._live:
            self._live.start()
        else:
            self._say(f"{self._name}: at most {n_things(self._iterations, 'iteration')}")
        return self

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Shows an iteration.

        Args:
            record: `iteration`, counted from 1, and those of `unlearning.method.FIGURES` that the method reports.
        """
        if self._done_before is None:
            self._done_before = record["iteration"] - 1
        first, self._record, self._shown_at = self._said is None, record, self._clock()
        if self._live:
            self._live.refresh()
        elif first or self._clock() - self._said_at >= PLAIN_SECONDS:
            self._say_record()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        elif self._record is not None and self._said is not self._record:
            self._say_record()  # a stop rule may end it at any iteration: only now is the last one known
        took = f"{n_things(self._done_here, 'iteration')} in {duration(self._clock() - self._started)}"
        if error is not None:
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self._end("✗", f"{word} after {took}", "red")
            return
        left = (self._record or {}).get("forget_extractable")
        self._end("✓", took if left is None else f"{took}, forget set extractable {percent(left)}", "")

    @property
    def seconds_left(self) -> float | None:
        """At most so many, at the mean speed so far; the iterations of an interrupted run before don't count."""
        if self._record is None:
            return None
        an_iteration = (self._shown_at - self._started) / self._done_here
        left = (self._iterations - self._record["iteration"]) * an_iteration
        return max(0.0, left - (self._clock() - self._shown_at))

    @property
    def _done_here(self) -> int:
        return 0 if self._record is None else self._record["iteration"] - self._done_before

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The live line, with as many parts as there is room for."""
        parts = self._parts()
        while parts and self._live_line(parts).cell_len > options.max_width:
            parts.remove(min(parts, key=lambda part: part.keep))
        yield self._live_line(parts)

    def _live_line(self, parts: list[_Part]) -> Text:
        done, total = self._record["iteration"] if self._record else 0, str(self._iterations)
        place = f"{done:>{len(total)}}/{total}"
        shown = "  ".join([place, *(f"{part.short} {part.show(self._record)}" for part in parts), *self._time_left()])
        return Text.assemble((f"{self._name:<10} ", "bold"), self._encodable(shown), no_wrap=True, overflow="crop")

    def _parts(self) -> list[_Part]:
        return [part for part in _PARTS if self._record and self._record.get(part.needs) is not None]

    def _time_left(self) -> list[str]:
        left = self.seconds_left
        return [f"{coarse(left)} left"] if left else []

    def _say_record(self) -> None:
        place = f"iteration {self._record['iteration']} of {self._iterations}"
        figures = [f"{part.label} {part.show(self._record)}" for part in self._parts()]
        self._say(f"{self._name}: {', '.join([place, *figures, *self._time_left()])}")
        self._said, self._said_at = self._record, self._clock()

    def _say(self, text: str) -> None:
        self._console.print(Text(self._encodable(text)), soft_wrap=True, highlight=False)

    def _end(self, sign: str, text: str, style: str) -> None:
        if self._live is None:
            self._say(f"{self._name}: {'done, ' if sign == '✓' else ''}{text}")
            return
        marked = self._encodable(sign)
        line = Text.assemble((f"{marked} ", style or "green"), (f"{self._name:<10} ", "bold"), (text, style))
        self._console.print(line, soft_wrap=True, highlight=False)

    def _encodable(self, text: str) -> str:
        return encodable(text, self._console.encoding)
