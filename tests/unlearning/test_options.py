"""Hyper-parameters as options: one for each field, defaults shown, the preset filled in."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from unlearning import METHODS
from unlearning.method import UnlearningError
from unlearning.options import chosen_settings, method_options, option_name


@click.command()
@method_options(METHODS.values())
def command(**given: object) -> None:
    click.echo(repr({name: value for name, value in given.items() if value is not None}))


def test_every_hyper_parameter_of_every_method_is_an_option() -> None:
    help_text = CliRunner().invoke(command, ["--help"]).output
    for method in METHODS.values():
        for item in fields(method.presets["auto"]):
            if not item.metadata.get("hidden"):
                assert option_name(item.name) in help_text, item.name
    assert "--lambda" in help_text and "--lambda-" not in help_text
    assert "--control" not in help_text  # hidden: the command has a flag of that name


def test_values_are_read_by_the_type_of_the_field() -> None:
    given = CliRunner().invoke(command, ["--learning-rate", "2e-4", "--temperatures", "1,1.5", "--skip", "no"]).output
    assert ast.literal_eval(given) == {"learning_rate": 2e-4, "temperatures": (1.0, 1.5), "skip": False}
    wrong = CliRunner().invoke(command, ["--temperatures", "warm"])
    assert wrong.exit_code == 2 and "'warm' is not a list of numbers such as 1,1.5" in wrong.output
    assert CliRunner().invoke(command, ["--reward", "rouge"]).exit_code == 2


def test_what_is_not_typed_stays_as_the_preset_has_it() -> None:
    demem = METHODS["demem"]
    chosen = chosen_settings(demem, "paper", {"rollouts": 64, "epochs": None})
    paper = demem.presets["paper"]
    assert (chosen.rollouts, chosen.epochs, chosen.learning_rate) == (64, paper.epochs, 1.41e-5)
    assert chosen_settings(demem, "auto", {}) == demem.presets["auto"]


def test_a_hyper_parameter_of_another_method_is_refused_by_name() -> None:
    with pytest.raises(UnlearningError, match="--chunk is no hyper-parameter of demem"):
        chosen_settings(METHODS["demem"], "auto", {"chunk": 8})


def test_a_name_that_methods_share_is_explained_in_the_words_of_each() -> None:
    shown = " ".join(CliRunner().invoke(command, ["--help"], terminal_width=400).output.split())
    assert "3e-4 up to 30 M parameters); with demem-grpo: Adam's (none: by the model's size, 9e-4" in shown


@pytest.mark.parametrize("name", ["max_gradient_norm", "kl_coefficient", "retain_coefficient", "retain_rows"])
@pytest.mark.parametrize("method", ["demem", "demem-grpo"])
def test_weights_and_counts_below_zero_are_refused(method: str, name: str) -> None:
    with pytest.raises(UnlearningError, match=f"{option_name(name)} -1"):
        chosen_settings(METHODS[method], "auto", {name: -1})


def test_the_help_needs_no_torch() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, unlearning.cli; print('torch' in sys.modules, 'trl' in sys.modules)"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        check=True,
    )
    assert seen.stdout.split() == ["False", "False"]
