"""Which rollouts an iteration asks for: a table of all prompts, and the order in which they are taken from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import Sampler

from unlearning.demem.rollout import seeded
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.method import Task


def splits(task: Task) -> Dataset:
    """Every forget row cut in two at every place, as token ids.

    Returns:
        F * T rows, made when they are asked for. Row f * T + t has `prompt`, the first t tokens of forget row f;
        `rest`, the others; and `is_learned`, whether the first of these is to be unlearned: it belongs to the text that
        the suffix begins with. Tokens are in arrays, since accelerate looks at each number of a list.
    """
    length, prefix, ends = task.forget.shape[1], task.prefix_tokens, task.eos_token_ids
    forget = task.forget.numpy()

    def cut(batch: Mapping[str, list[int]]) -> dict[str, list]:
        rows = [(forget[place // length], place % length) for place in batch["place"]]
        return {
            "prompt": [row[:at] for row, at in rows],
            "rest": [row[at:] for row, at in rows],
            "is_learned": [not np.isin(row[min(at, prefix) : max(at, prefix)], ends).any() for row, at in rows],
        }

    return Dataset.from_dict({"place": list(range(len(task.forget) * length))}).with_transform(cut)


class Draws(Sampler[int]):
    """Rows of `splits`, iteration after iteration, each repeated for the rollouts of its group.

    In an iteration some forget rows are continued from the prefix, and others get branches: a group at every other
    depth of the row. Both go through the forget set in shuffled order, again and again; orders come from generators of
    their own, so that it does not matter where a resumed run begins.

    Attributes:
        rollouts: In an iteration, over all processes.
    """

    def __init__(self, task: Task, settings: GrpoSettings, *, start: int, world: int) -> None:
        """Draws nothing yet.

        Args:
            task: The forget rows and the seed.
            settings: How many rows an iteration, how many of them branches, how many rollouts a group.
            start: Iterations done before.
            world: Processes; each gets an equal part of every iteration, one after the other.
        """
        self._task, self._settings, self._start, self._world = task, settings, start, world
        length, prefix = task.forget.shape[1], task.prefix_tokens
        self._length, self._prefix = length, prefix
        self._depths = [depth for depth in range(1, length) if depth != prefix]
        self._prefixes, self._branches = split_prompts(settings)
        self.rollouts = settings.num_generations * (self._prefixes + self._branches * len(self._depths))

    def __len__(self) -> int:
        """Rollouts of all iterations that are left."""
        return self.rollouts * (self._settings.iterations - self._start)

    def __iter__(self) -> Iterator[int]:
        """The row numbers."""
        for iteration in range(self._start, self._settings.iterations):
            prefixes = self._forget_rows("prefixes", iteration, self._prefixes)
            branches = self._forget_rows("branches", iteration, self._branches)
            for rank in range(self._world):
                places = [row * self._length + self._prefix for row in prefixes[rank :: self._world]]
                for row in branches[rank :: self._world]:
                    places += [row * self._length + depth for depth in self._depths]
                for place in places:
                    yield from [place] * self._settings.num_generations

    def _forget_rows(self, kind: str, iteration: int, count: int) -> list[int]:
        rows = len(self._task.forget)
        turns = range(iteration * count // rows, (iteration + 1) * count // rows + 1)
        orders = {turn: torch.randperm(rows, generator=seeded(self._task.seed, kind, turn)).tolist() for turn in turns}
        return [orders[at // rows][at % rows] for at in range(iteration * count, (iteration + 1) * count)]


def split_prompts(settings: GrpoSettings) -> tuple[int, int]:
    """How many forget rows of an iteration are continued from the prefix, and how many get branches.

    >>> split_prompts(GrpoSettings(prompts=16, branch_share=0.25))
    (12, 4)
    """
    branches = round(settings.prompts * settings.branch_share) if settings.depth == "branches" else 0
    return settings.prompts - branches, branches
