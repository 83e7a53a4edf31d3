"""The model that is being unlearned beside its frozen original: logits, precision, LoRA, several processes.

Apart from `metrics/forward_pass.py` this module alone knows that the logits at position j speak of token j + 1.

One process takes the GPU if there is one (`auto`), or the device that it is told. Which one each of several takes is
written in `unlearning/processes.py`; there is no wrapper around the model.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import Parameter
from transformers import PreTrainedModel
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer

from metrics.causal_lm import causal_lm, evaluation
from metrics.forward_pass import default_batch_size
from metrics.loading import load_model
from metrics.logit_statistics import argmax, ban
from unlearning.method import NonFiniteError, UnlearningError
from unlearning.processes import Processes

if TYPE_CHECKING:
    from accelerate import Accelerator
    from peft import PeftModel

PRECISIONS = ("auto", "float32", "bfloat16")


class Policy:
    """A causal language model with trainable weights, and the model that it was.

    The model is always in evaluation mode: dropout would make the policy differ from itself, and its ratio to
    itself must be 1. Weights are float32 whatever the precision of the products.

    Attributes:
        model: What is trained; a `PeftModel` under LoRA. Trainable parameters require gradients, others do not.
        network: The `PreTrainedModel` itself; under LoRA it is inside `model`, with the adapters inside its layers.
        device: Where its weights are and where its input goes.
        processes: This process among the others, and `accelerator`, which accelerate made for it.
        rank: Number of this process; the main one is 0.
        world: How many processes there are.
        precision: float32 or bfloat16, of the products inside `autocast`.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        precision: str = "auto",
        lora: bool = False,
        lora_rank: int = 16,
        gradient_checkpointing: bool = False,
        seed: int = 0,
        processes: Processes | None = None,
    ) -> None:
        """Takes over a model.

        Args:
            model: A float32 model on its device. Changed in place.
            precision: One of `PRECISIONS`; auto is bfloat16 on a CUDA device and float32 elsewhere.
            lora: Train low-rank adapters on all linear layers but the output head (Hu et al. 2022; alpha is twice the
                rank, no dropout) in place of all weights. The original then needs no memory of its own.
            lora_rank: Rank of the adapters.
            gradient_checkpointing: Compute the inside of every layer again in the backward pass instead of keeping it.
            seed: Of the adapters' initial weights.
            processes: This process among the others; None asks accelerate.

        Raises:
            UnlearningError: No such precision or rank, or an architecture whose layers can't be recomputed.
        """
        if precision not in PRECISIONS:
            raise UnlearningError(f"there is no precision {precision!r}: type {', '.join(PRECISIONS)}")
        self.device = model.get_input_embeddings().weight.device
        self.processes = processes or Processes(self.device.type)
        self.rank, self.world = self.processes.rank, self.processes.world
        self.accelerator: Accelerator = self.processes.accelerator
        self.precision = precision
        if precision == "auto":
            self.precision = "bfloat16" if self.device.type == "cuda" else "float32"

        self.network = model.eval().requires_grad_(False)
        self._lm = causal_lm(model)  # looks at the model while it is as it came
        self._frozen: PreTrainedModel | None = None
        self.model: PreTrainedModel | PeftModel
        if lora:
            self.model = _with_adapters(model, lora_rank, seed)
        else:
            self._frozen = copy.deepcopy(model)
            self.model = model.requires_grad_(True)
        if gradient_checkpointing:
            _recompute_layers(self.network)

    @classmethod
    def load(
        cls,
        name: str,
        revision: str | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        lora: bool = False,
        lora_rank: int = 16,
        gradient_checkpointing: bool = False,
        seed: int = 0,
    ) -> Policy:
        """Loads a model from a folder or the hub; see `__init__`, and `unlearning/processes.py` for the devices.

        Raises:
            ModelError: Anything that keeps the model from being loaded, or a device that is not there.
            UnlearningError: Options that do not go together.
        """
        processes = Processes(device)
        return cls(
            load_model(name, revision, "float32", processes.device),
            precision=precision,
            lora=lora,
            lora_rank=lora_rank,
            gradient_checkpointing=gradient_checkpointing,
            seed=seed,
            processes=processes,
        )

    # What the model says.

    def logits(self, tokens: Tensor, first: int, *, reference: bool = False) -> Tensor:
        """The distributions of the tokens from `first` on, each given the true tokens before it.

        The body runs inside `autocast`; the head runs on the wanted positions only, and always in float32: logits in
        bfloat16 are steps of 1/8 apart where they are large, which is too coarse for ratios and divergences.

        Args:
            tokens: int64 [B, T].
            first: Index of the first token to speak of, 1 <= first < T.
            reference: True for the frozen original, without gradients.

        Returns:
            float32 [B, T - first, V]; entry j is about token first + j. Whether they are finite is for the caller
            to check.

        Raises:
            ValueError: `first` leaves no token, or none before it.
        """
        length = tokens.shape[1]
        if not 1 <= first < length:
            raise ValueError(f"first is {first}: in rows of {length} tokens, 1 to {length - 1} have logits")
        tokens = tokens.to(self.device)
        with self._original_lm() if reference else contextlib.nullcontext(self._lm) as lm:
            with self.autocast():
                states = lm.states(tokens[:, :-1])[:, first - 1 :]
            with torch.autocast(self.device.type, enabled=False):
                logits = lm.logits(states.float().flatten(0, 1))
        return logits.view(len(tokens), length - first, -1)

    def autocast(self) -> torch.autocast:
        """The precision of the body's products, as a context; for sampling with `model` directly."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def greedy_hits(self, tokens: Tensor, banned: Sequence[int]) -> Tensor:
        """Which tokens greedy decoding would choose, decided as the measuring command decides it: in float32.

        Args:
            tokens: int64 [B, T].
            banned: Tokens that are never chosen (those that end a text).

        Returns:
            bool [B, T - 1] on the CPU; entry j is about token 1 + j given the true tokens before it.

        Raises:
            NonFiniteError: A logit is not a finite number, so that nothing can be said.
        """
        lm, (rows, length) = self._lm, tokens.shape
        size = default_batch_size(self.network, length)
        size = min(size, lm.max_batch(length) or size)
        hits = [torch.zeros(0, length - 1, dtype=torch.bool)]
        with evaluation(self.network):
            for start in range(0, rows, size):
                part = tokens[start : start + size].to(self.device)
                choice = []
                for states in lm.states(part[:, :-1]).flatten(0, 1).split(lm.chunk_rows):
                    logits = lm.logits(states)
                    if not logits.isfinite().all():
                        raise NonFiniteError("the model gives logits that are not finite numbers")
                    choice.append(argmax(ban(logits, banned)))
                hits.append((torch.cat(choice).view(len(part), -1) == part[:, 1:]).cpu())
        return torch.cat(hits)

    @contextlib.contextmanager
    def original(self) -> Iterator[PreTrainedModel]:
        """The model as it was before, inside the context; without gradients."""
        with torch.no_grad(), contextlib.ExitStack() as stack:
            if self._frozen is None:
                stack.enter_context(self.model.disable_adapter())
            yield self.network if self._frozen is None else self._frozen

    @contextlib.contextmanager
    def _original_lm(self) -> Iterator[Any]:
        with self.original() as network:
            yield causal_lm(network)

    # Its weights.

    def trainable(self) -> list[Parameter]:
        """The parameters that are trained, in a fixed order."""
        return [weight for weight in self.model.parameters() if weight.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """The trained weights by name, not copied."""
        return {name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad}

    @torch.no_grad()
    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Puts back what `weights` gave.

        Raises:
            UnlearningError: They are of another model, or of other adapters.
        """
        own = self.weights()
        sizes = [sum(weight.numel() for weight in tensors.values()) for tensors in (weights, own)]
        if {name: weight.shape for name, weight in own.items()} != {name: w.shape for name, w in weights.items()}:
            raise UnlearningError(
                f"the saved weights do not fit: {len(weights)} tensors of {sizes[0]:,} numbers were saved, the "
                f"model has {len(own)} of {sizes[1]:,}; resume with the same --model, --lora and "
                "--lora-rank, or start anew without --resume"
            )
        for name, weight in own.items():
            weight.copy_(weights[name])

    def merged(self) -> PreTrainedModel:
        """The model to be saved: itself under full fine-tuning, a copy with the adapters merged under LoRA."""
        return self.network if self._frozen is not None else copy.deepcopy(self.model).merge_and_unload()

    # Several processes; see `unlearning/processes.py`.

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch that every process has: rows rank, rank + world, ...; maybe none."""
        return self.processes.share(rows)

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, the same on each to the bit; every process has to call it."""
        return self.processes.total(value)

    def average_gradients(self, extra: Iterable[Parameter] = ()) -> None:
        """Replaces every gradient by its mean over the processes, before clipping; every process has to call it.

        Args:
            extra: Parameters outside the model, such as those of a value head.
        """
        self.processes.average_gradients([*self.trainable(), *extra])

    def on_main(self, action: Callable[[], None]) -> None:
        """Does something on the main process, while the others wait; every process has to call it."""
        self.processes.on_main(action)


def _with_adapters(model: PreTrainedModel, rank: int, seed: int) -> PeftModel:
    from peft import LoraConfig, get_peft_model

    if rank < 1:
        raise UnlearningError(f"--lora-rank {rank}: expected at least 1")
    largest = max((min(m.weight.shape) for m in model.modules() if isinstance(m, torch.nn.Linear)), default=rank)
    if rank > largest:
        raise UnlearningError(
            f"--lora-rank {rank}: expected at most {largest}, the rank that the model's largest matrix can have"
        )
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for things by names of before
        torch.manual_seed(seed)  # the same adapters in every process, whatever was drawn before
        return get_peft_model(model, config).eval()


def _recompute_layers(network: PreTrainedModel) -> None:
    """Activation checkpointing in evaluation mode; transformers' own works in training mode only, with dropout."""
    layers = [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise UnlearningError(
            f"{type(network).__name__} has no layers that can be recomputed: leave out --gradient-checkpointing"
        )
    for layer in layers:
        layer.forward = MethodType(_recomputed_forward, layer)  # a bound method, so that a copy calls its own layer


def _recomputed_forward(layer: GradientCheckpointingLayer, *args: Any, **kwargs: Any) -> Any:
    forward = MethodType(type(layer).forward, layer)
    if any(isinstance(value, Cache) for value in (*args, *kwargs.values())):  # it would be written twice
        return forward(*args, **kwargs)
    return torch.utils.checkpoint.checkpoint(forward, *args, use_reentrant=False, **kwargs)
