"""What the HTML reports share: templates that escape everything, and a page written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from reporting.example_text import visible
from reporting.numbers import (
    change,
    count,
    duration,
    fraction,
    interval,
    log10_of_nats,
    nats,
    number,
    parameters,
    percent,
    tries,
)

_TEMPLATES = (
    "report.html.jinja",
    "sections.html.jinja",
    "predictor.html.jinja",
    "report.css",
    "unlearning.html.jinja",
    "unlearning_tables.html.jinja",
    "unlearning.css",
)
_NBSP = "\N{NO-BREAK SPACE}"


def render_page(template: str, **values: Any) -> str:
    """Fills a template; every text in `values` is escaped, and what would act instead of being read is made visible.

    Args:
        template: Name of a file of this package.
        values: What the template names.
    """
    return _environment().get_template(template).render(**values)


def write_page(page: str, path: Path) -> None:
    """Writes a page; the file is there whole or not at all.

    Args:
        page: The HTML document.
        path: The file to write; its folder must exist.

    Raises:
        OSError: The file can't be written. One that was there before stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page.encode("utf-8", errors="replace"))
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def grouped(rows: Iterable[Mapping[str, Any]], field: str) -> dict[str, list[Mapping[str, Any]]]:
    """Groups rows by a field, groups and rows in the order in which they come."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[field], []).append(row)
    return groups


@cache
def _environment() -> Environment:
    folder = resources.files("reporting")  # also from inside a zip, as on a Spark cluster
    environment = Environment(
        loader=DictLoader({name: folder.joinpath(name).read_text("utf-8") for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value,
    )
    environment.filters |= {
        "count": count,
        "num": number,
        "fraction": fraction,
        "pct": _unbroken(percent),
        "whole": lambda text: text.replace(" %", f"{_NBSP}%"),
        "log10": log10_of_nats,
        "nats": nats,
        "tries": tries,
        "duration": _unbroken(duration),
        "parameters": _unbroken(parameters),
    }
    environment.globals |= {"interval": _unbroken(interval), "change": _unbroken(change)}
    return environment


def _unbroken(format_number: Callable[..., str]) -> Callable[..., str]:
    """The same text, kept on one line."""
    return lambda *values: format_number(*values).replace(" ", _NBSP)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
