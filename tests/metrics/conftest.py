"""A tiny model that really memorized part of its sequences, trained once for all tests that need one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

EOS = 0
VOCAB = 192
PREFIX, SUFFIX = 12, 12


@dataclass
class Memorized:
    """A model in evaluation mode and sequences that it saw never, once or often.

    Attributes:
        tokens: int32 [1200, 24].
        copies: int64 [1200], how often the model was trained on each.
    """

    model: GPTNeoXForCausalLM
    tokens: np.ndarray
    copies: np.ndarray


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models as small as these are slower on several threads, many times so where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def memorized() -> Memorized:
    """400 sequences seen often, 400 once, 400 never; walks over a graph with a few successors for each token."""
    rng = np.random.default_rng(0)
    successors = rng.integers(1, VOCAB, (VOCAB, 3))
    tokens = np.empty((1200, PREFIX + SUFFIX), np.int32)
    tokens[:, 0] = rng.integers(1, VOCAB, 1200)
    for position in range(1, tokens.shape[1]):
        walk = successors[tokens[:, position - 1], rng.integers(0, 3, 1200)]
        tokens[:, position] = np.where(rng.random(1200) < 0.6, walk, rng.integers(1, VOCAB, 1200))
    copies = np.repeat([0, 1, 0], 400)
    copies[:400] = rng.integers(8, 40, 400)
    order = rng.permutation(np.repeat(np.arange(1200), copies))

    torch.manual_seed(0)
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCAB,
            hidden_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=384,
            max_position_embeddings=32,
            bos_token_id=EOS,
            eos_token_id=EOS,
        )
    )
    steps = len(order) // 32
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    model.train()
    for step in range(steps):
        batch = torch.from_numpy(tokens[order[step * 32 : (step + 1) * 32]]).long()
        model(input_ids=batch, labels=batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return Memorized(model.eval().requires_grad_(False), tokens, copies)


_TINY = {
    "gpt_neox": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "llama": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
    },
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "initializer_range": 0.3},
    "mixtral": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_local_experts": 4,
    },
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
        "max_position_embeddings": 64,
        "init_std": 0.3,
    },
}


@pytest.fixture
def tiny_model() -> Callable[[str], PreTrainedModel]:
    """Untrained models in evaluation mode, 300 tokens, by the name that transformers has for their architecture."""

    def build(architecture: str) -> PreTrainedModel:
        torch.manual_seed(1)
        config = AutoConfig.for_model(architecture, vocab_size=300, **_TINY[architecture])
        return AutoModelForCausalLM.from_config(config).eval()

    return build


@pytest.fixture
def resident() -> Callable[[torch.Tensor], int]:
    """How many bytes are in memory of the map that holds a weight (Linux)."""

    def size(weight: torch.Tensor) -> int:
        inside = False
        for line in Path("/proc/self/smaps").read_text().splitlines():
            if "-" in (address := line.split()[0]):
                start, end = (int(part, 16) for part in address.split("-"))
                inside = start <= weight.data_ptr() < end
            elif inside and line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no map holds the weight")

    return size
