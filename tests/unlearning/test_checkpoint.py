"""The checkpoint loads like any other and says what was done to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from metrics.loading import describe_model, load_model, load_tokenizer
from unlearning.checkpoint import update_results, write_checkpoint
from unlearning.disk import DiskError
from unlearning.model_card import model_card
from unlearning.policy import Policy


@dataclass(frozen=True)
class Settings:
    learning_rate: float
    temperatures: tuple[float, ...]
    where: Path
    limit: float


ABOUT = {
    "name": "pii-demem-1a2b3c4d",
    "parent": {"model": "someone/some-model", "revision": "abc123", "fingerprint": "commit:abc123"},
    "run": "somewhere/runs/mine",
    "categories": ["pii", "credentials"],
    "forget_ids": np.array([3, 5, 8]),
    "held_out_ids": [13],
    "method": "demem",
    "method_title": "DeMem PPO",
    "source": "Kassem et al. 2023",
    "preset": "auto",
    "settings": Settings(2e-4, (1.0, 1.5), Path("x|y"), float("inf")),
    "seed": 4,
    "stop": "steps",
    "training": {"iterations": 10, "stopped": "all 10 iterations done", "seconds": 61.5},
    "versions": {"torch": "2.13.0"},
}


def figures(share: float, ln: float | None) -> dict:
    return {
        "rows": 3,
        "share": share,
        "deep_share": share / 2,
        "log_p_z": ln,
        "memorization_accuracy": 0.614,
        "el_10": 0.036,
    }


COMPARISON = {
    "models": ["before", "after"],
    "splits": [
        {
            "split": "forget",
            "title": "forget set",
            "rows": 1234,
            "by": {"before": figures(1.0, -1.0), "after": figures(0.02, None)},
        }
    ],
    "held_out_text": {
        "what": "text nobody saw",
        "rows": 40,
        "tokens": 2560,
        "perplexity": {"before": 12.3, "after": 12.456},
    },
    "warnings": ["The run was measured in bfloat16."],
    "examples": [{"prefix": "call Jane Roe", "before": "at 555"}],
    "settings": {"what": "is not for here"},
}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({"<eos>": 0, **{f"w{number}": number for number in range(1, 48)}}, unk_token="<eos>"))
    words.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eos>")


def trained(model, lora: bool) -> Policy:
    policy = Policy(model, lora=lora, gradient_checkpointing=True)
    with torch.no_grad():
        for weight in policy.trainable():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    return policy


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_it_loads_like_any_other(fresh, rows, tokenizer, tmp_path, lora):
    policy = trained(fresh(), lora)
    write_checkpoint(policy, tokenizer, tmp_path / "model", ABOUT)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert type(model) is type(fresh()) and {weight.dtype for weight in model.parameters()} == {torch.float32}
    with torch.no_grad():
        expected = policy.merged()(input_ids=rows).logits
        assert torch.equal(model(input_ids=rows).logits, expected)
        assert not torch.allclose(expected, fresh()(input_ids=rows).logits, atol=0.1)
    again = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert again("w5 w7")["input_ids"] == tokenizer("w5 w7")["input_ids"] == [5, 7]
    # As the measuring command loads it.
    assert torch.equal(load_model(str(tmp_path / "model"), device="cpu")(input_ids=rows).logits, expected)
    assert load_tokenizer(str(tmp_path / "model"))("w5")["input_ids"] == [5]
    found = describe_model(str(tmp_path / "model"))
    assert (found.eos_token_ids, found.parameters) == ((0,), sum(weight.numel() for weight in fresh().parameters()))
    assert {path.name for path in tmp_path.iterdir()} == {"model"}
    assert not any(path.suffix in (".bin", ".pt", ".pkl") for path in (tmp_path / "model").iterdir())


def test_what_it_says_to_programs(fresh, tokenizer, tmp_path):
    write_checkpoint(trained(fresh(), False), tokenizer, tmp_path / "model", ABOUT)
    about = json.loads((tmp_path / "model" / "unlearning.json").read_text())
    assert about["settings"] == {
        "learning_rate": 2e-4,
        "temperatures": [1.0, 1.5],
        "where": "x|y",
        "limit": None,  # JSON has no infinity
    }
    assert about["forget_ids"] == [3, 5, 8] and about["results"] is None
    same = ("name", "parent", "run", "categories", "held_out_ids", "method", "preset", "seed", "training", "versions")
    assert {name: about[name] for name in same} == {name: ABOUT[name] for name in same}


def test_what_it_says_to_people(fresh, tokenizer, tmp_path):
    write_checkpoint(trained(fresh(), False), tokenizer, tmp_path / "model", ABOUT)
    card = (tmp_path / "model" / "README.md").read_text()
    _, header, text = card.split("---\n", 2)
    header = yaml.safe_load(header)
    assert header["base_model"] == "someone/some-model" and header["library_name"] == "transformers"
    assert {"unlearning", "unrecite", "demem"} <= set(header["tags"])
    for said in (
        "# pii-demem-1a2b3c4d",
        "**pii, credentials**",
        "3 rows of the category pii, credentials",
        "by the run `mine`",
        "1 more row of that kind was held out",
        "**DeMem PPO** (Kassem et al. 2023), preset `auto`. It ended because: all 10 iterations done.",
        "| learning_rate | 0.0002 |",
        "| temperatures | 1.0, 1.5 |",
        "| where | x\\|y |",
        "| seed | 4 |",
        "torch 2.13.0",
        "It has not been measured again yet.",
        "Not being extractable is not being gone",
        "load `someone/some-model` at revision `abc123` instead",
    ):
        assert said in text, said


def test_results_come_later(fresh, tokenizer, tmp_path):
    folder = tmp_path / "model"
    write_checkpoint(trained(fresh(), False), tokenizer, folder, ABOUT)
    weights = (folder / "model.safetensors").read_bytes()
    update_results(folder, COMPARISON)
    about, card = json.loads((folder / "unlearning.json").read_text()), (folder / "README.md").read_text()
    assert about["results"].keys() == {"models", "splits", "held_out_text", "warnings"}
    assert about["results"]["splits"] == COMPARISON["splits"] and about["seed"] == 4
    assert "Jane" not in card and "Jane" not in (folder / "unlearning.json").read_text()
    assert "| forget set | 1,234 | before | 100.0 % | 50.0 % | -1.0 | 0.61 | 0.04 |" in card
    assert "|  |  | after | 2.0 % | 1.0 % |  | 0.61 | 0.04 |" in card
    assert "Perplexity on text nobody saw (40 rows): before 12.30, after 12.46." in card
    assert "The run was measured in bfloat16." in card and "not been measured" not in card
    assert (folder / "model.safetensors").read_bytes() == weights
    write_checkpoint(trained(fresh(), False), tokenizer, tmp_path / "other", ABOUT | {"results": COMPARISON})
    assert (tmp_path / "other" / "README.md").read_text() == card


@pytest.mark.parametrize("parent", ["models/mine", "~/models/mine"])
def test_a_local_parent_is_no_base_model(parent):
    card = model_card({"parent": {"model": parent, "revision": None}})
    assert "base_model" not in card and f"load `{parent}` instead" in card


def test_a_card_of_hardly_anything():
    assert "load its parent instead" in model_card({})


def test_a_control_says_that_it_is_one():
    assert "control, not for use" in model_card(ABOUT | {"forget_ids": [1], "settings": {}, "control": "constant"})
    assert "not for use" not in model_card(ABOUT | {"forget_ids": [1], "settings": {}, "control": "none"})


def test_a_disk_that_does_not_take_it(fresh, tokenizer, tmp_path, no_file_above):
    policy, folder = trained(fresh(), False), tmp_path / "model"
    with no_file_above(10_000), pytest.raises(DiskError, match="What was trained is kept"):
        write_checkpoint(policy, tokenizer, folder, ABOUT)
    assert list(tmp_path.iterdir()) == []
    write_checkpoint(policy, tokenizer, folder, ABOUT)
    with no_file_above(10_000), pytest.raises(DiskError):
        write_checkpoint(policy, tokenizer, folder, ABOUT | {"seed": 5})
    assert json.loads((folder / "unlearning.json").read_text())["seed"] == 4  # the one before is whole
    AutoModelForCausalLM.from_pretrained(folder)
