"""The methods' hyper-parameters as command-line options: one option a name, made from the settings' own dataclasses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields, replace
from typing import Any

import click

from reporting.command import option
from unlearning.method import Method, UnlearningError


class Numbers(click.ParamType):
    """Numbers separated by commas, such as 1,1.5."""

    name = "x,x,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """The numbers as a tuple."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 1,1.5", param, ctx)


_TYPES: dict[str, Any] = {
    "int": click.INT,
    "float": click.FLOAT,
    "str": click.STRING,
    "bool": click.BOOL,
    "tuple[float, ...]": Numbers(),
}


def option_name(field_name: str) -> str:
    """`learning_rate` as `--learning-rate`; `lambda_` as `--lambda`."""
    return "--" + field_name.rstrip("_").replace("_", "-")


def method_options(methods: Iterable[Method], *, leave_out: Iterable[str] = ()) -> Callable[[Callable], Callable]:
    """A decorator with one option for each hyper-parameter of any method.

    An option that is not given is None; `chosen_settings` then leaves the preset's value.

    Args:
        methods: The methods, in the order of the help.
        leave_out: Fields that the command has an option of its own for.
    """
    found: dict[str, tuple[Field, list[Method]]] = {}
    for method in methods:
        for item in fields(method.presets["auto"]):
            if item.name not in leave_out and not item.metadata.get("hidden"):
                found.setdefault(item.name, (item, []))[1].append(method)

    def decorate(command: Callable) -> Callable:
        for item, users in reversed(found.values()):
            choices = item.metadata.get("choices")
            kind = click.Choice(choices) if choices else _TYPES[item.type.removesuffix(" | None")]
            command = option(
                f"Hyper-parameters: {users[0].name}",
                option_name(item.name),
                item.name,
                type=kind,
                default=None,
                help=f"{_explained(item.name, users)}. {_defaults(item.name, users)}",
            )(command)
        return command

    return decorate


def chosen_settings(method: Method, preset: str, given: Mapping[str, Any]) -> Any:
    """The preset's settings with what was typed in their place.

    Args:
        method: The method.
        preset: `auto` or `paper`.
        given: Option values by field; None is not given.

    Raises:
        UnlearningError: An option that this method does not have, or a value outside its range.
    """
    settings = method.presets[preset]
    known = {item.name for item in fields(settings)}
    typed = {name: value for name, value in given.items() if value is not None}
    for name, value in typed.items():
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            raise UnlearningError(f"{option_name(name)} {value}: expected a finite number.")
        if name not in known:
            raise UnlearningError(
                f"{option_name(name)} is no hyper-parameter of {method.name}: leave it out, or choose another --method."
            )
    try:
        return replace(settings, **typed)
    except ValueError as error:
        raise UnlearningError(str(error)) from error


def _explained(name: str, users: Iterable[Method]) -> str:
    """What the hyper-parameter does; where methods differ in it, in the words of each."""
    words: dict[str, str] = {}
    for method in users:
        item = next(item for item in fields(method.presets["auto"]) if item.name == name)
        words.setdefault(item.metadata["help"], method.name)
    first, *others = words
    return "; ".join([first[0].upper() + first[1:], *(f"with {words[other]}: {other}" for other in others)])


def _defaults(name: str, users: Iterable[Method]) -> str:
    """`[demem: 256, paper 32; gradient-ascent: ...]`."""
    parts = []
    for method in users:
        auto, paper = (_shown(getattr(method.presets[preset], name)) for preset in ("auto", "paper"))
        parts.append(f"{method.name}: {auto}" + (f", paper {paper}" if paper != auto else ""))
    return f"[{'; '.join(parts)}]"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(f"{part:g}" for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
