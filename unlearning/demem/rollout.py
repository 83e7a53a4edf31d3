"""Step 1 of DeMem: continuations drawn by the policy, many at once, and how probable it found each token.

All rows share their positions, so there is no padding. A rollout from the prefix is drawn with the key-value cache. A
*branch* is as many one-token rollouts as the row is long: at each of its positions, in the prefix too, one token is
drawn given the true tokens before it. Without branches no state deep in the suffix would ever be visited, for rollouts
from the prefix leave the true path after a few tokens, and what the prefix itself holds would stay.

Each token is drawn from one uniform number, by inverting the cumulative distribution, and those numbers are drawn up
front: a rollout depends on the seed and its place in the batch, not on the number of processes or the device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from metrics.causal_lm import causal_lm
from unlearning.demem.settings import DememSettings
from unlearning.demem.value_head import ValueHead, head_inputs, suffix_states
from unlearning.method import NonFiniteError, Task
from unlearning.policy import Policy

# Bytes that the keys and values of the rows decoded together may take.
_CACHE_BYTES = {"cpu": 2**29, "cuda": 2**34}


@dataclass(frozen=True)
class Rollouts:
    """What this process drew in an iteration, under the behaviour policy: B rows of T = P + S tokens; L = T - first.

    Attributes:
        first: The first token that is spoken of: 1 where there are branches, else P.
        lead: P - first, how many columns come before those of the suffix; only branches are drawn there.
        rows: int64 [B], index of the forget row.
        is_branch: bool [B].
        temperature: float32 [B].
        context: int64 [B, T], what a forward pass reads: prefix and drawn tokens; of a branch the forget row itself.
        source: int64 [B], the first rollout with the same context: its own number, but for branches of the same row.
        true: int64 [B, L], the true tokens.
        actions: int64 [B, L], the drawn tokens; of a rollout from the prefix the true ones before the suffix.
        mask: bool [B, L], True for those to learn from; see `learned`.
        logprob: float32 [B, L], nats, ln p(action | context), at the row's temperature.
        true_logprob: float32 [B, L], nats, ln p(true token | context), at the row's temperature.
        values: float32 [B, L], by the value head; zeros without one.
    """

    first: int
    lead: int
    rows: Tensor
    is_branch: Tensor
    temperature: Tensor
    context: Tensor
    source: Tensor
    true: Tensor
    actions: Tensor
    mask: Tensor
    logprob: Tensor
    true_logprob: Tensor
    values: Tensor


def plan(settings: DememSettings, forget_rows: int, seed: int, number: int) -> dict[str, Tensor]:
    """Which rows an iteration starts from, where, and how warm: `sample_rollouts`'s arguments.

    Rows from the prefix and rows of branches each go through the forget set in shuffled order, again and again,
    over the iterations; temperatures follow each other by row.

    Args:
        settings: How many, of which kind, at which temperatures.
        forget_rows: F.
        seed: Of the orders.
        number: The iteration, counted from 1.

    Returns:
        rows int64 [N], is_branch bool [N], temperature float32 [N].
    """
    share = settings.branch_share if settings.depth == "branches" else 0.0
    branches = round(settings.rollouts * share)
    parts = []
    for kind, count in enumerate((settings.rollouts - branches, branches)):
        place = torch.arange((number - 1) * count, number * count)
        orders = {
            turn: torch.randperm(forget_rows, generator=seeded(seed, "rows", kind, turn))
            for turn in (place // forget_rows).unique().tolist()
        }
        rows = [orders[at // forget_rows][at % forget_rows] for at in place.tolist()]
        warm = torch.tensor(settings.temperatures)[torch.arange(count) % len(settings.temperatures)]
        parts.append((torch.tensor(rows, dtype=torch.int64), torch.full((count,), bool(kind)), warm))
    rows, is_branch, temperature = (torch.cat(part) for part in zip(*parts, strict=True))
    return {"rows": rows, "is_branch": is_branch, "temperature": temperature}


def seeded(*key: int | str) -> torch.Generator:
    """A generator on the CPU for some purpose: seeded by a hash, since neighbouring seeds give related draws."""
    digest = hashlib.sha256(" ".join(map(str, key)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") % 2**63)


def sample_rollouts(
    policy: Policy,
    task: Task,
    *,
    rows: Tensor,
    is_branch: Tensor,
    temperature: Tensor,
    generator: torch.Generator,
    chunk: int,
    value_head: ValueHead | None = None,
) -> Rollouts:
    """Draws this process's share of a batch of rollouts.

    Args:
        policy: The behaviour policy.
        task: Where the forget rows are.
        rows: int64 [N], forget rows of the whole batch, N over all processes.
        is_branch: bool [N].
        temperature: float32 [N].
        generator: On the CPU; in the same state in every process.
        chunk: Rows a pass, as many as in the passes of the update, so that the same kernels give the same
            probabilities.
        value_head: Judges the states.

    Raises:
        NonFiniteError: A probability is not a number.
    """
    P, T = task.prefix_tokens, task.forget.shape[1]
    first = 1 if is_branch.any() else P
    lead = P - first
    uniform = torch.rand(len(rows), T - first, generator=generator, dtype=torch.float64)
    rows, is_branch, temperature, uniform = (
        policy.share(part).to(policy.device) for part in (rows, is_branch, temperature, uniform)
    )
    context = task.forget.to(policy.device)[rows]
    true = context[:, first:].clone()
    if not is_branch.all():
        prefix = ~is_branch
        drawn = _continue(policy, context[prefix, :P], T - P, temperature[prefix], uniform[prefix, lead:])
        context[prefix, P:] = drawn
    actions = context[:, first:].clone()
    mask = learned(context, is_branch, P, first, task.eos_token_ids)
    source = _sources(rows, is_branch)

    # The cached kernels, or bfloat16, are not those of the update: what the tokens' probabilities were is asked of a
    # pass like the update's own, so that the first ratio is 1. For branches the same pass gives what to draw from.
    logprob, true_logprob, values = (torch.zeros_like(uniform, dtype=torch.float32) for _ in range(3))
    for part in source.argsort(stable=True).split(chunk):
        distinct, place = source[part].unique(return_inverse=True)
        with torch.no_grad(), head_inputs(policy.network) as inputs:
            logits = policy.logits(context[distinct], first)
            if value_head is not None:
                values[part] = value_head(suffix_states(inputs, logits))[place]
        logprobs = (logits[place] / temperature[part, None, None]).log_softmax(-1)
        drawn, branch = actions[part], is_branch[part]
        drawn[branch] = draw(logprobs[branch], uniform[part][branch])
        actions[part] = drawn
        logprob[part] = logprobs.gather(-1, drawn[..., None])[..., 0]
        true_logprob[part] = logprobs.gather(-1, true[part, :, None])[..., 0]
    if policy.total((~(logprob.isfinite() & true_logprob.isfinite())).sum().float()):
        raise NonFiniteError("the model gives probabilities that are not finite numbers")
    return Rollouts(
        first, lead, rows, is_branch, temperature, context, source, true, actions, mask, logprob, true_logprob, values
    )


def learned(context: Tensor, is_branch: Tensor, prefix_tokens: int, first: int, eos_token_ids: Sequence[int]) -> Tensor:
    """Which tokens count: of the suffix those up to and including its end-of-text token, of a branch's prefix those
    that belong to the same text as the suffix.

    Args:
        context: int64 [B, T].
        is_branch: bool [B].
        prefix_tokens: P.
        first: The first token that is spoken of.
        eos_token_ids: The end-of-text tokens.

    Returns:
        bool [B, T - first].
    """
    before = context[:, first:prefix_tokens]
    of_another = ends_text(before, eos_token_ids).flip(1).cumsum(1).flip(1) > 0
    return torch.cat([~of_another & is_branch[:, None], up_to_end(context[:, prefix_tokens:], eos_token_ids)], 1)


def _sources(rows: Tensor, is_branch: Tensor) -> Tensor:
    numbers = torch.arange(len(rows), device=rows.device)
    _, place = rows[is_branch].unique(return_inverse=True)
    firsts = torch.full_like(place, len(rows)).scatter_reduce(0, place, numbers[is_branch], "amin")
    return numbers.index_put((is_branch,), firsts[place])


def sample_continuations(
    policy: Policy, prefixes: Tensor, tokens: int, temperature: float | Tensor, generator: torch.Generator
) -> Tensor:
    """Draws a continuation for each prefix.

    Args:
        policy: Draws.
        prefixes: int64 [B, P].
        tokens: How many to draw for each; end-of-text tokens are drawn like others and end nothing.
        temperature: One for all, or float [B].
        generator: On the CPU.

    Returns:
        int64 [B, tokens], on the policy's device.
    """
    uniform = torch.rand(len(prefixes), tokens, generator=generator, dtype=torch.float64).to(policy.device)
    temperature = torch.as_tensor(temperature, dtype=torch.float32, device=policy.device).expand(len(prefixes))
    return _continue(policy, prefixes.to(policy.device), tokens, temperature, uniform)


def path_logprobs(policy: Policy, task: Task, rows: Tensor, temperature: Tensor, first: int, chunk: int) -> Tensor:
    """ln p(true token | true tokens before it) of forget rows, each at its temperature.

    Args:
        rows: int64 [B], with repetitions; each forget row is read once.
        temperature: float32 [B].
        first: The first token to speak of.

    Returns:
        float32 [B, T - first], nats.
    """
    distinct, place = rows.unique(return_inverse=True)
    result = torch.empty(len(rows), task.forget.shape[1] - first, device=policy.device)
    for part in _chunks(len(distinct), chunk):
        tokens = task.forget.to(policy.device)[distinct[part]]
        with torch.no_grad():
            logits = policy.logits(tokens, first)
        for value in temperature.unique():
            logprob = (logits / value).log_softmax(-1).gather(-1, tokens[:, first:, None])[..., 0]
            wanted = (place >= part.start) & (place < part.stop) & (temperature == value)
            result[wanted] = logprob[place[wanted] - part.start]
    return result


def up_to_end(actions: Tensor, eos_token_ids: Sequence[int]) -> Tensor:
    """bool [B, S], True up to and including the first end-of-text token of each row of actions [B, S]."""
    ends = ends_text(actions, eos_token_ids).int()
    return ends.cumsum(1) - ends == 0


def ends_text(tokens: Tensor, eos_token_ids: Sequence[int]) -> Tensor:
    """Which tokens are end-of-text tokens: bool, of the shape of `tokens`."""
    return torch.isin(tokens, tokens.new_tensor(eos_token_ids))


def draw(logprobs: Tensor, uniform: Tensor) -> Tensor:
    """The tokens at which the cumulative distribution passes given numbers.

    Args:
        logprobs: float32 [..., V], nats.
        uniform: float64 [...] in [0, 1).

    Returns:
        int64 [...].
    """
    cumulative = logprobs.double().exp().cumsum(-1)
    target = uniform[..., None] * cumulative[..., -1:]
    return torch.searchsorted(cumulative, target, right=True)[..., 0].clamp(max=logprobs.shape[-1] - 1)


def _continue(policy: Policy, prefixes: Tensor, tokens: int, temperature: Tensor, uniform: Tensor) -> Tensor:
    parts = [
        _continue_together(policy, prefixes[part], tokens, temperature[part, None], uniform[part])
        for part in _chunks(len(prefixes), _rows_together(policy, prefixes.shape[1] + tokens))
    ]
    return torch.cat(parts) if parts else prefixes.new_empty(0, tokens)


def _continue_together(policy: Policy, prefixes: Tensor, tokens: int, temperature: Tensor, uniform: Tensor) -> Tensor:
    model = policy.network
    cache = DynamicCache() if causal_lm(model).is_cacheable else None
    sequence = prefixes
    with torch.no_grad(), policy.autocast():
        for position in range(tokens):
            # A model without such a cache (a recurrent one) reads the whole sequence anew.
            unread = sequence if position == 0 or cache is None else sequence[:, -1:]
            logits = model(
                input_ids=unread, past_key_values=cache, use_cache=cache is not None, logits_to_keep=1
            ).logits[:, -1]
            drawn = draw((logits.float() / temperature).log_softmax(-1), uniform[:, position])
            sequence = torch.cat([sequence, drawn[:, None]], 1)
    return sequence[:, prefixes.shape[1] :]


def _rows_together(policy: Policy, length: int) -> int:
    config = policy.network.config.get_text_config()
    width = getattr(config, "hidden_size", None) or policy.network.get_input_embeddings().weight.shape[1]
    a_row = 2 * 4 * length * width * (getattr(config, "num_hidden_layers", None) or 1)
    return max(1, _CACHE_BYTES.get(policy.device.type, 2**29) // a_row)


def _chunks(rows: int, size: int) -> Iterator[slice]:
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
