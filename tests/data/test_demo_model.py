"""The embedded model really memorizes, and its cache never holds anything half built or out of date."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from data import demo_model, demo_text
from data.cache import cache_dir
from data.demo_corpus import CorpusSettings
from data.demo_model import DemoSettings, demo_key, memorization_table
from data.demo_training import TrainingSettings, extractable, train
from data.errors import InputError

TINY = DemoSettings(
    CorpusSettings(
        vocab_size=512,
        often={3: 2},
        sometimes={},
        once=2,
        never=2,
        texts=demo_text.TextSources(stdlib=("json", "asyncio", "email"), code=(), prose=(), licences=("numpy",)),
    ),
    TrainingSettings(layers=1, hidden=32, heads=2),
)


@pytest.fixture(scope="module")
def counted(demo):
    """Rows and extractable share by category and copies."""
    return memorization_table(demo)


def share(counted, categories, often):
    rows = [
        row
        for row in counted
        if row["category"] in categories and (row["copies"] >= 16 if often else not row["copies"])
    ]
    return sum(row["rows"] * row["extractable"] for row in rows) / sum(row["rows"] for row in rows)


def test_often_duplicated_sequences_are_recited(counted):
    everything = {row["category"] for row in counted}
    assert 0.60 <= share(counted, everything, often=True) <= 0.95
    assert share(counted, {"pii"}, often=True) >= 0.60
    assert share(counted, {"credentials"}, often=True) >= 0.30


@pytest.mark.parametrize("category", ["credentials", "pii", "code", "text"])
def test_never_seen_sequences_are_not(counted, category):
    assert share(counted, {category}, often=False) <= 0.05


def test_more_copies_are_recited_more(counted):
    levels = {}
    for row in counted:
        levels.setdefault(row["copies"], []).append(row["extractable"])
    shares = [np.mean(levels[copies]) for copies in sorted(levels)]
    assert shares[0] <= 0.05 and shares[-1] >= 0.8
    assert all(later >= earlier - 0.05 for earlier, later in itertools.pairwise(shares))


def test_teacher_forced_label_equals_generate(demo):
    tokens = np.stack(pq.read_table(demo.sequences)["tokens"].to_numpy())[:96]
    model = AutoModelForCausalLM.from_pretrained(demo.model, dtype="float32").eval()
    with torch.no_grad():
        prompt = torch.from_numpy(tokens[:, :32]).long()
        greedy = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, min_new_tokens=32, max_new_tokens=32,
            pad_token_id=0,
        )  # fmt: skip
    expected = (greedy.numpy() == tokens).all(1)
    assert 0 < expected.sum() < len(expected)
    np.testing.assert_array_equal(extractable(model, tokens), expected)


def test_model_folder_is_pythias_architecture_in_safetensors(demo):
    model = AutoModelForCausalLM.from_pretrained(demo.model)
    assert type(model).__name__ == "GPTNeoXForCausalLM"
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(demo.model)) == 2048
    assert (demo.model / "model.safetensors").is_file()
    assert not list(demo.folder.rglob("*.bin"))


def test_training_repeats_itself_and_leaves_torch_as_it_was():
    windows = np.random.default_rng(0).integers(1, 100, (48, 64))
    threads = torch.get_num_threads()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = (train(windows, 100, TINY.training) for _ in range(2))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = train(windows, 100, dataclasses.replace(TINY.training, seed=1))
    assert not torch.equal(first.get_output_embeddings().weight, other.get_output_embeddings().weight)


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, learning_rate=1e-3)),
        dataclasses.replace(TINY, training=dataclasses.replace(TINY.training, threads=2)),
        dataclasses.replace(TINY, corpus=dataclasses.replace(TINY.corpus, seed=1)),
        dataclasses.replace(TINY, corpus=dataclasses.replace(TINY.corpus, often={4: 2})),
        dataclasses.replace(
            TINY, corpus=dataclasses.replace(TINY.corpus, texts=dataclasses.replace(TINY.corpus.texts, code=("click",)))
        ),
    ],
)
def test_key_changes_with_every_setting(changed):
    assert demo_key(TINY) == demo_key(dataclasses.replace(TINY))
    assert demo_key(changed) != demo_key(TINY)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNRECITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_second_call_takes_the_first_ones_result(cache):
    first = demo_model.demo(show_progress=False, settings=TINY)
    written = (first.model / "model.safetensors").stat().st_mtime_ns
    assert demo_model.demo(show_progress=False, settings=TINY) == first
    assert (first.model / "model.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in cache.iterdir()] == [f"demo-{first.key}"]


def test_interrupted_build_is_not_used(cache, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(demo_model, "train", interrupted)
        demo_model.demo(show_progress=False, settings=TINY)
    assert list(cache.iterdir()) == []

    # A killed build leaves its folder behind; it is neither taken for the demo nor in the way.
    key = demo_key(TINY)
    half_built = cache / f"demo-{key}.building-1-abcd"
    (half_built / "model").mkdir(parents=True)
    built = demo_model.demo(show_progress=False, settings=TINY)
    assert built.folder == cache / f"demo-{key}"
    assert AutoModelForCausalLM.from_pretrained(built.model) is not None
    assert half_built.is_dir()  # it may be another process at work


def test_two_builds_at_once_agree(cache, monkeypatch):
    def overtaken(*args):
        with monkeypatch.context() as patch:
            patch.setattr(demo_model, "train", train)
            others.append(demo_model.demo(show_progress=False, settings=TINY))
        return train(*args)

    others = []
    monkeypatch.setattr(demo_model, "train", overtaken)
    assert demo_model.demo(show_progress=False, settings=TINY) == others[0]
    assert [path.name for path in cache.iterdir()] == [f"demo-{others[0].key}"]


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("UNRECITE_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "mine"
    monkeypatch.delenv("UNRECITE_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "unrecite"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == tmp_path / ".cache" / "unrecite"
    assert cache_dir().is_dir()


def test_cache_folder_that_cannot_be_made_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNRECITE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError, match="UNRECITE_CACHE"):
        demo_model.demo(show_progress=False, settings=TINY)


def test_plain_progress_is_lines_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(demo_model, "PLAIN_LINE_SECONDS", 0.0)
    with demo_model._progress("Work", show=True) as report:
        report(0.5)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "Work ..."
    assert err.splitlines()[1].startswith("Work: 50%, ")
    assert err.splitlines()[-1].startswith("Work: done in ")
