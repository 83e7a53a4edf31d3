"""The shipped weights are what the scripts make of the packages that the weights name."""

from __future__ import annotations

from importlib import resources

import pytest

from metrics.categories import train_code, train_licence
from metrics.categories.training.files import provenance, text_files, versions

SHIPPED = {"code_weights.txt": train_code, "licence_words.txt": train_licence}


def shipped(name: str) -> str:
    return resources.files("metrics.categories").joinpath(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_training_again_gives_the_same_file(name: str) -> None:
    listed = next(line for line in shipped(name).splitlines() if line.startswith("# packages: "))
    made_with = dict(package.rsplit(" ", 1) for package in listed.removeprefix("# packages: ").split(", "))
    other = [f"{package} {versions()[package]}, not {made_with[package]}" for package in made_with
             if versions()[package] != made_with[package]]  # fmt: skip
    if other:
        pytest.skip(f"the weights were made from other versions than those installed: {'; '.join(other)}")
    again = SHIPPED[name].build()
    (head, weights), (shipped_head, shipped_weights) = parts(again), parts(shipped(name))
    assert head == shipped_head
    assert len(again.splitlines()) == len(shipped(name).splitlines()) == len(head) + len(weights)
    assert weights.keys() == shipped_weights.keys()
    # Processors add up in other orders, so what lies in the middle of two hundredths is rounded to either.
    other = {word: weight for word, weight in weights.items() if abs(weight - shipped_weights[word]) > 0.0101}
    assert not other
    rounded = {word for word in weights if weights[word] != shipped_weights[word]}
    assert len(rounded) <= len(weights) / 100
    # All the rest, and its order, to the letter.
    kept, shipped_kept = (
        [line for line in text.splitlines() if line.startswith("#") or line.split(" ", 1)[1] not in rounded]
        for text in (again, shipped(name))
    )
    assert kept == shipped_kept


def parts(text: str) -> tuple[list[str], dict[str, float]]:
    """The lines that say where weights are from, and the weights."""
    lines = text.splitlines()
    values = (line.split(" ", 1) for line in lines if not line.startswith("#"))
    return [line for line in lines if line.startswith("#")], {word: float(weight) for weight, word in values}


@pytest.mark.parametrize("name", SHIPPED)
def test_they_are_small_and_hold_numbers(name: str) -> None:
    text = shipped(name)
    assert len(text.encode()) <= 64 * 1024
    weights = [float(line.split(" ", 1)[0]) for line in text.splitlines() if not line.startswith("#")]
    assert len(weights) > 500
    assert max(weights) < 20


def test_provenance_names_every_file() -> None:
    files = text_files()
    packages, read = provenance(files)
    assert packages.startswith("accelerate ")
    assert read.startswith(f"{len(files)} files, sha256 ")
    assert provenance(files[1:])[1].partition("sha256")[2] != read.partition("sha256")[2]
    assert all(file.hash for file in files)
