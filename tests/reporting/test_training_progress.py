"""The line of a training, on a terminal and off it."""

import io
import re

import pytest
from rich.console import Console

from reporting.training_progress import TrainingProgress

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Clock:
    """A clock that a test moves on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def record(iteration, **figures):
    return {
        "iteration": iteration,
        "reward_mean": -0.25,
        "reward_std": 0.0612,
        "kl": 0.0413,
        "clip_fraction": 0.082,
        "forget_extractable": 1 - iteration / 10,
        "retain_loss": 0.0123,
        "seconds": 2.0,
    } | figures


def follow(records, iterations, seconds=2.0, error=None, **console):
    clock, out = Clock(), io.StringIO()
    progress = TrainingProgress(Console(file=out, **({"width": 100} | console)), iterations, clock=clock)
    with progress:
        for entry in records:
            clock.now += seconds
            progress(entry)
        if error:
            raise error
    return out.getvalue()


def test_plain_lines_come_first_last_and_at_most_every_five_seconds():
    lines = follow([record(i) for i in range(1, 11)], 10).splitlines()
    figures = "reward -0.250 ± 0.061, KL 0.041, clipped 8.2 %, forget set extractable"
    assert lines == [
        "unlearn: at most 10 iterations",
        f"unlearn: iteration 1 of 10, {figures} 90.0 %, retain loss 0.012, 18 s left",
        f"unlearn: iteration 4 of 10, {figures} 60.0 %, retain loss 0.012, 12 s left",
        f"unlearn: iteration 7 of 10, {figures} 30.0 %, retain loss 0.012, 6 s left",
        f"unlearn: iteration 10 of 10, {figures} 0.0 %, retain loss 0.012",
        "unlearn: done, 10 iterations in 20.0 s, forget set extractable 0.0 %",
    ]


def test_the_last_iteration_is_told_when_a_stop_rule_ends_it():
    lines = follow([record(1), record(2)], 10).splitlines()
    assert [line[:24] for line in lines[1:]] == [
        "unlearn: iteration 1 of ",
        "unlearn: iteration 2 of ",
        "unlearn: done, 2 iterati",
    ]


def test_figures_that_a_method_does_not_report_are_left_out():
    lines = follow([{"iteration": 1, "forget_loss": 2.5, "forget_extractable": 0.5}], 1).splitlines()
    assert lines[1] == "unlearn: iteration 1 of 1, forget loss 2.500, forget set extractable 50.0 %"
    assert follow([{"iteration": 1}], 1).splitlines()[1:] == [
        "unlearn: iteration 1 of 1",
        "unlearn: done, 1 iteration in 2.0 s",
    ]


def test_iterations_of_an_interrupted_run_do_not_count_for_the_speed():
    lines = follow([record(7), record(8)], 10, seconds=6.0).splitlines()
    assert lines[1].endswith("18 s left")  # 3 iterations of 6 seconds
    assert lines[2].endswith("12 s left")
    assert lines[-1].startswith("unlearn: done, 2 iterations in 12.0 s")


@pytest.mark.parametrize(("error", "word"), [(KeyboardInterrupt(), "interrupted"), (OSError(), "failed")])
def test_after_an_error_the_last_iteration_and_the_end_are_told(error, word):
    out = io.StringIO()
    with pytest.raises(type(error)), TrainingProgress(Console(file=out, width=100), 10) as progress:
        progress(record(1))
        progress(record(2))
        raise error
    lines = out.getvalue().splitlines()
    assert lines[2].startswith("unlearn: iteration 2 of 10")
    assert lines[3].startswith(f"unlearn: {word} after 2 iterations")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_the_terminal_is_restored_after_an_error(error):
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=90, color_system=None)
    with pytest.raises(error), TrainingProgress(console, 10) as progress:
        progress(record(3))
        raise error
    shown = out.getvalue()
    assert shown.count(HIDE_CURSOR) == shown.count(SHOW_CURSOR) == 1
    assert shown.index(HIDE_CURSOR) < shown.index(SHOW_CURSOR)
    assert "✗ unlearn" in shown


@pytest.mark.parametrize("width", [30, 50, 80, 120])
def test_the_live_line_never_wraps_and_drops_figures_not_digits(width):
    shown = follow([record(3)], 10, force_terminal=True, color_system=None, width=width)
    line = next(part for part in shown.replace("\r", "\n").split("\n") if " 3/10" in part)
    line = re.sub(r"\x1b\[[?\d]*[A-Za-z]?", "", line)
    assert len(line) <= width
    assert ("forget 70.0 %" in line) == (width >= 50)
    assert ("KL 0.041" in line) == (width >= 80)
    assert ("clip 8.2 %" in line) == (width >= 120)
    assert ("retain 0.012" in line) == (width >= 120)
    assert "✓ unlearn    1 iteration in 2.0 s, forget set extractable 70.0 %" in shown


def test_a_dumb_terminal_gets_plain_lines():
    shown = follow([record(1)], 1, force_terminal=True, color_system=None, _environ={"TERM": "dumb"})
    assert "\x1b" not in shown
    assert shown.startswith("unlearn: at most 1 iteration\n")


def test_an_ascii_output_gets_ascii():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    with TrainingProgress(Console(file=out, width=100), 1, name="control") as progress:
        progress(record(1, kl=1.2e-7))
    out.flush()
    assert b"control: iteration 1 of 1, reward -0.250 +- 0.061, KL 1.20x10^-7" in raw.getvalue()
