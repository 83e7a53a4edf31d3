"""Model and tokens in, token scores out: one teacher-forced pass decides and measures almost everything.

Greedy decoding reproduces a suffix if and only if every token of it is the greedy choice given the true
tokens before it (by induction), so no decoding is needed to know which rows are extractable. This module is
the one place that knows that the logits at position j speak of token j + 1.

The body runs once over the whole batch; the head runs over chunks of positions, and everything that needs
logits is taken from a chunk before the next one exists. End-of-text tokens are banned from greedy
decisions, as in the Pythia memorization evaluation, but keep their share of every probability. float32 is the
reference: narrower types flip near-ties. On a CPU a row's scores do not depend, to the bit, on the rows
beside it (see `MIN_ROWS`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from metrics.causal_lm import CausalLM, causal_lm, embedding_rows, evaluation
from metrics.extraction_likelihood import extraction_likelihood
from metrics.greedy_decoding import greedy_continuation
from metrics.logit_statistics import (
    ban,
    block_maxima,
    greedy_choice,
    logprob,
    logprob_and_moments,
    rank,
    restore,
    topk_logprob,
)
from metrics.model_errors import ModelError
from metrics.packed_linear import even_rows
from metrics.slot_cache import SlotCache
from metrics.token_scores import ScoreLevel, TokenScores
from metrics.verification import WAITING_SHARE, Departure, first_mismatch, first_mismatch_of_many, until_mismatch

TOP_K = 40
# What a batch may take, in bytes and in rows, when nobody chose its size.
_BATCH_BYTES = {"cpu": 2**28, "cuda": 2**33}
_BATCH_ROWS = {"cpu": 64, "cuda": 1024}
# Passes of which the rows that go on are looked at together, where only the label is wanted.
_PASSES = 16


def score(
    model: PreTrainedModel,
    tokens: np.ndarray,
    prefix_tokens: int,
    k_values: Sequence[int],
    *,
    level: ScoreLevel,
    eos_token_id: int | Sequence[int] | None,
    batch_size: int | None = None,
    el_rows: np.ndarray | None = None,
    n: int = 10,
) -> TokenScores:
    """Scores sequences with a model.

    Args:
        model: Any `AutoModelForCausalLM`, on any device.
        tokens: int [N, T], the first P tokens are the prompt, the others must be reproduced.
        prefix_tokens: P, 1 <= P < T.
        k_values: Prompt lengths, ascending, the last is P.
        level: Which fields are wanted; the lower, the less work.
        eos_token_id: The token, or the tokens, banned from greedy decoding; None bans nothing. As in `generate`.
        batch_size: Rows per pass; None chooses by model and device. Out of memory halves it and goes on.
        el_rows: bool [N], the rows that get EL_n; None for none. Only at the level FULL.
        n: Length of the n-grams of EL_n.

    Returns:
        The scores in the order of `tokens`.

    Raises:
        ValueError: shapes, prompt lengths or token ids that do not fit the model.
        ModelError: logits that are not finite numbers.
        torch.OutOfMemoryError, RuntimeError: not even one row fits into memory.
    """
    tokens = np.ascontiguousarray(tokens, dtype=np.int64)
    banned = () if eos_token_id is None else tuple(np.atleast_1d(eos_token_id).tolist())
    _check(model, tokens, prefix_tokens, k_values, banned)
    lm = causal_lm(model)
    rows = tokens if len(tokens) else np.zeros((1, tokens.shape[1]), np.int64)  # for the arrays' shapes
    wanted = np.zeros(len(rows), bool)
    if el_rows is not None and level >= ScoreLevel.FULL:
        wanted[: len(tokens)] = el_rows

    def run(batch: np.ndarray, with_el: bool, cache: SlotCache | None, size: int) -> dict[str, np.ndarray]:
        if level == ScoreLevel.EXTRACTABLE:
            return _label_batch(lm, batch, cache, prefix_tokens, k_values, banned, size)
        return _score_batch(lm, batch, cache, prefix_tokens, k_values, level, banned, n if with_el else None)

    parts: list[dict[str, np.ndarray]] = []
    order: list[np.ndarray] = []
    for with_el in (False, True):
        chosen = np.flatnonzero(wanted == with_el)
        size = batch_size or default_batch_size(model, tokens.shape[1], with_el=with_el)
        size = min(size, lm.max_batch(tokens.shape[1]) or size, max(1, len(chosen)))
        passes = _PASSES if level == ScoreLevel.EXTRACTABLE else 1
        with evaluation(model):
            parts += _in_batches(lm, rows[chosen], size, passes, partial(run, with_el=with_el))
        order.append(chosen)
    back = np.argsort(np.concatenate(order))[: len(tokens)]
    return TokenScores(**{name: np.concatenate([part[name] for part in parts])[back] for name in parts[0]})


def _in_batches(
    lm: CausalLM, rows: np.ndarray, size: int, passes: int, run: Callable[..., dict[str, np.ndarray]]
) -> list[dict[str, np.ndarray]]:
    """What `run` gives for some rows after the other, of fewer passes once memory has not sufficed.

    Args:
        lm: The model.
        rows: int64 [N, T].
        size: Rows of a pass.
        passes: How many of these `run` is given at once.
        run: From rows, and by name a `cache` with slots for a pass and its `size`, to the scores of these rows.
    """
    parts, start = [], 0
    cache = _cache(lm, size, rows.shape[1])
    while start < len(rows):
        batch = slice(start, start + size * passes)
        try:
            parts.append(run(rows[batch], cache=cache, size=size))
            start = batch.stop
            continue
        except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
            if not _is_out_of_memory(error):
                raise
            if size == 1:
                error.add_note(
                    f"Not even one sequence of {rows.shape[1]} tokens fits into the memory of {lm.device} "
                    f"beside the model {lm.name}: use a narrower --dtype, another --device or a smaller model."
                )
                raise
        # After the except block, so that no traceback holds on to the batch's tensors.
        size //= 2
        cache = None
        gc.collect()
        if lm.device.type == "cuda":
            torch.cuda.empty_cache()
        cache = _cache(lm, size, rows.shape[1])
    return parts


def default_batch_size(model: PreTrainedModel, length: int, *, with_el: bool = False) -> int:
    """Rows of `length` tokens per pass that keep activations and cache within a fixed amount of memory.

    With EL_n an eighth of it: branches leave a row at nearly each of its tokens, with a cache of their own.
    """
    device = model.get_input_embeddings().weight.device.type
    config = model.config.get_text_config()
    width = getattr(config, "hidden_size", None) or model.get_input_embeddings().weight.shape[1]
    layers = getattr(config, "num_hidden_layers", None) or 1
    # About 16 widths of activations, alive in one layer at a time, and the keys and values of all layers, of this row
    # and its share of those that wait.
    kept = 2 * layers * (1 + 1 / WAITING_SHARE)
    a_row = int(length * width * (16 + kept)) * model.get_input_embeddings().weight.element_size()
    room = _BATCH_BYTES.get(device, 2**28) // (8 if with_el else 1)
    rows = max(1, min(_BATCH_ROWS.get(device, 64), room // a_row))
    return even_rows(rows) or rows


def _check(
    model: PreTrainedModel, tokens: np.ndarray, prefix_tokens: int, k_values: Sequence[int], banned: Sequence[int]
) -> None:
    if tokens.ndim != 2:
        raise ValueError(f"tokens have the shape {tokens.shape}, expected [sequences, tokens]")
    length = tokens.shape[1]
    if not 1 <= prefix_tokens < length:
        raise ValueError(f"{prefix_tokens} prefix tokens do not leave a suffix in sequences of {length} tokens")
    if not k_values or list(k_values) != sorted(set(k_values)) or k_values[0] < 1 or k_values[-1] != prefix_tokens:
        raise ValueError(
            f"prompt lengths {list(k_values)}: expected ascending numbers from 1 up to {prefix_tokens}, and that one"
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions and length - 1 > positions:
        raise ValueError(f"sequences of {length} tokens are longer than the {positions} positions of the model")
    rows = embedding_rows(model)
    for token in banned:
        if not 0 <= token < rows:
            raise ValueError(f"the end-of-text token {token} is outside the model's vocabulary of {rows} ids")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= rows):
        worst = int(tokens.max()) if tokens.max() >= rows else int(tokens.min())
        raise ValueError(f"token id {worst} is outside the model's vocabulary of {rows} ids")


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "DefaultCPUAllocator" in str(error) or "can't allocate memory" in str(error)


def _score_batch(
    lm: CausalLM,
    rows: np.ndarray,
    cache: SlotCache | None,
    prefix_tokens: int,
    k_values: Sequence[int],
    level: ScoreLevel,
    banned: Sequence[int],
    el_n: int | None,
) -> dict[str, np.ndarray]:
    """The fields of `TokenScores` for one batch, EL_n of all rows or, for None, of none; gathered once."""
    tokens = _to_device(rows, lm.device)
    sweep = [first_mismatch(lm, tokens[:, prefix_tokens - k :], k, banned, cache) for k in k_values[:-1]]
    fields: dict[str, Tensor] = {}
    if level >= ScoreLevel.LIKELIHOOD:
        departure, choice, fields = _whole_pass(lm, tokens, prefix_tokens, banned, cache, level)
    else:
        departure = first_mismatch(lm, tokens, prefix_tokens, banned, cache)
    if level >= ScoreLevel.FULL:
        fields["extraction_likelihood"] = torch.full_like(departure.margin, torch.nan)
        if el_n is not None:
            every = torch.arange(len(tokens), device=lm.device)
            fields["extraction_likelihood"] = extraction_likelihood(lm, tokens, cache, choice, every, el_n, banned)
    fields |= _decided([*sweep, departure])
    fields["greedy_tokens"], margin = greedy_continuation(
        lm, tokens, cache, departure.position, departure.token, prefix_tokens, banned
    )
    fields["min_margin"] = torch.minimum(fields["min_margin"], margin)
    return _gathered(lm, fields)


def _label_batch(
    lm: CausalLM,
    rows: np.ndarray,
    cache: SlotCache | None,
    prefix_tokens: int,
    k_values: Sequence[int],
    banned: Sequence[int],
    size: int,
) -> dict[str, np.ndarray]:
    """The fields of `TokenScores` at the level EXTRACTABLE, for the rows of several passes."""
    tokens = _to_device(rows, lm.device)
    return _gathered(
        lm,
        _decided(
            [first_mismatch_of_many(lm, tokens[:, prefix_tokens - k :], k, banned, cache, size) for k in k_values]
        ),
    )


def _decided(sweep: Sequence[Departure]) -> dict[str, Tensor]:
    """What the departures at every prompt length say together."""
    return {
        "first_mismatch": torch.stack([at_k.position for at_k in sweep], 1),
        "min_margin": torch.stack([at_k.margin for at_k in sweep]).amin(0),
    }


def _to_device(rows: np.ndarray, device: torch.device) -> Tensor:
    tokens = torch.from_numpy(rows)
    return tokens.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tokens.to(device)


def _cache(lm: CausalLM, size: int, length: int) -> SlotCache | None:
    """Keys and values of one batch, for every pass over it and then for the next batch: a large block less to move."""
    return SlotCache(size, length) if lm.is_cacheable else None


def _whole_pass(
    lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: Sequence[int], cache: SlotCache | None, level: ScoreLevel
) -> tuple[Departure, Tensor | None, dict[str, Tensor]]:
    """One pass over all of a batch.

    Returns:
        Where the suffix is left; at the level FULL the teacher-forced greedy tokens int64 [B, T-1]; and the fields of
        `TokenScores` that are read off the logits.
    """
    at = prefix_tokens - 1  # the state that speaks of the first suffix token
    full = level >= ScoreLevel.FULL
    if cache is None:
        states = lm.states(tokens[:, :-1])
        before, states = states[:, :at], states[:, at:]
    else:  # attention over two halves costs less than over the whole
        prompt = lm.states(tokens[:, :prefix_tokens], cache.extend(slice(None), 0), only_last=not full)
        before, states = prompt[:, :-1], prompt[:, -1:]
        if prefix_tokens < tokens.shape[1] - 1:
            rest = lm.states(tokens[:, prefix_tokens:-1], cache.extend(slice(None), prefix_tokens))
            states = torch.cat([states, rest], 1)
    prefix = _read_chunks(lm, before, tokens[:, 1:prefix_tokens], banned, level) if full and at else {}
    suffix = _read_chunks(lm, states, tokens[:, prefix_tokens:], banned, level, top_k=TOP_K)
    choice, margin = suffix["choice"], suffix.pop("margin")
    position, smallest = until_mismatch(choice != tokens[:, prefix_tokens:], margin)
    last = position.clamp(max=choice.shape[1] - 1)[:, None]
    departure = Departure(position, choice.gather(1, last)[:, 0], smallest)
    fields = {
        name: torch.cat([prefix[name], values], 1) if name in prefix else values for name, values in suffix.items()
    }
    choice = fields.pop("choice")
    return departure, choice if full else None, fields


def _read_chunks(
    lm: CausalLM, states: Tensor, true: Tensor, banned: Sequence[int], level: ScoreLevel, top_k: int | None = None
) -> dict[str, Tensor]:
    """What is read off the logits of states [B, L, width] about the tokens true [B, L]: [B, L] by name."""
    scratch = torch.empty(2, lm.statistics_rows, lm.vocab_size, device=lm.device)
    parts: dict[str, list[Tensor]] = {}
    for chunk, token in zip(
        states.flatten(0, 1).split(lm.chunk_rows), true.flatten().split(lm.chunk_rows), strict=True
    ):
        # Handed over, not kept: the logits of a chunk are gone before the next ones are computed.
        _read_logits(lm.logits(chunk), token, banned, level, top_k, scratch, parts)
    return {name: torch.cat(values).view_as(true) for name, values in parts.items()}


def _read_logits(
    chunk: Tensor,
    true: Tensor,
    banned: Sequence[int],
    level: ScoreLevel,
    top_k: int | None,
    scratch: Tensor,
    parts: dict[str, list[Tensor]],
) -> None:
    """Adds to `parts` what is read off the logits [R, V] about R tokens."""

    def put(**values: Tensor) -> None:
        for name, value in values.items():
            parts.setdefault(name, []).append(value)

    rows = scratch.shape[1]
    for logits, token in zip(chunk.split(rows), true.split(rows), strict=True):
        spared = [logits[:, ends].clone() for ends in banned]
        ban(logits, banned)
        maxima = block_maxima(logits)
        choice, margin = greedy_choice(logits, maxima)
        put(choice=choice, margin=margin)
        if level >= ScoreLevel.FULL:
            put(rank=_rank(logits, token, choice, scratch))
        for ends, values in zip(banned, spared, strict=True):
            restore(logits, maxima, ends, values)
        if top_k is not None:
            put(topk_logprob=topk_logprob(logits, maxima, token, top_k))
        if level < ScoreLevel.FULL:
            put(logprob=logprob(logits, maxima, token, scratch))
        else:
            own, mean, std = logprob_and_moments(logits, maxima, token, scratch)
            put(logprob=own, logprob_mean=mean, logprob_std=std)


def _rank(logits: Tensor, true: Tensor, choice: Tensor, scratch: Tensor) -> Tensor:
    """As `rank`, looked up only where the true token is not the greedy choice."""
    ranks = torch.zeros_like(true)
    other = (true != choice).nonzero()[:, 0]
    if len(other):
        ranks[other] = rank(logits[other], true[other], scratch)
    return ranks


def _gathered(lm: CausalLM, fields: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """The fields, brought from the device."""
    names = [name for name in ("min_margin", "logprob", "logprob_mean", "logprob_std") if name in fields]
    finite = torch.stack([fields[name].isfinite().all() for name in names])
    if not finite.all():
        raise ModelError(
            f"the model {lm.name} gives logits that are not finite numbers: its weights are damaged, or too large "
            "for its dtype (--dtype float32 is the safe choice)"
        )
    return {name: _to_numpy(value) for name, value in fields.items()}


def _to_numpy(value: Tensor) -> np.ndarray:
    value = value if value.is_floating_point() else value.int()
    return value.cpu().numpy()
