"""The two presets, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import pytest
import torch

from unlearning.demem import DEMEM
from unlearning.demem.settings import AUTO, PAPER
from unlearning.method import Task


def task_of(forget_rows: int) -> Task:
    rows = torch.zeros(forget_rows, 4, dtype=torch.int64)
    return Task(rows, rows, rows, rows, 2, None, (), 0)


def test_paper_is_the_published_setting():
    published = {
        "reward": "sacrebleu",
        "reward_scale": 100.0,
        "depth": "prefix",
        "rollouts": 32,
        "epochs": 4,
        "learning_rate": 1.41e-5,
        "adam_eps": 1e-8,
        "clip": 0.2,
        "gamma": 1.0,
        "lambda_": 0.95,
        "baseline": "value-head",
        "value_clip": 0.2,
        "value_coefficient": 0.1,
        "whiten": True,
        "kl": "adaptive",
        "kl_coefficient": 0.2,
        "kl_target": 6.0,
        "kl_horizon": 10_000,
        "temperatures": (1.0,),
        "retain_coefficient": 0.0,
        "skip": False,
    }
    assert {name: getattr(PAPER, name) for name in published} == published


@pytest.mark.parametrize(("forget_rows", "expected"), [(32, 8), (33, 9), (4, 1), (39, 10)])
def test_paper_goes_eight_times_over_the_forget_set(forget_rows, expected):
    assert DEMEM.iterations(PAPER, task_of(forget_rows)) == expected
    assert DEMEM.iterations(AUTO, task_of(forget_rows)) == AUTO.iterations


def test_every_setting_explains_itself():
    for item in fields(AUTO):
        assert item.metadata["help"], item.name
        for preset in DEMEM.presets.values():
            choices = item.metadata.get("choices")
            assert not choices or getattr(preset, item.name) in (*choices, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rollouts": 0}, "--rollouts 0"),
        ({"learning_rate": -1.0}, "--learning-rate -1.0"),
        ({"lambda_": 1.5}, "--lambda 1.5: expected 0 to 1"),
        ({"temperatures": (1.0, 0.0)}, "--temperatures"),
        ({"temperatures": ()}, "--temperatures"),
        ({"minibatch": 512}, "--minibatch 512 is more than --rollouts 256"),
        ({"advantage_floor": 0.0}, "--advantage-floor"),
        ({"retain_rows": -1}, "--retain-rows"),
        ({"baseline": "closed-form", "reward": "sacrebleu"}, "--baseline value-head, or --reward token"),
        ({"kl": "adaptive", "kl_target": 0.0}, "--kl-target"),
        ({"clip": float("nan")}, "--clip"),
    ],
)
def test_contradictions_and_values_out_of_range_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        replace(AUTO, **change)


def test_the_command_can_be_described_without_torch():
    script = "import sys, unlearning.demem as d; assert d.DEMEM.presets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
