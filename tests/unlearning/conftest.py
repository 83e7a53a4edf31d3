"""A tiny model that recites some rows, and the rows."""

from __future__ import annotations

import copy
import importlib.util
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from unlearning.method import Task

VOCAB, EOS = 48, 0
PREFIX, SUFFIX = 10, 10


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models as small as these are slower on several threads, many times so where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def rows() -> torch.Tensor:
    """int64 [36, 20]: the first 24 are learned by heart, the others are not."""
    return torch.randint(1, VOCAB, (36, PREFIX + SUFFIX), generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="session")
def learned(rows) -> GPTNeoXForCausalLM:
    """The model; copy it before changing it. It recites nearly all of the first 24 rows."""
    torch.manual_seed(0)
    model = GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
            bos_token_id=EOS,
            eos_token_id=EOS,
            hidden_dropout=0.1,
            attention_dropout=0.1,
        )
    ).eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        model(input_ids=rows[:24], labels=rows[:24]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.requires_grad_(False)


@pytest.fixture
def fresh(learned) -> Callable[[], GPTNeoXForCausalLM]:
    """Makes copies of the model that may be changed."""
    return lambda: copy.deepcopy(learned)


@pytest.fixture(scope="session")
def task(rows) -> Task:
    """12 rows to forget, 8 recited and 6 other rows to retain, 6 that were never seen."""
    return Task(
        forget=rows[:12],
        retain_benign=rows[12:20],
        retain_ordinary=rows[24:30],
        unseen=rows[30:],
        prefix_tokens=PREFIX,
        tokenizer=PreTrainedTokenizerFast,  # no test here decodes
        eos_token_ids=(EOS,),
        seed=0,
    )


@pytest.fixture(scope="session")
def no_file_above() -> Callable[[int], AbstractContextManager[None]]:
    """A context inside which writing past a number of bytes of a file fails, as it does on a full disk."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture(scope="session")
def two_processes() -> ModuleType:
    """The script that two processes run, for one process to import."""
    path = Path(__file__).with_name("two_processes.py")
    specification = importlib.util.spec_from_file_location("two_processes", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
