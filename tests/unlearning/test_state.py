"""What is saved comes back as it was, and the last whole save survives whatever happens to the next one."""

from __future__ import annotations

import json

import pytest
import torch

from unlearning import state as saves
from unlearning.disk import DiskError
from unlearning.method import State, UnlearningError


def make(iteration: int, size: int = 4) -> saves.Saved:
    buffer = torch.arange(2.0 * size)
    return saves.Saved(
        iteration=iteration,
        weights={"a": buffer[:size], "b": buffer[size:].view(2, -1).T},  # views of one buffer, one not contiguous
        state=State({"moment": torch.tensor(float(iteration))}, {"kl": 0.25, "epoch": [1, 2]}),
        random={"cpu": torch.get_rng_state()[None]},
        counters={"stopped": "", "unseen": None},
    )


def test_round_trip(tmp_path):
    assert saves.load(tmp_path) is None and saves.latest(tmp_path) == 0
    saved = make(7)
    saves.save(tmp_path, saved)
    found = saves.load(tmp_path)
    assert (found.iteration, found.counters, found.state.values) == (7, saved.counters, saved.state.values)
    for name in ("weights", "random"):
        one, other = getattr(saved, name), getattr(found, name)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    assert found.state.tensors["moment"] == 7.0


def test_a_method_may_hand_over_nothing(tmp_path):
    saved = saves.Saved(1, {"a": torch.zeros(2)}, State(), {"cpu": torch.get_rng_state()[None]}, {})
    saves.save(tmp_path, saved)
    assert dict(saves.load(tmp_path).state.tensors) == {}


def test_only_the_newest_is_kept(tmp_path):
    (tmp_path / ".000009.123").mkdir()  # a process was killed while it wrote this
    for iteration in (9, 10):
        saves.save(tmp_path, make(iteration))
    assert [path.name for path in tmp_path.iterdir()] == ["000010"]
    assert sorted(path.name for path in (tmp_path / "000010").iterdir()) == [
        "method.safetensors",
        "random.safetensors",
        "state.json",
        "weights.safetensors",
    ]


def test_a_disk_that_does_not_take_it(tmp_path, no_file_above):
    saves.save(tmp_path, make(2))
    with no_file_above(20_000), pytest.raises(DiskError, match=f"iteration 4 .*after iteration 2 stays in {tmp_path}"):
        saves.save(tmp_path, make(4, size=10_000))
    assert saves.load(tmp_path).iteration == 2
    assert [path.name for path in tmp_path.iterdir()] == ["000002"]


def test_a_save_that_is_not_whole_is_never_taken(tmp_path):
    saves.save(tmp_path, make(2))
    with pytest.raises(ValueError):  # the last file of a save is the JSON
        saves.save(tmp_path, saves.Saved(4, {}, State(values={"kl": float("nan")}), {}, {}))
    assert saves.load(tmp_path).iteration == 2


def test_a_damaged_save_is_named(tmp_path):
    saves.save(tmp_path, make(2))
    (tmp_path / "000002" / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(UnlearningError, match=r"000002 can't be read.*--resume"):
        saves.load(tmp_path)


def test_a_save_of_another_version_is_named(tmp_path):
    saves.save(tmp_path, make(2))
    path = tmp_path / "000002" / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(UnlearningError, match="format 2"):
        saves.load(tmp_path)


def steps(optimizer, weights, count: int) -> None:
    for _ in range(count):
        loss = sum((weight**3).sum() for weight in weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize(
    ("kind", "options"),
    [(torch.optim.Adam, {"amsgrad": True}), (torch.optim.AdamW, {}), (torch.optim.SGD, {"momentum": 0.9})],
)
def test_an_optimizer_goes_on_as_if_nothing_had_happened(kind, options):
    def make_one():
        weights = [torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.nn.Parameter(torch.tensor([[0.5]]))]
        groups = [{"params": weights[:1], "lr": 0.1}, {"params": weights[1:], "lr": 0.01}]
        return kind(groups, **options), weights

    optimizer, weights = make_one()
    steps(optimizer, weights, 3)
    optimizer.param_groups[0]["lr"] = 0.05
    kept = {name: tensor.clone() for name, tensor in saves.optimizer_tensors(optimizer, "inner").items()}
    other, others = make_one()
    for weight, now in zip(others, weights, strict=True):
        weight.data.copy_(now)
    saves.load_optimizer(other, kept, "inner")
    steps(optimizer, weights, 2)
    steps(other, others, 2)
    assert all(torch.equal(one, two) for one, two in zip(weights, others, strict=True))
    assert [group["lr"] for group in other.param_groups] == [0.05, 0.01]


def test_two_optimizers_in_one_state():
    weight = torch.nn.Parameter(torch.ones(2))
    one, two = torch.optim.Adam([weight], lr=0.1), torch.optim.SGD([weight], lr=0.2, momentum=0.5)
    steps(one, [weight], 1)
    steps(two, [weight], 1)
    both = saves.optimizer_tensors(one, "one") | saves.optimizer_tensors(two, "two")
    again = torch.optim.SGD([weight], lr=1.0, momentum=0.5)
    saves.load_optimizer(again, both, "two")
    assert again.state_dict()["state"].keys() == {0} and again.param_groups[0]["lr"] == 0.2
    assert again.state[weight].keys() == {"momentum_buffer"}


def test_an_optimizer_of_another_method_is_refused():
    weight = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(UnlearningError, match="0 groups"):
        saves.load_optimizer(torch.optim.Adam([weight]), {"other.lr": torch.ones(1)})


def test_generators():
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(4)
    kept = saves.generator_tensor(generator), saves.generator_tensor()
    drawn = torch.rand(3, generator=generator), torch.rand(3)
    saves.generator_from(kept[0], generator)
    saves.generator_from(kept[1])
    assert torch.equal(torch.rand(3, generator=generator), drawn[0]) and torch.equal(torch.rand(3), drawn[1])
