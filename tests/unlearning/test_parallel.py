"""Two real processes, launched as on a machine without a GPU, end up where one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("two_processes.py")
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def launched(tmp_path_factory) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = subprocess.Popen(
        [*launcher, str(SCRIPT), str(folder)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, errors = process.communicate(timeout=180)
    finally:
        process.terminate()  # the launcher ends its processes, also where they wait for each other for ever
    assert process.returncode == 0, errors[-4000:]
    return folder


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_gradients_weights_and_figures_are_those_of_one_process(launched, kind, two_processes):
    alone = two_processes.compute(kind == "lora")
    first, second = (load_file(launched / f"{kind}-{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys() == alone.keys()
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(
            first[name], value, rtol=1e-4, atol=2e-6, msg=lambda text, name=name: f"{name} {text}"
        )
    assert alone["total"] == 21
    assert alone["grad single"].tolist() == pytest.approx((2 * torch.tensor([1 - 0.02] * 3) / 84).tolist(), rel=1e-3)


def test_an_interrupted_training_of_two_resumes_exactly(launched):
    for name in ("weights", "method", "random"):
        one, other = (
            load_file(launched / run / "state" / "000004" / f"{name}.safetensors") for run in ("whole", "pieces")
        )
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    assert one["cpu"].shape[0] == 2 and not torch.equal(one["cpu"][0], one["cpu"][1])
    lines = [(launched / run / "training.jsonl").read_text().splitlines() for run in ("whole", "pieces")]
    assert len(lines[0]) == len(lines[1]) == 4
