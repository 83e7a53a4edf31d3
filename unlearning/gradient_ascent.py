"""Gradient ascent: training on the forget rows with the sign of the loss turned round.

Jang et al. 2023, "Knowledge Unlearning for Mitigating Privacy Risks in Language Models", ACL. Again and again, until a
chunk of rows is forgotten, one step up the mean negative log-likelihood of all their tokens:

    minimise L = + mean_t log p(x_t | x_<t),  t = 2..T     Adam, constant learning rate, no weight decay, no dropout

A batch is a whole chunk, so that an epoch is one step. The next chunk starts once the one before it is done
("sequential unlearning"), as a training of its own with a fresh optimizer. A chunk is done

* `forgotten`: when its mean EL_10 and its mean MA are at most those of the original model on unseen rows, as there;
* `extractable`: as soon as none of its rows is, long before that;
* `steps`: after all its epochs.

The rule is asked before every epoch, so that a chunk that others took along costs none. Nothing holds the model where
it was: there is no retain term and no KL penalty, and gradients are not clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from unlearning.method import Method, State, Task, Training, setting

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from unlearning.policy import Policy

# Rows of a chunk that go through the model at once; their gradients add up to those of the chunk.
_ROWS_TOGETHER = 32


@dataclass(frozen=True)
class GradientAscentSettings:
    """The paper's setting, which both presets are: on the demo model faster learning rates cost more benign memory."""

    learning_rate: float = setting(5e-5, "Adam's, constant")
    chunk: int = setting(32, "rows unlearned together, before the next ones")
    chunk_epochs: int = setting(100, "most epochs over a chunk; each is one step")
    stop: str = setting(
        "forgotten",
        "a chunk is done when none of its rows is extractable, when its EL_10 and MA are at most their mean on unseen "
        "rows, or after all its epochs",
        ("extractable", "forgotten", "steps"),
    )

    def __post_init__(self) -> None:
        """Refuses numbers that no training could use.

        Raises:
            ValueError: Says which.
        """
        if self.chunk < 1 or self.chunk_epochs < 1:
            raise ValueError(f"--chunk {self.chunk} --chunk-epochs {self.chunk_epochs}: expected at least 1 of each")
        if not self.learning_rate > 0:
            raise ValueError(f"--learning-rate {self.learning_rate}: expected more than 0")


def _iterations(settings: GradientAscentSettings, task: Task) -> int:
    return ceil(len(task.forget) / settings.chunk) * settings.chunk_epochs


def _prepare(policy: Policy, task: Task, settings: GradientAscentSettings) -> GradientAscentSettings:
    return settings  # nothing in them depends on the model


def _train(policy: Policy, task: Task, settings: GradientAscentSettings, training: Training) -> None:
    """Unlearns chunk after chunk. An iteration is an epoch over a chunk, which is one step."""
    import torch

    from unlearning.state import load_optimizer, optimizer_tensors

    is_done = _rule(policy, task, settings.stop)
    chunks = task.forget.split(settings.chunk)
    resumed, number = training.resumed, training.start
    first = resumed.values["chunk"] if resumed else 0
    for index in range(first, len(chunks)):
        optimizer, epoch = torch.optim.Adam(policy.trainable(), lr=settings.learning_rate), 0
        if resumed and index == first:
            load_optimizer(optimizer, resumed.tensors)
            epoch = resumed.values["epoch"]
        while epoch < settings.chunk_epochs and not is_done(chunks[index]):
            loss, norm = _ascend(policy, chunks[index], optimizer)
            number, epoch = number + 1, epoch + 1
            figures = {
                "forget_loss": loss,
                "gradient_norm": norm,
                "learning_rate": settings.learning_rate,
                "updates": float(number),
            }
            values = {"chunk": index, "epoch": epoch}

            def state(optimizer: Optimizer = optimizer, values: dict[str, int] = values) -> State:
                return State(optimizer_tensors(optimizer), values)

            if not training.iteration(number, figures, state):
                return


def _ascend(policy: Policy, rows: Tensor, optimizer: Optimizer) -> tuple[float, float]:
    """One step on a chunk.

    Args:
        policy: Its weights are changed.
        rows: int64 [C, T], the same in every process.
        optimizer: Over the policy's trainable parameters.

    Returns:
        The mean negative log-likelihood of tokens 2..T before the step, in nats, and the norm of its gradient.
    """
    import torch

    optimizer.zero_grad()
    own = policy.share(rows).to(policy.device)
    total = torch.zeros((), device=policy.device)
    for part in own.split(_ROWS_TOGETHER) if len(own) else ():
        logprob = policy.logits(part, 1).log_softmax(-1).gather(-1, part[:, 1:, None])
        loss = -logprob.sum() / (len(rows) * (rows.shape[1] - 1))
        # Gradients are averaged over processes, each of which has its part of the chunk's sum: hence `world`.
        (-policy.world * loss).backward()
        total += loss.detach()
    policy.average_gradients()
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in policy.trainable() if weight.grad is not None])
    optimizer.step()
    return float(policy.total(total)), float(norm)


def _rule(policy: Policy, task: Task, stop: str) -> Callable[[Tensor], bool]:
    """What says whether a chunk of rows int64 [C, T] is done."""
    from unlearning.evaluation import forgetting, recitation

    about = task.prefix_tokens, task.eos_token_ids
    if stop == "steps":
        return lambda rows: False
    if stop == "extractable":
        return lambda rows: recitation(policy, rows, *about)[0] == 0.0
    most_likelihood, most_accuracy = forgetting(policy, task.unseen, *about, original=True)

    def forgotten(rows: Tensor) -> bool:
        # EL_10 takes many decodings; MA, which takes one pass, nearly always answers alone.
        if not recitation(policy, rows, *about)[1] <= most_accuracy:
            return False
        return forgetting(policy, rows, *about)[0] <= most_likelihood

    return forgotten


GRADIENT_ASCENT = Method(
    name="gradient-ascent",
    title="gradient ascent",
    source="Jang et al. 2023, Knowledge Unlearning for Mitigating Privacy Risks in Language Models, ACL",
    presets={"auto": GradientAscentSettings(), "paper": GradientAscentSettings()},
    train=_train,
    iterations=_iterations,
    prepare=_prepare,
)
