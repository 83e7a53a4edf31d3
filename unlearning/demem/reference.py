"""What the frozen original says of rows that are asked about more than once, and which retain rows are asked about."""

from __future__ import annotations

import torch
from torch import Tensor

from unlearning.method import Task
from unlearning.policy import Policy

# Bytes of log-probabilities over the vocabulary that are kept; what does not fit is computed each time.
_KEPT_BYTES = {"cpu": 2**29, "cuda": 2**33}


def draw_retain_rows(task: Task, wanted: int, generator: torch.Generator) -> Tensor:
    """The retain rows of one update: half benign, half ordinary, as far as there are any of each.

    Args:
        task: Its retain rows count as one table, the benign ones first.
        wanted: How many.
        generator: On the CPU.

    Returns:
        int64 [at most wanted], places in that table.
    """
    benign, ordinary = len(task.retain_benign), len(task.retain_ordinary)
    of_benign = min(benign, wanted // 2 if ordinary else wanted)
    of_ordinary = min(ordinary, wanted - of_benign)
    return torch.cat(
        [
            torch.randperm(benign, generator=generator)[:of_benign],
            benign + torch.randperm(ordinary, generator=generator)[:of_ordinary],
        ]
    )


class Reference:
    """Log-probabilities of the original over the vocabulary, for rows of the same length.

    The original never changes, so that what was computed in the first epoch serves in the others.
    """

    def __init__(self, policy: Policy, tokens: Tensor, first: int) -> None:
        """Computes nothing yet.

        Args:
            policy: Holds the original.
            tokens: int64 [B, T].
            first: The first token that is spoken of, 1 <= first < T.
        """
        self._policy, self._first = policy, first
        self._tokens = tokens.to(policy.device)
        vocabulary = policy.network.get_output_embeddings().weight.shape[0]
        shape = (*tokens[:, first:].shape, vocabulary)
        size = 4 * shape[0] * shape[1] * shape[2]
        self._kept: Tensor | None = None
        if size <= _KEPT_BYTES.get(policy.device.type, 2**29):
            self._kept = torch.empty(shape, device=policy.device)
        self._is_known = torch.zeros(len(tokens), dtype=torch.bool, device=policy.device)

    def logprobs(self, rows: Tensor) -> Tensor:
        """ln q(v | tokens before) of some rows [b]: float32 [b, T - first, V], nats, at temperature 1."""
        if self._kept is None:
            return self._compute(rows)
        unknown = rows[~self._is_known[rows]]
        if len(unknown):
            self._kept[unknown] = self._compute(unknown)
            self._is_known[unknown] = True
        return self._kept[rows]

    def action_logprobs(self, actions: Tensor, temperature: Tensor, chunk: int) -> Tensor:
        """ln q(action | tokens before) of all rows, each at its temperature.

        Args:
            actions: int64 [B, T - first].
            temperature: float32 [B].
            chunk: Rows a pass.

        Returns:
            float32 [B, T - first], nats.
        """
        parts = []
        for start in range(0, len(actions), chunk):
            part = slice(start, start + chunk)
            logits = self._policy.logits(self._tokens[part], self._first, reference=True)
            logprobs = (logits / temperature[part, None, None]).log_softmax(-1)
            parts.append(logprobs.gather(-1, actions[part, :, None])[..., 0])
        return torch.cat(parts) if parts else torch.zeros_like(actions, dtype=torch.float32)

    def _compute(self, rows: Tensor) -> Tensor:
        return self._policy.logits(self._tokens[rows], self._first, reference=True).log_softmax(-1)
