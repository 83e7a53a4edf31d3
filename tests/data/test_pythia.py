"""Names of the Pythia suite."""

from __future__ import annotations

import doctest

import pytest

from data import pythia
from data.errors import InputError
from data.pythia import STEPS, parse


def test_final_checkpoint() -> None:
    target = parse("70m-deduped")
    assert target.model == "EleutherAI/pythia-70m-deduped"
    assert target.revision is None
    assert target.dataset == "EleutherAI/pythia-memorized-evals"
    assert target.split == "deduped.70m"
    assert parse("EleutherAI/pythia-70m-deduped") == target


def test_no_scheme_is_duped() -> None:
    target = parse("1.4b")
    assert (target.model, target.split, target.scheme) == ("EleutherAI/pythia-1.4b", "duped.1.4b", "duped")
    assert parse("1.4B-duped") == target


def test_intermediate_checkpoint() -> None:
    target = parse("12b-deduped@step23000")
    assert (target.model, target.revision) == ("EleutherAI/pythia-12b-deduped", "step23000")
    assert target.split == "deduped.12b.23000"
    assert parse("12b-deduped@23000") == target
    assert parse("12b@step143000").split == "duped.12b", "the last step is the final checkpoint"


def test_random_sample() -> None:
    target = parse("160m-deduped@step512", source="random-sample")
    assert target.dataset == "EleutherAI/pile-deduped-pythia-random-sampled"
    assert (target.split, target.revision) == ("train", "step512")
    assert parse("14m", source="random-sample").dataset == "EleutherAI/pile-duped-pythia-random-sampled"


def test_every_published_checkpoint() -> None:
    assert len(STEPS) == 154 == len(set(STEPS))
    assert STEPS[:11] == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    assert STEPS[11] == 1000 and STEPS[-1] == 143_000


@pytest.mark.parametrize(
    ("spec", "source", "message"),
    [
        ("13b", "memorized", r"unknown size '13b'. Did you mean '12b'\?"),
        ("70m-dedup", "memorized", r"unknown scheme 'dedup'. Did you mean 'deduped'\?"),
        ("70m@step1500", "memorized", "no checkpoint at step 1500; the nearest: step1000 and step2000"),
        ("70m@step999999", "memorized", "the nearest: step143000"),
        ("70m@main", "memorized", "found 'main' after the @"),
        ("70m", "random", r"Unknown --pythia-source 'random'. Did you mean 'random-sample'\?"),
        ("14m-deduped", "random-sample", "published as EleutherAI/pythia-14m only"),
        ("31m", "memorized", "has no sequences for 31m"),
        ("", "memorized", "is no Pythia model"),
        ("-", "memorized", "is no Pythia model"),
        ("70m@", "memorized", "is no Pythia model"),
    ],
)
def test_unknown_names(spec: str, source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(spec, source)


def test_examples_in_the_docstring() -> None:
    assert doctest.testmod(pythia).failed == 0
