"""A pass over a prompt of which only the last position's state is wanted.

The last layer must still give keys and values of every position. But its MLP and the projection of its attention's
output look at each position by itself, and what they give for the others is read by nobody: in a model of six layers
that is an eighth of the body's products.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from transformers import PreTrainedModel

# What such modules are called in decoders' layers.
_NAMES = (
    "mlp",
    "attention.dense",
    "attn.c_proj",
    "attn.out_proj",
    "self_attn.dense",
    "self_attn.o_proj",
    "self_attn.out_proj",
)


def modules_by_position(model: PreTrainedModel) -> list[nn.Module]:
    """Modules of the last layer that, by their names, look at each position by itself; none where they have others."""
    layers = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module) == layers]
    if len(stacks) != 1:
        return []
    inside = dict(stacks[0][-1].named_modules())
    return [inside[name] for name in _NAMES if name in inside]


@contextlib.contextmanager
def only_last_position(modules: Sequence[nn.Module], length: int) -> Iterator[None]:
    """Inside, these modules compute the last of `length` positions, and give that out as all of them: [B, L, width]."""

    def take_last(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return inputs[0][:, -1:].contiguous(), *inputs[1:]

    def give_to_all(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output.expand(-1, length, -1)

    hooks = [module.register_forward_pre_hook(take_last) for module in modules]
    hooks += [module.register_forward_hook(give_to_all) for module in modules]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
