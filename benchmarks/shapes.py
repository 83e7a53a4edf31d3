"""The shapes of the Pythia models, from their published configurations (Biderman et al. 2023, arXiv:2304.01373)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel


@dataclass(frozen=True)
class Shape:
    """What decides the work that a GPT-NeoX model does."""

    layers: int
    width: int
    heads: int
    vocabulary: int

    @property
    def weights_a_token(self) -> int:
        """Weights of the linear layers that each position is multiplied by, the head left out."""
        return self.layers * 12 * self.width**2

    def operations(self, read: float, looked_at: float, length: int, spared: float = 0) -> float:
        """Floating-point operations of one sequence, a multiplication and an addition counted as two; at most.

        Args:
            read: Positions that the body is run over.
            looked_at: Positions that the head is run over.
            length: Keys and values of so many positions are attended to.
            spared: How many of the positions read go without the last layer's MLP and its attention's output
                (`metrics.last_position`).
        """
        attention = 4 * length * self.width * self.layers
        body = read * (2 * self.weights_a_token + attention) - spared * 2 * 9 * self.width**2
        return body + looked_at * 2 * self.width * self.vocabulary


SHAPES = {
    "14m": Shape(6, 128, 4, 50_304),
    "31m": Shape(6, 256, 8, 50_304),
    "70m": Shape(6, 512, 8, 50_304),
    "160m": Shape(12, 768, 12, 50_304),
    "410m": Shape(24, 1024, 16, 50_304),
    "1b": Shape(16, 2048, 8, 50_304),
    "1.4b": Shape(24, 2048, 16, 50_304),
    "2.8b": Shape(32, 2560, 32, 50_304),
    "6.9b": Shape(32, 4096, 32, 50_432),
    "12b": Shape(36, 5120, 40, 50_688),
}


def untrained(name: str) -> PreTrainedModel:
    """A model of that shape with random weights, in evaluation mode; the token 0 ends a text."""
    torch.manual_seed(0)
    shape = SHAPES[name]
    config = GPTNeoXConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPTNeoXForCausalLM(config).eval().requires_grad_(False)
