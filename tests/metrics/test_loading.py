"""Loading from folders of every state, and what a user reads when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest
import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

import metrics.loading as loading
from metrics.loading import describe_model, load_model, load_tokenizer, resolve_device, tokenizer_fits
from metrics.model_errors import ModelError, explain


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A GPT-NeoX checkpoint in float16 with a tokenizer of 90 ids, its embedding padded to 96."""
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=96,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        bos_token_id=3,
        eos_token_id=3,
    )
    GPTNeoXForCausalLM(config).half().save_pretrained(tmp_path / "model")
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(90)}, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_loads_what_was_saved_ready_for_evaluation(folder):
    model = load_model(str(folder), device="cpu")
    assert model.dtype == torch.float32
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    stored = load_file(folder / "model.safetensors")["gpt_neox.embed_in.weight"]
    assert torch.equal(model.get_input_embeddings().weight, stored.float())
    assert load_model(str(folder), dtype="bfloat16", device="cpu").dtype == torch.bfloat16


def test_describes_without_the_weights(folder):
    info = describe_model(str(folder))
    model = load_model(str(folder), device="cpu")
    assert info.vocab_size == 96
    assert info.max_positions == 40
    assert info.parameters == sum(weight.numel() for weight in model.parameters())
    assert (info.eos_token_ids, info.revision) == ((3,), None)


def test_shared_weights_count_once(tmp_path):
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=1, eos_token_id=[7, 9]))
    model.save_pretrained(tmp_path)
    info = describe_model(str(tmp_path))
    assert info.parameters == sum(weight.numel() for weight in model.parameters())
    assert info.eos_token_ids == (7, 9)
    assert torch.equal(load_model(str(tmp_path), device="cpu").lm_head.weight, model.lm_head.weight)


def test_an_end_of_text_token_the_model_cannot_give_is_none(tmp_path):
    GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["eos_token_id"] == 50256
    assert describe_model(str(tmp_path)).eos_token_ids == ()


def test_end_of_text_tokens_are_those_that_generate_takes(folder):
    before = describe_model(str(folder))
    file = folder / "generation_config.json"
    for tokens in (3, [3], [5, 3, 95, 96], None):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token_id": tokens}))
        theirs = load_model(str(folder), device="cpu").generation_config.eos_token_id
        assert theirs == tokens
        info = describe_model(str(folder))
        assert info.eos_token_ids == ((5, 3, 95) if tokens == [5, 3, 95, 96] else (3,) if tokens else ())
        assert (info.fingerprint == before.fingerprint) == (info.eos_token_ids == (3,))
    file.unlink()
    config = folder / "config.json"
    for tokens in (3, [3, 3], [96, 7], [7, 9], None, "left out"):
        content = json.loads(config.read_text()) | {"eos_token_id": tokens}
        if tokens == "left out":
            del content["eos_token_id"]
        config.write_text(json.dumps(content))
        theirs = load_model(str(folder), device="cpu").generation_config.eos_token_id
        theirs = theirs if isinstance(theirs, list) else [theirs]
        found = describe_model(str(folder)).eos_token_ids
        assert found == tuple(token for token in dict.fromkeys(theirs) if token is not None and token < 96)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"eos_token_id": "7"}, r"model .* has the end-of-text tokens \['7'\]: expected numbers"),
        ({"eos_token_id": [7.0]}, r"tokens \[7.0\]: expected"),
        ({"eos_token_id": True}, r"tokens \[True\]: expected"),
        ({"max_new_tokens": -3}, "can't be read"),
        ([], "can't be read"),
    ],
)
def test_a_damaged_generation_config(folder, content, message):
    (folder / "generation_config.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=message):
        describe_model(str(folder))


def test_the_fingerprint_follows_the_content(folder, tmp_path, monkeypatch):
    before = describe_model(str(folder)).fingerprint
    assert before.startswith("sha256:")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert describe_model(str(copy)).fingerprint == before
    weights = load_file(folder / "model.safetensors")
    weights["gpt_neox.embed_in.weight"][0, 0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    changed = describe_model(str(copy)).fingerprint
    assert changed != before
    # Large files are read in samples: header, blocks and end.
    monkeypatch.setattr(loading, "_HASHED_WHOLE", 0)
    monkeypatch.setattr(loading, "_SAMPLE_BYTES", 64)
    sampled = describe_model(str(copy)).fingerprint
    assert sampled not in (before, changed)
    assert sampled == describe_model(str(copy)).fingerprint
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    assert describe_model(str(copy)).fingerprint != sampled


def test_tokenizers_from_a_folder_and_from_a_file(folder):
    for name in (folder, folder / "tokenizer.json"):
        assert load_tokenizer(str(name)).convert_tokens_to_ids(["w5", "w89"]) == [5, 89]


def test_a_padded_embedding_fits_and_a_short_one_does_not(folder):
    tokenizer = load_tokenizer(str(folder))
    tokenizer_fits(tokenizer, 96)
    tokenizer_fits(tokenizer, 90)
    with pytest.raises(ModelError, match=r"ids go up to 89, the model knows ids up to 88.*--tokenizer"):
        tokenizer_fits(tokenizer, 89)


@pytest.mark.parametrize("load", [load_model, describe_model])
def test_folders_that_hold_no_model(load, tmp_path, folder):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ModelError, match=r"no model: found nothing, expected config.json"):
        load(str(empty))
    with pytest.raises(ModelError, match="there is no folder"):
        load(str(tmp_path / "missing"))
    with pytest.raises(ModelError, match="is a file"):
        load(str(folder / "config.json"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"no weights: found .*pytorch_model.bin.*are not read: convert them"):
        load(str(folder))


def test_a_folder_without_a_tokenizer(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"no tokenizer: found .*--tokenizer"):
        load_tokenizer(str(folder))


def test_damaged_files(folder):
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelError, match="can't be read"):
        load_model(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="not a valid JSON"):
        describe_model(str(folder))
    (folder / "config.json").write_text('{"model_type": "nonesuch"}')
    with pytest.raises(ModelError, match="nonesuch"):
        describe_model(str(folder))


def test_missing_weights_are_not_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["gpt_neox.layers.0.mlp.dense_h_to_4h.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"incomplete: 1 are missing, among them .*dense_h_to_4h"):
        load_model(str(folder), device="cpu")


def test_code_in_a_repository_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    with pytest.raises(ModelError):
        load_model(str(folder))
    assert not (folder / "ran").exists()


def test_dtypes_and_devices(folder):
    with pytest.raises(ModelError, match=r"no dtype 'int8': type --dtype float32"):
        load_model(str(folder), dtype="int8")
    with pytest.raises(ModelError, match="no device 'gpu'"):
        resolve_device("gpu")
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so asking for one is no mistake")
def test_asking_for_a_gpu_that_is_not_there(folder):
    with pytest.raises(ModelError, match=r"--device cuda: .*type --device cpu"):
        load_model(str(folder), device="cuda")


@pytest.mark.parametrize("load", [load_model, load_tokenizer, describe_model])
def test_the_hub_out_of_reach(load, monkeypatch, tmp_path):
    # A port of this machine where nothing listens.
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match=r"can't be reached .*pythia-70m-deduped.*Check the connection"):
        load("EleutherAI/pythia-70m-dedupd")


def _hub_error(kind: type[Exception], status: int) -> Exception:
    request = httpx2.Request("GET", "https://huggingface.co/api/models/x")
    return kind("x", response=httpx2.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            RepositoryNotFoundError,
            404,
            "no model EleutherAI/pythia-71m on the hub; the nearest names are .*pythia-1?70?m",
        ),
        (RevisionNotFoundError, 404, "no revision 'step9'"),
        (GatedRepoError, 403, "is gated: .*hf auth login"),
    ],
)
def test_what_the_hub_answers(error, status, message):
    with pytest.raises(ModelError, match=message):
        raise explain(_hub_error(error, status), "EleutherAI/pythia-71m", "step9")
