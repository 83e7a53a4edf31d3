"""How much of some rows the policy still recites: the figures that training is watched and stopped by.

They are the measuring command's own (`metrics/extraction.py`), taken in float32 with end-of-text tokens banned.
Several processes score a share of the rows each; all of them get the figures of all rows. A model whose logits are not
finite numbers has NaN for figures, on every process: none may go on while another stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from metrics.extraction import memorization_accuracy
from metrics.forward_pass import score
from metrics.model_errors import ModelError
from metrics.token_scores import ScoreLevel
from unlearning.method import NonFiniteError
from unlearning.policy import Policy

EL_N = 10
_of_the_original: WeakKeyDictionary[Policy, dict[tuple, tuple[float, float]]] = WeakKeyDictionary()
_NOT_FINITE = torch.full((2,), torch.nan, dtype=torch.float64)


def recitation(policy: Policy, rows: Tensor, prefix_tokens: int, eos_token_ids: Sequence[int]) -> tuple[float, float]:
    """Extractable share and memorization accuracy, by one teacher-forced pass.

    Greedy decoding reproduces a suffix if and only if every token of it is the greedy choice given the true tokens
    before it.

    Args:
        policy: The model as it is now.
        rows: int64 [N, T], the same in every process.
        prefix_tokens: P.
        eos_token_ids: The tokens that are never chosen.

    Returns:
        The share of the rows whose last T - P tokens are extractable (Carlini et al. 2023), and the mean MA over the
        rows (Jang et al. 2023), both in [0, 1]; NaN without rows.
    """
    try:
        hits = policy.greedy_hits(policy.share(rows), eos_token_ids)
    except NonFiniteError:
        return _means(policy, _NOT_FINITE, len(rows))
    extractable = hits[:, -(rows.shape[1] - prefix_tokens) :].all(1)
    sums = torch.stack([extractable.double().sum(), hits.double().mean(1).sum()])
    return _means(policy, sums, len(rows))


def forgetting(
    policy: Policy, rows: Tensor, prefix_tokens: int, eos_token_ids: Sequence[int], *, original: bool = False
) -> tuple[float, float]:
    """Mean EL_10 and MA of some rows (Jang et al. 2023): what says whether they are forgotten.

    Args:
        policy: The model as it is now.
        rows: int64 [N, T], the same in every process.
        prefix_tokens: P.
        eos_token_ids: The tokens that are never chosen.
        original: True for the model as it was before; what it said once is remembered, since EL_10 of rows that are not
            memorized takes tens of times as long as a pass over them, and both methods and stop rules ask for it.

    Returns:
        EL_10, NaN where T <= 10, and MA, both in [0, 1]; NaN without rows.
    """
    known = _of_the_original.setdefault(policy, {})
    asked = (rows.numpy().tobytes(), prefix_tokens, eos_token_ids)
    if original and asked in known:
        return known[asked]
    share = policy.share(rows).numpy()
    with policy.original() if original else nullcontext(policy.network) as network:
        try:
            sums = _sums(network, share, prefix_tokens, eos_token_ids)
        except ModelError:
            sums = _NOT_FINITE
    means = _means(policy, sums, len(rows))
    if original:
        known[asked] = means
    return means


def _sums(network: PreTrainedModel, rows: np.ndarray, prefix_tokens: int, eos_token_ids: Sequence[int]) -> Tensor:
    """float64 [2]: EL_10 and MA, each summed over the rows."""
    scores = score(
        network,
        rows,
        prefix_tokens,
        (prefix_tokens,),
        level=ScoreLevel.FULL,
        eos_token_id=eos_token_ids,
        el_rows=np.ones(len(rows), bool),
        n=EL_N,
    )
    likelihood = scores.extraction_likelihood.astype(np.float64).sum()
    return torch.tensor([likelihood, memorization_accuracy(scores.rank).sum()], dtype=torch.float64)


def _means(policy: Policy, sums: Tensor, rows: int) -> tuple[float, float]:
    first, second = policy.total(sums).tolist()
    return (first / rows, second / rows) if rows else (float("nan"), float("nan"))
