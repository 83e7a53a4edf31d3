"""What the project's commands share: options in groups, exit codes, and errors that a person can act on."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_ENVIRONMENT = 4
EXIT_INTERRUPTED = 130


class GroupedOption(click.Option):
    """An option that `--help` shows under a heading."""

    def __init__(self, *args: Any, group: str = "Other", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


def option(group: str, *names: str, **settings: Any) -> Callable[[Callable], Callable]:
    """`click.option` under the heading `group`."""
    return click.option(*names, cls=GroupedOption, group=group, **settings)


class GroupedCommand(click.Command):
    """A command whose help lists its options under their headings, in the order they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes one section a group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


@contextmanager
def exit_codes(
    usage_errors: tuple[type[Exception], ...],
    input_errors: tuple[type[Exception], ...],
    environment_errors: tuple[type[Exception], ...],
    explain: Callable[[Exception], Exception | None],
    after_interrupt: Callable[[], str],
    folder: Callable[[], Path | None],
) -> Iterator[None]:
    """Turns what goes wrong into one message on stderr and an exit code.

    Args:
        usage_errors: Options that make no sense, alone or together: exit code 2.
        input_errors: The user's input: exit code 3.
        environment_errors: The machine: exit code 4.
        explain: Finds a known error inside a foreign one (an exception that a Spark worker raised), or None.
        after_interrupt: What to say after Ctrl-C.
        folder: Where the details of an internal error may be written; None is the system's temporary folder.
    """
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. {after_interrupt()}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        expected = usage_errors + input_errors + environment_errors
        known = error if isinstance(error, expected) else explain(error)
        if known is None:
            _internal_error(error, folder())
        kinds = ((usage_errors, EXIT_USAGE), (environment_errors, EXIT_ENVIRONMENT))
        code = next((code for kind, code in kinds if isinstance(known, kind)), EXIT_INPUT)
        click.echo(f"Error: {known}", err=True)
        sys.exit(code)


def _internal_error(error: Exception, folder: Path | None) -> None:
    """Puts the traceback into a file, where no one reads it by accident, and exits."""
    target = folder if folder is not None and folder.is_dir() else Path(tempfile.mkdtemp(prefix="unrecite-"))
    path = target / "error.log"
    path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
    click.echo(
        f"Error: something went wrong inside the program ({type(error).__name__}). The details are in {path}; "
        "they may hold text of the input. Finished stages are kept: the same command goes on from there.",
        err=True,
    )
    sys.exit(EXIT_INTERNAL)
