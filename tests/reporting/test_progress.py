"""One line per stage, on a terminal and off it."""

import io

import pytest
from rich.console import Console

from reporting.progress import StageProgress

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Clock:
    """A clock that a test moves on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def plain():
    clock, out = Clock(), io.StringIO()
    return StageProgress(Console(file=out, width=100), clock), clock, out


def test_plain_lines_come_at_the_start_at_most_every_15_seconds_and_at_the_end():
    progress, clock, out = plain()
    with progress.stage("score", "one forward pass per sequence", 1000) as stage:
        for second in range(1, 41):
            clock.now = 100.0 + second
            stage.update(20 * second)
        clock.now = 150.0
        stage.update(1000)
    assert out.getvalue().splitlines() == [
        "score: one forward pass per sequence, 1,000 rows",
        "score: 300 of 1,000 rows, 20 rows/s, 35 s left",
        "score: 600 of 1,000 rows, 20 rows/s, 20 s left",
        "score: done, 1,000 rows in 50.0 s, 20 rows/s",
    ]


def test_rows_of_an_interrupted_run_do_not_count_for_the_speed():
    progress, clock, out = plain()
    with progress.stage("score", "forward pass", 1000, done_before=800) as stage:
        clock.now += 20
        stage.update(900)
        assert stage.rows_per_second == 5
        assert stage.seconds_left == 20
    assert out.getvalue().splitlines()[0] == "score: forward pass, 1,000 rows, 800 already done"


def test_a_total_may_be_unknown():
    progress, clock, out = plain()
    with progress.stage("prepare", "read the sequences") as stage:
        clock.now += 16
        stage.update(8)
    assert out.getvalue().splitlines() == [
        "prepare: read the sequences",
        "prepare: 8 rows, 0.5 rows/s",
        "prepare: done, 8 rows in 16.0 s, 0.5 rows/s",
    ]


def test_a_skipped_stage_says_why():
    progress, _, out = plain()
    progress.skipped("label", "complete from an earlier run")
    assert out.getvalue() == "label: skipped: complete from an earlier run\n"


@pytest.mark.parametrize(("error", "said"), [(KeyboardInterrupt, "interrupted"), (OSError, "failed")])
def test_the_terminal_is_restored_after_an_error(error, said):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90, color_system=None)
    with pytest.raises(error), StageProgress(console).stage("score", "forward pass", 10) as stage:
        stage.update(3)
        raise error
    shown = out.getvalue()
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1
    assert shown.index(HIDE_CURSOR) < shown.index(SHOW_CURSOR)
    assert f"score      {said} after 3 rows" in shown


def test_a_terminal_shows_rows_and_ends_with_one_line():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90, color_system=None)
    with StageProgress(console).stage("score", "forward pass", 1490) as stage:
        stage.update(512)
        stage.update(1490)
    assert "1,490 of 1,490 rows" in out.getvalue()
    assert "✓ score      1,490 rows in" in out.getvalue()


def test_a_dumb_terminal_gets_plain_lines():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90, color_system=None, _environ={"TERM": "dumb"})
    with StageProgress(console) as progress, progress.stage("score", "forward pass", 2) as stage:
        stage.update(2)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().startswith("score: forward pass, 2 rows\n")
