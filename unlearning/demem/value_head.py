"""The learned baseline: a linear head on the states that the policy's own head reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from unlearning.demem.advantages import Total, moments


class ValueHead(nn.Module):
    """V(s) = w h(s) + b, with w = 0 and b = 0 at first: no opinion before anything was learned.

    Attributes:
        through_trunk: Whether the value loss reaches the model. TRL's PPO lets it; it moves the policy even where
            rewards say nothing.
    """

    def __init__(self, width: int, *, through_trunk: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        self.through_trunk = through_trunk

    def forward(self, states: Tensor) -> Tensor:
        """Expected returns: states [B, S, width], one before each action -> float32 [B, S]."""
        if not self.through_trunk:
            states = states.detach()
        return self.linear(states.float()).squeeze(-1)


@contextlib.contextmanager
def head_inputs(model: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Collects what the model's head is given inside: the states of a forward pass, without a second one."""
    collected: list[Tensor] = []
    hook = model.get_output_embeddings().register_forward_pre_hook(lambda _, inputs: collected.append(inputs[0]))
    try:
        yield collected
    finally:
        hook.remove()


def suffix_states(inputs: list[Tensor], logits: Tensor) -> Tensor:
    """The states before each token that a pass gave logits for.

    Args:
        inputs: What `head_inputs` collected in that pass.
        logits: [B, S, V].

    Returns:
        [B, S, width].
    """
    (states,) = inputs
    B, S = logits.shape[:2]
    # The head is given those positions only, in one row after another; or, of a model that can't be cut in two, all.
    return states[: B * S].view(B, S, -1) if states.dim() == 2 else states[:, -S:]


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float) -> Tensor:
    """1/2 max((V - R)^2, (clip(V, V_old - c, V_old + c) - R)^2): how TRL and OpenAI's baselines clip it.

    Args:
        values: float32 [...], by the head as it is now.
        old_values: float32 [...], by the head that was there when the rollouts were drawn.
        returns: float32 [...], advantages + old values.
        clip: c.

    Returns:
        float32 [...].
    """
    clipped = torch.minimum(torch.maximum(values, old_values - clip), old_values + clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)


def explained_variance(returns: Tensor, values: Tensor, mask: Tensor, total: Total) -> float:
    """1 - Var(R - V) / Var(R), at most 1; 0 for a head that says nothing, and where there is nothing to explain.

    Args:
        returns: float32 [B, S].
        values: float32 [B, S].
        mask: bool [B, S].
        total: Sum over processes.
    """
    spread = float(moments(returns, mask, total)[1])
    return 1.0 - (float(moments(returns - values, mask, total)[1]) / spread) ** 2 if spread > 0 else 0.0
