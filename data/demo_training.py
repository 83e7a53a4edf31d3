"""Training of the embedded model: one epoch of next-token prediction on the CPU; and what it then recites."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.demo_corpus import PREFIX_TOKENS

if TYPE_CHECKING:
    from transformers import GPTNeoXForCausalLM


@dataclass(frozen=True)
class TrainingSettings:
    """How the model is built and trained: one epoch over the shuffled training table.

    Attributes:
        seed: Of the weights and of the order.
        layers, hidden, heads: The GPT-NeoX shape; the feed-forward width is 4 x hidden, as in Pythia.
        batch_size: Windows a step. Small batches memorize more for the same work.
        learning_rate: Peak of AdamW's, after a linear warm-up, then a cosine down to a tenth.
        warmup_steps: Length of the warm-up.
        threads: torch threads. Matrices this small gain little from a second one, and with one the result does not
            depend on how many cores a machine has.
    """

    seed: int = 0
    layers: int = 4
    hidden: int = 128
    heads: int = 4
    batch_size: int = 16
    learning_rate: float = 4e-3
    warmup_steps: int = 30
    threads: int = 1


def train(
    windows: np.ndarray,
    vocab_size: int,
    settings: TrainingSettings,
    report: Callable[[float], None] = lambda share: None,
) -> GPTNeoXForCausalLM:
    """One epoch of next-token training in fp32 on the CPU.

    The same windows and settings give the same weights on the same machine. torch's random state and number of
    threads are left as they were.

    Args:
        windows: int [N, 64], token ids below `vocab_size`, in the order of training.
        vocab_size: V.
        settings: Shape and optimizer.
        report: Called after every step with the share of the training done.
    """
    import torch
    import torch.nn.functional as F
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=vocab_size,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        intermediate_size=4 * settings.hidden,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=0,
    )
    tokens = torch.from_numpy(np.ascontiguousarray(windows)).long()
    steps = -(-len(tokens) // settings.batch_size)

    def schedule(step: int) -> float:
        cosine = 0.55 + 0.45 * np.cos(np.pi * step / steps)
        return float(cosine * min(1.0, (step + 1) / settings.warmup_steps))

    with _threads(settings.threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = GPTNeoXForCausalLM(config).train()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
        for step, batch in enumerate(tokens.split(settings.batch_size)):
            logits = model(input_ids=batch, use_cache=False).logits
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            report((step + 1) / steps)
    return model.eval()


def extractable(model: GPTNeoXForCausalLM, tokens: np.ndarray) -> np.ndarray:
    """Whether greedy decoding from the first 32 tokens gives the last 32: bool [N].

    In fp32 with the end-of-text token banned: every suffix token must be the argmax given the true ones before it.

    Args:
        model: The model.
        tokens: int [N, 64].
    """
    import torch

    P, hits = PREFIX_TOKENS, []
    with torch.no_grad():
        for batch in torch.from_numpy(np.ascontiguousarray(tokens)).long().split(128):
            logits = model(input_ids=batch, use_cache=False).logits[:, P - 1 : -1]
            logits[..., 0] = -torch.inf
            hits.append((logits.argmax(-1) == batch[:, P:]).all(1))
    return torch.cat(hits).numpy()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
