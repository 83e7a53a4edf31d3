"""How logits are got from any causal language model: its body, its head, and whether it decodes from a cache.

The body turns tokens into states, the head turns states into logits. Kept apart, logits exist only for the
positions that are needed, a chunk at a time. Not every model is head(body(x)): Gemma 2 caps its logits,
Cohere and Granite scale them. So the two are compared once with the model's own forward, and where they
differ by a single bit the model is run whole instead.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from metrics.last_position import modules_by_position, only_last_position
from metrics.logit_statistics import ban
from metrics.packed_linear import even_rows
from metrics.slot_cache import SlotCache

# Matrix products of fewer rows than this take other kernels, which add up in another order (MKL and oneDNN:
# below 4). Padding up to it makes a row's scores the same, to the bit, whatever rows happen to be beside it.
MIN_ROWS = 4

# Logits alive at once. On a CPU the head wants rows enough to pay for reading its weights, but not so many that the
# logits leave the caches; on a GPU a chunk should fill the device.
_CHUNK_LOGITS = {"cpu": 3_400_000, "cuda": 2**26}  # on a CPU 64 rows of Pythia's vocabulary
# What one pass's activations may take, in bytes. More rows at once are no faster.
_PASS_BYTES = {"cpu": 2**25, "cuda": 2**33}
# Logits that statistics are taken of together: they go over them several times, and keep twice as many beside them.
_STATISTICS_LOGITS = {"cpu": 2**20, "cuda": 2**26}


@dataclass(frozen=True)
class Architecture:
    """What two tiny forward passes showed of a model.

    Attributes:
        vocab_size: V, the width of its logits.
        is_split: True where logits are head(body(tokens)) to the bit.
        is_cacheable: True where a cache of plain key/value layers decodes as the whole forward does; False,
            for example, for recurrent models, which then decode by running the sequence anew.
        is_spared: True where the last layer can do most of its work for the last position only, see
            `metrics.last_position`.
    """

    vocab_size: int
    is_split: bool
    is_cacheable: bool
    is_spared: bool


class CausalLM:
    """A causal language model as a body that gives states and a head that turns some of them into logits.

    Attributes:
        name: The model's name or folder, for messages.
        device: Where its input goes.
        vocab_size: V, the width of its logits.
        is_cacheable: See `Architecture`.
    """

    def __init__(self, model: PreTrainedModel, architecture: Architecture) -> None:
        self.name = model.name_or_path or type(model).__name__
        self.device = model.get_input_embeddings().weight.device
        self.vocab_size = architecture.vocab_size
        self.is_cacheable = architecture.is_cacheable
        self._model = model
        weight = model.get_input_embeddings().weight
        # About 16 widths live at once in a layer: its input, queries, keys, values, and four times the width twice.
        self._bytes_a_position = 16 * weight.shape[1] * weight.element_size()
        self._head = model.get_output_embeddings() if architecture.is_split else None
        self._spared = modules_by_position(model) if architecture.is_spared else []

    @property
    def chunk_rows(self) -> int:
        """How many rows of V logits may exist at once."""
        return max(MIN_ROWS, even_rows(_CHUNK_LOGITS.get(self.device.type, 3_400_000) // self.vocab_size))

    @property
    def statistics_rows(self) -> int:
        """How many of these rows statistics should be taken of at once."""
        parts = -(-self.chunk_rows * self.vocab_size // _STATISTICS_LOGITS.get(self.device.type, 2**20))
        return -(-self.chunk_rows // parts)

    def max_batch(self, length: int) -> int | None:
        """The largest batch that keeps the bound on logits; None where the head runs in chunks."""
        return None if self._head is not None else max(1, self.chunk_rows // length)

    def states(self, tokens: Tensor, cache: SlotCache | None = None, *, only_last: bool = False) -> Tensor:
        """Runs the model without its head, on some rows after the other where all would take too much memory.

        Args:
            tokens: int64 [B, L].
            cache: Extended by the L tokens, where given.
            only_last: True where the states of the last position will do, which takes less work.

        Returns:
            [B, L, width], or [B, 1, width] of the last position only: what `logits` takes; the hidden states, or the
            logits of a model that can't be split.
        """
        rows = len(tokens)
        if tokens.numel() < MIN_ROWS:  # see there; the first row is fed more than once
            order = torch.arange(MIN_ROWS, device=tokens.device)
            order[rows:] = 0
            cache = None if cache is None else cache.reordered(order)
            return self._pass(tokens[order], cache, only_last)[:rows]
        groups = min(rows, -(-tokens.numel() * self._bytes_a_position // _PASS_BYTES.get(self.device.type, 2**25)))
        if groups <= 1:
            return self._pass(tokens, cache, only_last)
        caches = [None] * groups if cache is None else cache.parts(rows, groups)
        return torch.cat(
            [
                self._pass(part, its_cache, only_last)
                for part, its_cache in zip(tokens.tensor_split(groups), caches, strict=True)
            ]
        )

    def _pass(self, tokens: Tensor, cache: Cache | None, only_last: bool) -> Tensor:
        run = self._model if self._head is None else self._model.base_model
        spared = self._spared if only_last and len(tokens) >= MIN_ROWS else []
        with only_last_position(spared, tokens.shape[1]):
            states = run(input_ids=tokens, past_key_values=cache, use_cache=cache is not None)[0]
        return states[:, -1:] if only_last else states

    def logits(self, states: Tensor) -> Tensor:
        """The logits of some states, as float32 that the caller may overwrite.

        Args:
            states: [R, width], R up to `chunk_rows`.

        Returns:
            float32 [R, V].
        """
        if self._head is None:
            return states.to(torch.float32, copy=True)
        rows = len(states)
        if rows < MIN_ROWS:
            states = torch.cat([states, states.new_zeros(MIN_ROWS - rows, states.shape[1])])
        return self._head(states)[:rows].float()

    def greedy_logits(self, states: Tensor, banned: Sequence[int]) -> Tensor:
        """As `logits`, with -inf for the tokens that greedy decoding must not choose."""
        return ban(self.logits(states), banned)


_inspected: weakref.WeakKeyDictionary[PreTrainedModel, Architecture] = weakref.WeakKeyDictionary()


def causal_lm(model: PreTrainedModel) -> CausalLM:
    """Wraps a model; its architecture is looked at once as long as it lives."""
    if model not in _inspected:
        with evaluation(model):
            _inspected[model] = _inspect(model)
    return CausalLM(model, _inspected[model])


def _inspect(model: PreTrainedModel) -> Architecture:
    device = model.get_input_embeddings().weight.device
    tokens = (torch.arange(2 * 8, device=device) * 7919 % embedding_rows(model)).view(2, 8)
    logits = model(input_ids=tokens, use_cache=False).logits
    head = model.get_output_embeddings()
    is_split = False
    if head is not None and model.base_model is not model:
        # A head that takes states of another width raises RuntimeError.
        with contextlib.suppress(RuntimeError):
            is_split = torch.equal(head(model.base_model(input_ids=tokens, use_cache=False)[0]), logits)

    is_cacheable = False
    # An architecture with another kind of memory refuses this cache, each in its own way.
    with contextlib.suppress(AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError):
        cache = SlotCache(2, 8)
        model(input_ids=tokens[:, :7], past_key_values=cache, use_cache=True)
        last = model(input_ids=tokens[:, 7:], past_key_values=cache.extend(slice(None), 7), use_cache=True).logits[:, 0]
        is_cacheable = all(layer.is_initialized for layer in cache.layers) and _is_close(last, logits[:, 7])
    return Architecture(logits.shape[-1], is_split, is_cacheable, is_cacheable and _is_spared(model, tokens.view(4, 4)))


def _is_spared(model: PreTrainedModel, tokens: Tensor) -> bool:
    modules, length = modules_by_position(model), tokens.shape[1]
    whole, spared = SlotCache(*tokens.shape), SlotCache(*tokens.shape)
    expected = model(input_ids=tokens, past_key_values=whole, use_cache=True).logits[:, -1]
    # What modules of another kind do with fewer positions than they expect is theirs to say.
    with contextlib.suppress(AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        with only_last_position(modules, length):
            last = model(input_ids=tokens, past_key_values=spared, use_cache=True).logits[:, -1]
        return _is_close(last, expected) and all(
            _is_close(own.keys, its.keys) and _is_close(own.values, its.values)
            for own, its in zip(spared.layers, whole.layers, strict=True)
        )
    return False


def _is_close(found: Tensor, expected: Tensor) -> bool:
    tolerance = 1e-4 if expected.dtype in (torch.float32, torch.float64) else 0.1
    spread = float(expected.float().std()) + 1e-6
    return torch.allclose(found.float(), expected.float(), rtol=1e-4, atol=tolerance * spread)


def embedding_rows(model: PreTrainedModel) -> int:
    """How many token ids the model can take: the rows of its input embedding."""
    return model.get_input_embeddings().weight.shape[0]


@contextlib.contextmanager
def evaluation(model: PreTrainedModel) -> Iterator[None]:
    """No dropout and no gradients inside; the model is left as it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
