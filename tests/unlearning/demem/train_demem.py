"""A short DeMem training, for `test_processes.py` to run in one process and in two."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from unlearning.demem.ppo import train
from unlearning.demem.settings import AUTO, DememSettings
from unlearning.method import State, Task
from unlearning.policy import Policy

WHOLE = replace(
    AUTO,
    rollouts=13,  # no equal shares
    minibatch=13,
    iterations=3,
    learning_rate=3e-3,
    adam_eps=1e-3,
    gamma=0.5,
    baseline="closed-form",
    reward_scale=0.3,
    kl_horizon=39,
    temperatures=(1.0, 1.5),
    retain_coefficient=2.0,
    retain_rows=5,
)
SETTINGS: dict[str, DememSettings] = {
    "token": WHOLE,
    "sacrebleu": replace(
        WHOLE, reward="sacrebleu", baseline="value-head", gamma=1.0, reward_scale=1.0, kl="adaptive", kl_coefficient=0.2
    ),
    "one retain row": replace(WHOLE, retain_rows=1),
    "minibatches": replace(WHOLE, minibatch=5, whiten=True),
}


class Notes:
    """Keeps the figures."""

    def __init__(self) -> None:
        self.resumed, self.start = None, 0
        self.figures: list[Mapping[str, float]] = []

    def iteration(self, number: int, figures: Mapping[str, float], state: Callable[[], State]) -> bool:
        """Goes on."""
        self.figures.append(figures)
        return True


def trained(name: str) -> dict[str, torch.Tensor]:
    """Weights and figures after a training, in this process."""
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=24, max_position_embeddings=32, **shape))
    with torch.no_grad():
        model.get_output_embeddings().weight.mul_(20.0)
    words = Tokenizer(WordLevel({f"w{number}": number for number in range(24)}, unk_token="w0"))
    rows = torch.randint(1, 24, (12, 12), generator=torch.Generator().manual_seed(1))
    task = Task(rows[:5], rows[5:8], rows[8:10], rows[10:], 6, PreTrainedTokenizerFast(tokenizer_object=words), (0,), 3)
    policy, notes = Policy(model), Notes()
    train(policy, task, SETTINGS[name], notes)
    names = sorted(notes.figures[0])
    figures = torch.tensor([[figures[name] for name in names] for figures in notes.figures])
    return {"figures": figures} | {key: weight.clone() for key, weight in policy.weights().items()}


def main(folder: Path) -> None:
    """Runs in every process."""
    torch.set_num_threads(1)
    for name in SETTINGS:
        save_file(trained(name), folder / f"{name}-{os.environ['RANK']}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
