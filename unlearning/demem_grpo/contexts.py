"""Every distinct context goes through the model once, and one that is the beginning of another not on its own.

trl runs each rollout by itself. But the rollouts of a group share their prompt, and one-token rollouts at all depths of
a suffix are about beginnings of one row: for a causal model one pass over that row speaks of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from unlearning.policy import Policy


def distinct(contexts: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The contexts that are not the beginning of another one, and for each context which of those it begins.

    >>> distinct([(1, 2), (3,), (1, 2, 5), (1, 2)])
    ([(3,), (1, 2, 5)], [1, 0, 1, 1])
    """
    kept: list[tuple[int, ...]] = []
    place = [0] * len(contexts)
    # In lexicographic order all that begins with a context comes right after it.
    for index in sorted(range(len(contexts)), key=contexts.__getitem__, reverse=True):
        context = contexts[index]
        if not kept or kept[-1][: len(context)] != context:
            kept.append(context)
        place[index] = len(kept) - 1
    last = len(kept) - 1
    return kept[::-1], [last - index for index in place]


def next_token_logits(
    policy: Policy, contexts: Sequence[tuple[int, ...]], first: int, *, reference: bool = False
) -> tuple[Tensor, Tensor]:
    """What comes after the contexts and after their beginnings of at least `first` tokens.

    Args:
        policy: Is asked.
        contexts: N contexts of at least `first` tokens.
        first: The shortest beginning of interest, in tokens; at least 1.
        reference: True for the frozen original, without gradients.

    Returns:
        float32 [R, W, V], R <= N: entry [r, j] is the distribution after first + j tokens of a distinct context, of no
        meaning beyond its end. And int64 [N]: which of the R begins with each context.
    """
    kept, place = distinct(contexts)
    tokens = torch.zeros(len(kept), max(map(len, kept)) + 1, dtype=torch.int64)
    for row, context in zip(tokens, kept, strict=True):
        row[: len(context)] = torch.tensor(context)  # what follows is seen by no position that is asked about
    return policy.logits(tokens, first, reference=reference), torch.tensor(place, device=policy.device)
