"""Two real processes that share the rollouts end up where one does."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).with_name("train_demem.py")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, for this process."""
    specification = importlib.util.spec_from_file_location("train_demem", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def launched(tmp_path_factory) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*launcher, str(SCRIPT), str(folder)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return folder


@pytest.mark.parametrize("name", ["token", "sacrebleu", "one retain row", "minibatches"])
def test_two_processes_agree(launched, script, name):
    first, second = (load_file(launched / f"{name}-{rank}.safetensors") for rank in (0, 1))
    for key, value in first.items():
        assert torch.equal(value, second[key]), key
    if name == "minibatches":  # made up of other rows than those of one process
        return
    for key, value in script.trained(name).items():
        torch.testing.assert_close(first[key], value, rtol=2e-3, atol=2e-5, msg=lambda text, key=key: f"{key}: {text}")
