import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from metrics.memory import give_back, unwritten_maps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's list of a process's maps is absent")
ROWS = 4_000_000  # 16 MB


@pytest.fixture
def mapped(tmp_path):
    """A weight as safetensors maps it, looked at once; the file is the hub's, a link to one of another name."""
    save_file({"weight": torch.arange(float(ROWS))}, tmp_path / "5e1f9a")
    (tmp_path / "model.safetensors").symlink_to("5e1f9a")
    weight = load_file(tmp_path / "model.safetensors")["weight"]
    weight.sum()
    return weight


class TestMaps:
    def test_what_is_mapped_and_where_from(self, mapped, tmp_path):
        (found,) = unwritten_maps([mapped.data_ptr()])
        assert mapped.data_ptr() in found.addresses and mapped.data_ptr() + mapped.nbytes - 1 in found.addresses
        assert found.path == tmp_path / "5e1f9a"
        with found.path.open("rb") as file:
            file.seek(found.offset + mapped.data_ptr() - found.addresses.start)
            assert file.read(mapped.nbytes) == mapped.numpy().tobytes()

    def test_pages_are_given_back_and_read_again(self, mapped, resident):
        before = resident(mapped)
        assert before >= 4 * ROWS
        give_back(unwritten_maps([mapped.data_ptr()]))
        assert resident(mapped) < before // 2
        assert torch.equal(mapped, torch.arange(float(ROWS)))

    def test_a_map_that_was_written_to_is_not_among_them(self, mapped):
        mapped[7] = -1.0
        assert unwritten_maps([mapped.data_ptr()]) == []

    def test_weights_of_no_file_are_in_none(self):
        weight = torch.arange(float(ROWS))
        assert unwritten_maps([weight.data_ptr()]) == []


FREED = """
import torch
from metrics.memory import give_back_freed, keep_freed

def anonymous():
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024

keep_freed()
give_back_freed()
before = anonymous()
block = torch.ones(2_000_000)  # 8 MB: less than what is always mapped for itself
with_block = anonymous()
del block
kept = anonymous()
give_back_freed()
print(with_block - before, kept - before, anonymous() - before)
"""


def test_freed_memory_is_kept_until_it_is_given_back():
    # In a process of its own: how a process allocates can't be changed back.
    repository = Path(__file__).resolve().parents[2]
    run = subprocess.run([sys.executable, "-c", FREED], cwd=repository, capture_output=True, text=True, check=True)
    with_block, kept, left = map(int, run.stdout.split())
    assert with_block > 7e6 and kept > 7e6
    assert left < 1e6
