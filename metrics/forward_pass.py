"""Model and tokens in, token scores out: one teacher-forced pass decides and measures almost everything.

Greedy decoding reproduces a suffix if and only if every token of it is the greedy choice given the true
tokens before it (by induction), so no decoding is needed to know which rows are extractable. This module is
the one place that knows that the logits at position j speak of token j + 1.

The body runs once over the whole batch; the head runs over chunks of positions, and everything that needs
logits is taken from a chunk before the next one exists. The end-of-text token is banned from greedy
decisions, as in the Pythia memorization evaluation, but keeps its share of every probability. float32 is the
reference: narrower types flip near-ties. On a CPU a row's scores do not depend, to the bit, on the rows
beside it (see `MIN_ROWS`).
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache

from metrics.causal_lm import CausalLM, causal_lm, embedding_rows, evaluation
from metrics.extraction_likelihood import extraction_likelihood
from metrics.greedy_decoding import greedy_continuation
from metrics.logit_statistics import argmax, logprob_and_moments, margin, rank, topk_logprob
from metrics.model_errors import ModelError
from metrics.token_scores import TokenScores

TOP_K = 40
# Suffix positions whose logits are looked at together when only the first mismatch is wanted: most rows of a
# corpus miss at once, and only those that have not missed yet go on.
_STAGES = (1, 3, 4, 8, 16)
# What a batch may take, in bytes and in rows, when nobody chose its size.
_BATCH_BYTES = {"cpu": 2**28, "cuda": 2**33}
_BATCH_ROWS = {"cpu": 64, "cuda": 1024}


def score(
    model: PreTrainedModel,
    tokens: np.ndarray,
    prefix_tokens: int,
    k_values: Sequence[int],
    *,
    full: bool,
    eos_token_id: int | None,
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
        full: True for every field; False for first mismatches and margins only, which takes far fewer logits.
        eos_token_id: The token banned from greedy decoding; None bans nothing.
        batch_size: Rows per pass; None chooses by model and device. Out of memory halves it and goes on.
        el_rows: bool [N], the rows that get EL_n; None for none. Only with `full`.
        n: Length of the n-grams of EL_n.

    Returns:
        The scores in the order of `tokens`.

    Raises:
        ValueError: shapes, prompt lengths or token ids that do not fit the model.
        ModelError: logits that are not finite numbers.
        torch.OutOfMemoryError, RuntimeError: not even one row fits into memory.
    """
    tokens = np.ascontiguousarray(tokens, dtype=np.int64)
    _check(model, tokens, prefix_tokens, k_values, eos_token_id)
    lm = causal_lm(model)
    size = batch_size or default_batch_size(model, tokens.shape[1])
    size = min(size, lm.max_batch(tokens.shape[1]) or size)

    parts: list[dict[str, np.ndarray]] = []
    rows = tokens if len(tokens) else np.zeros((1, tokens.shape[1]), np.int64)  # for the arrays' shapes
    wanted = np.zeros(len(rows), bool)
    if el_rows is not None:
        wanted[: len(tokens)] = el_rows
    start = 0
    with evaluation(model):
        while start < len(rows):
            batch = slice(start, start + size)
            try:
                parts.append(
                    _score_batch(lm, rows[batch], prefix_tokens, k_values, full, eos_token_id, wanted[batch], n)
                )
                start += size
                continue
            except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
                if not _is_out_of_memory(error):
                    raise
                if size == 1:
                    error.add_note(
                        f"Not even one sequence of {tokens.shape[1]} tokens fits into the memory of {lm.device} "
                        f"beside the model {lm.name}: use a narrower --dtype, another --device or a smaller model."
                    )
                    raise
            # After the except block, so that no traceback holds on to the batch's tensors.
            size //= 2
            gc.collect()
            if lm.device.type == "cuda":
                torch.cuda.empty_cache()
    count = len(tokens)
    return TokenScores(**{name: np.concatenate([part[name] for part in parts])[:count] for name in parts[0]})


def default_batch_size(model: PreTrainedModel, length: int) -> int:
    """Rows of `length` tokens per pass that keep activations and cache within a fixed amount of memory."""
    device = model.get_input_embeddings().weight.device.type
    config = model.config.get_text_config()
    width = getattr(config, "hidden_size", None) or model.get_input_embeddings().weight.shape[1]
    layers = getattr(config, "num_hidden_layers", None) or 1
    # About 16 widths of activations, alive in one layer at a time, and the keys and values of all layers.
    a_row = length * width * (16 + 2 * layers) * model.get_input_embeddings().weight.element_size()
    return max(1, min(_BATCH_ROWS.get(device, 64), _BATCH_BYTES.get(device, 2**28) // a_row))


def _check(
    model: PreTrainedModel, tokens: np.ndarray, prefix_tokens: int, k_values: Sequence[int], banned: int | None
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
    if banned is not None and not 0 <= banned < rows:
        raise ValueError(f"the end-of-text token {banned} is outside the model's vocabulary of {rows} ids")
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
    prefix_tokens: int,
    k_values: Sequence[int],
    full: bool,
    banned: int | None,
    wanted: np.ndarray,
    n: int,
) -> dict[str, np.ndarray]:
    """The fields of `TokenScores` for one batch; gathered from the device once."""
    tokens = torch.from_numpy(rows)
    if lm.device.type == "cuda":
        tokens = tokens.pin_memory()
    tokens = tokens.to(lm.device, non_blocking=True)
    sweep = [first_mismatch(lm, tokens[:, prefix_tokens - k :], k, banned) for k in k_values[:-1]]
    if full:
        mismatch, margin, fields = _full_pass(lm, tokens, prefix_tokens, banned, np.flatnonzero(wanted), n)
    else:
        mismatch, margin = first_mismatch(lm, tokens, prefix_tokens, banned)
        fields = {}
    sweep.append((mismatch, margin))
    fields["first_mismatch"] = torch.stack([mismatch for mismatch, _ in sweep], 1)
    fields["min_margin"] = torch.stack([margin for _, margin in sweep]).amin(0)
    _refuse_not_finite(lm, fields)
    return {name: _to_numpy(value) for name, value in fields.items()}


def first_mismatch(lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: int | None) -> tuple[Tensor, Tensor]:
    """Where greedy decoding leaves the suffix, with logits only for rows that have not left it yet.

    Args:
        tokens: int64 [B, L], the first `prefix_tokens` are the prompt.
        banned: Token id that is never chosen, or None.

    Returns:
        int64 [B], index in the suffix, L - prefix_tokens where it is never left; and float32 [B], the
        smallest margin of the decisions up to and with that one.
    """
    states = lm.states(tokens[:, :-1])[:, prefix_tokens - 1 :]
    suffix = tokens[:, prefix_tokens:]
    length = suffix.shape[1]
    mismatch = torch.full_like(suffix[:, 0], length)
    smallest = torch.full(mismatch.shape, torch.inf, device=tokens.device)
    going = torch.arange(len(tokens), device=tokens.device)
    start = 0
    widths = itertools.chain(_STAGES, itertools.repeat(_STAGES[-1]))
    while start < length and len(going):
        stop = min(start + next(widths), length)
        true = suffix[going, start:stop]
        choice, margins = [], []
        for part in states[going, start:stop].flatten(0, 1).split(lm.chunk_rows):
            logits = _ban(lm.logits(part), banned)
            choice.append(argmax(logits))
            margins.append(margin(logits, choice[-1]))
        wrong = torch.cat(choice).view_as(true) != true
        found, lowest = _until_mismatch(wrong, torch.cat(margins).view_as(true))
        smallest[going] = torch.minimum(smallest[going], lowest)
        left = found < stop - start
        mismatch[going[left]] = start + found[left]
        going = going[~left]
        start = stop
    return mismatch, smallest


def _full_pass(
    lm: CausalLM, tokens: Tensor, prefix_tokens: int, banned: int | None, wanted: np.ndarray, n: int
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """First mismatch, smallest margin, and the fields of full scores."""
    cache = DynamicCache() if lm.is_cacheable else None
    states = lm.states(tokens[:, :-1], cache)
    at = prefix_tokens - 1  # the state that speaks of the first suffix token
    prefix = _read_chunks(lm, states[:, :at], tokens[:, 1:prefix_tokens], banned, is_suffix=False)
    suffix = _read_chunks(lm, states[:, at:], tokens[:, prefix_tokens:], banned, is_suffix=True)
    del states
    fields = {name: torch.cat([prefix[name], suffix[name]], 1) for name in prefix}
    fields["topk_logprob"] = suffix["topk_logprob"]
    choice = fields.pop("choice")

    mismatch, smallest = _until_mismatch(suffix["rank"] > 0, suffix["margin"])
    last = mismatch.clamp(max=suffix["choice"].shape[1] - 1)[:, None]
    rows = torch.from_numpy(wanted).to(lm.device)
    fields["extraction_likelihood"] = torch.full_like(smallest, torch.nan)
    fields["extraction_likelihood"][rows] = extraction_likelihood(lm, tokens, cache, choice, rows, n, banned)
    fields["greedy_tokens"], decoded = greedy_continuation(
        lm, tokens, cache, mismatch, suffix["choice"].gather(1, last)[:, 0], prefix_tokens, banned
    )
    return mismatch, torch.minimum(smallest, decoded), fields


def _read_chunks(
    lm: CausalLM, states: Tensor, true: Tensor, banned: int | None, *, is_suffix: bool
) -> dict[str, Tensor]:
    """What is read off the logits of states [B, L, width] about the tokens true [B, L]: [B, L] by name."""
    parts: dict[str, list[Tensor]] = {}
    scratch = torch.empty(2, lm.chunk_rows, lm.vocab_size, device=lm.device)

    def put(name: str, value: Tensor) -> None:
        parts.setdefault(name, []).append(value)

    for chunk, token in zip(
        states.flatten(0, 1).split(lm.chunk_rows), true.flatten().split(lm.chunk_rows), strict=True
    ):
        logits = lm.logits(chunk)
        spared = None if banned is None else logits[:, banned].clone()
        _ban(logits, banned)
        choice = argmax(logits)
        put("choice", choice)
        put("rank", rank(logits, token, scratch))
        if is_suffix:
            put("margin", margin(logits, choice))
        if spared is not None:
            logits[:, banned] = spared
        if is_suffix:
            put("topk_logprob", topk_logprob(logits, token, TOP_K))
        for name, value in zip(
            ("logprob", "logprob_mean", "logprob_std"), logprob_and_moments(logits, token, scratch), strict=True
        ):
            put(name, value)
    return {name: torch.cat(values).view_as(true) for name, values in parts.items()}


def _ban(logits: Tensor, banned: int | None) -> Tensor:
    if banned is not None:
        logits[:, banned] = -torch.inf
    return logits


def _until_mismatch(wrong: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
    """The first True of every row [B, L] (L for none), and the smallest margin up to and with it."""
    length = wrong.shape[1]
    first = torch.where(wrong.any(1), wrong.long().argmax(1), length)
    decided = torch.arange(length, device=wrong.device) <= first[:, None]
    return first, torch.where(decided, margins, torch.inf).amin(1)


def _refuse_not_finite(lm: CausalLM, fields: dict[str, Tensor]) -> None:
    names = [name for name in ("min_margin", "logprob", "logprob_mean", "logprob_std") if name in fields]
    finite = torch.stack([fields[name].isfinite().all() for name in names])
    if not finite.all():
        raise ModelError(
            f"the model {lm.name} gives logits that are not finite numbers: its weights are damaged, or too large "
            "for its dtype (--dtype float32 is the safe choice)"
        )


def _to_numpy(value: Tensor) -> np.ndarray:
    value = value if value.is_floating_point() else value.int()
    return value.cpu().numpy()
