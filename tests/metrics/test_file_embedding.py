import shutil
import sys

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from metrics import file_embedding
from metrics.file_embedding import FileEmbedding, read_embedding_from_file
from metrics.loading import load_model
from metrics.memory import give_back, unwritten_maps
from metrics.packed_linear import pack_linears

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's list of a process's maps is absent")
VOCAB, WIDTH = 5_000, 64
BYTES = VOCAB * WIDTH * 4
TOKENS = torch.arange(VOCAB).view(50, 100)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    GPTNeoXForCausalLM(config).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def least(monkeypatch):
    monkeypatch.setattr(file_embedding, "_LEAST", BYTES)


def files_of(model):
    return unwritten_maps([weight.data_ptr() for weight in model.parameters()])


def test_the_same_rows_without_the_table_in_memory(folder, resident):
    plain = load_model(str(folder), device="cpu")
    model = load_model(str(folder), device="cpu")
    files = files_of(model)
    pack_linears(model)
    assert read_embedding_from_file(model, files)
    give_back(files)
    embedding = model.get_input_embeddings()
    assert type(embedding) is FileEmbedding
    for tokens in (TOKENS, TOKENS[0], TOKENS[:0], TOKENS[3, 4], TOKENS[::2, ::7], TOKENS.flip(1) // 9):
        found = embedding(tokens)
        assert found.dtype == torch.float32 and torch.equal(found, plain.get_input_embeddings()(tokens))
    assert resident(embedding.weight) < BYTES // 2
    torch.testing.assert_close(model(TOKENS).logits, plain(TOKENS).logits, rtol=1e-4, atol=1e-4)


def test_tokens_without_a_row(folder):
    model = load_model(str(folder), device="cpu")
    assert read_embedding_from_file(model, files_of(model))
    for token in (-1, VOCAB):
        with pytest.raises(IndexError, match=f"{token}.* of 5000 rows"):
            model.get_input_embeddings()(torch.tensor([[3, token]]))


def test_a_file_that_was_cut(folder):
    model = load_model(str(folder), device="cpu")
    assert read_embedding_from_file(model, files_of(model))
    embedding = model.get_input_embeddings()
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(embedding._offset + BYTES - 1)
    assert embedding(TOKENS[0]).shape == (100, WIDTH)
    with pytest.raises(OSError, match=r"model\.safetensors has become shorter"):
        embedding(TOKENS)


def stays(model):
    assert not read_embedding_from_file(model, files_of(model))
    assert type(model.get_input_embeddings()) is torch.nn.Embedding


def test_a_small_one_stays(folder, monkeypatch):
    monkeypatch.setattr(file_embedding, "_LEAST", BYTES + 1)
    stays(load_model(str(folder), device="cpu"))


def test_one_that_is_the_head_too_stays(folder):
    model = load_model(str(folder), device="cpu")
    model.get_output_embeddings().weight = model.get_input_embeddings().weight
    stays(model)


def test_one_in_memory_of_no_file_stays(folder):
    stays(load_model(str(folder), dtype="float64", device="cpu"))


def test_one_that_was_written_to_stays(folder):
    model = load_model(str(folder), device="cpu")
    model.get_input_embeddings().weight[0, 0] = 7.0
    stays(model)


def test_one_whose_file_was_deleted_or_replaced_stays(folder, tmp_path):
    model = load_model(str(folder), device="cpu")
    maps = files_of(model)
    file = folder / "model.safetensors"
    shutil.copy(file, tmp_path / "same")
    file.unlink()
    stays(model)
    assert not read_embedding_from_file(model, maps)
    shutil.move(tmp_path / "same", file)
    assert not read_embedding_from_file(model, maps)
    assert type(model.get_input_embeddings()) is torch.nn.Embedding


def test_a_model_that_lets_nobody_replace_it(folder, monkeypatch):
    model = load_model(str(folder), device="cpu")

    def refuse(module):
        raise NotImplementedError

    monkeypatch.setattr(model, "set_input_embeddings", refuse)
    stays(model)
