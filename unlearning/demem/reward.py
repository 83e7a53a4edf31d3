"""How unlike the true suffix a rollout is: higher is less memorized."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from metrics.bleu import sentence_bleu
from unlearning.demem.advantages import Total, at_last_token, centred, moments
from unlearning.demem.rollout import Rollouts
from unlearning.demem.settings import DememSettings
from unlearning.method import UnlearningError

if TYPE_CHECKING:
    from bert_score import BERTScorer

Dissimilarity = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""Texts and what each is compared with -> float64 [N] in 0..1 (BERTScore: below 2), higher is less alike."""

# What an encoder is made of. Pickled weights and code are neither fetched nor read.
_ENCODER_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


@dataclass(frozen=True)
class Reward:
    """A reward for rollouts.

    Attributes:
        dissimilarity: Of a rollout's text; None for the token reward.
        tokenizer: Makes that text.
    """

    dissimilarity: Dissimilarity | None
    tokenizer: PreTrainedTokenizerBase

    @property
    def per_token(self) -> bool:
        """Whether every token has a reward, or only the whole rollout."""
        return self.dissimilarity is None

    def __call__(self, actions: Tensor, mask: Tensor, true: Tensor, eos_token_ids: Sequence[int]) -> Tensor:
        """Rewards of rollouts from the prefix.

        Args:
            actions: int64 [B, S], the drawn tokens.
            mask: bool [B, S], True up to and including the end-of-text token.
            true: int64 [B, S], the true suffixes.
            eos_token_ids: Not part of the text.

        Returns:
            float32 [B, S], -1 where a token is the true one of its position, else 0; or float32 [B], 1 - similarity.
        """
        if self.dissimilarity is None:
            return -((actions == true) & mask).float()
        if not len(actions):
            return torch.zeros(0, device=actions.device)
        drawn = [
            [token for token in row[:length] if token not in eos_token_ids]
            for row, length in zip(actions.tolist(), mask.sum(1).tolist(), strict=True)
        ]
        texts = self.tokenizer.batch_decode(
            drawn + true.tolist(), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        scores = self.dissimilarity(texts[: len(drawn)], texts[len(drawn) :])
        return torch.from_numpy(scores).to(actions.device, torch.float32)


def branch_reward(actions: Tensor, true: Tensor) -> Tensor:
    """1 - match, for each token an episode of its own: what any dissimilarity is for texts of one token.

    Args:
        actions: int64 [B, S].
        true: int64 [B, S].

    Returns:
        float32 [B, S] of 0 and 1.
    """
    return (actions != true).float()


def batch_rewards(
    reward: Reward,
    rollouts: Rollouts,
    settings: DememSettings,
    eos_token_ids: Sequence[int],
    generator: torch.Generator,
    total: Total,
) -> tuple[Tensor, float, dict[str, float]]:
    """Step 3 of DeMem: the rewards of a batch of rollouts, as the advantages need them.

    Args:
        reward: For those from the prefix; branches have `branch_reward`.
        rollouts: B of them.
        settings: Control, baseline, scale.
        eos_token_ids: The end-of-text tokens.
        generator: For the permuted control.
        total: Sum over processes.

    Returns:
        float32 [B, L], scaled, less the mean of their position where that is the baseline or eases a learned one; and,
        unscaled, the spread that matters (standard deviation around those means, the larger one of the two kinds of
        rollouts) and the figures.
    """
    is_learned = settings.baseline == "value-head"
    rewards = torch.zeros_like(rollouts.logprob)
    spreads: dict[bool, float] = {}
    means: dict[bool, float] = {}
    for is_branch in (False, True):
        rows = rollouts.is_branch == is_branch
        actions, mask, true = rollouts.actions[rows], rollouts.mask[rows], rollouts.true[rows]
        is_whole = not is_branch and not reward.per_token
        if is_branch:
            raw = branch_reward(actions, true)
        else:
            suffix = slice(rollouts.lead, None)
            raw = reward(actions[:, suffix], mask[:, suffix], true[:, suffix], eos_token_ids)
            if reward.per_token:
                raw = torch.nn.functional.pad(raw, (rollouts.lead, 0))
        where = mask
        if is_whole:
            raw, where = raw[:, None], mask[:, suffix][:, :1]
        raw = controlled(raw, where, settings.control, generator, total)
        around = centred(raw, where, total)
        means[is_branch] = float(moments(raw, where, total)[0])
        spreads[is_branch] = float(moments(around, where, total)[1])
        # The closed form expects the true reward; what a control can be expected to give is its mean. A critic that is
        # given rewards as they are (the paper's) is given those of a control so, too: it is the same method.
        expects_mean = is_branch or not is_learned or settings.centre_rewards
        if (settings.control != "none" and expects_mean) or (is_learned and settings.centre_rewards and not is_branch):
            raw = around
        rewards[rows] = settings.reward_scale * (at_last_token(raw[:, 0], mask) if is_whole else raw)
    shown = bool(rollouts.is_branch.all())  # rewards of branches only where there is nothing else
    return rewards, max(spreads.values()), {"reward_mean": means[shown], "reward_std": spreads[shown]}


def load_reward(
    name: str, tokenizer: PreTrainedTokenizerBase, *, bertscore_model: str | None = None, device: str = "cpu"
) -> Reward:
    """The reward of a name in `settings.REWARDS`.

    Raises:
        UnlearningError: BERTScore's encoder can't be loaded.
    """
    if name == "token":
        return Reward(None, tokenizer)
    return Reward(sacrebleu if name == "sacrebleu" else bertscore(bertscore_model, device), tokenizer)


def sacrebleu(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """1 - SacreBLEU / 100 of each text against its reference (Kassem et al. 2023).

    >>> sacrebleu(["a b c d", "e f"], ["a b c d", "a b"])
    array([0., 1.])
    """
    return 1.0 - sentence_bleu(texts, references) / 100.0


def bertscore(model: str | None, device: str) -> Dissimilarity:
    """1 - F1 of BERTScore (Zhang et al. 2020), not rescaled, without idf weights.

    Args:
        model: Hub id or folder of an encoder; None for bert-score's default for English. Of those that bert-score
            knows by name it reads the layer that it recommends, of others the last.
        device: Where the encoder runs.

    Raises:
        UnlearningError: It can't be loaded.
    """
    scorer = _bert_scorer(model, device)

    def dissimilarity(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
        scores = np.ones(len(texts))
        # An empty text has no token to match, F1 = 0; bert-score's own way of saying so needs a slow tokenizer.
        rows = [row for row in range(len(texts)) if texts[row].strip() and references[row].strip()]
        if rows:
            _, _, f1 = scorer.score([texts[row] for row in rows], [references[row] for row in rows])
            scores[rows] = 1.0 - f1.double().numpy()
        return scores

    return dissimilarity


@functools.lru_cache(maxsize=1)
def _bert_scorer(model: str | None, device: str) -> BERTScorer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies
        from bert_score import BERTScorer
        from bert_score.utils import lang2model, model2layers
    from transformers import AutoConfig

    name = model or lang2model["en"]
    try:
        folder = _encoder_folder(name)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        layers = model2layers.get(name) or config.get_text_config().num_hidden_layers
        # bert-score is given the folder, so that nothing else than what is in it can be loaded.
        scorer = BERTScorer(model_type=str(folder), num_layers=layers, device=device, use_fast_tokenizer=True)
    except Exception as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnlearningError(
            f"--reward bertscore: the encoder {name} can't be loaded ({cause}). Expected a folder, or the name of a "
            "model on the hub, with config.json, a tokenizer and safetensors weights: type --bertscore-model FOLDER, "
            "or --reward sacrebleu, which needs none"
        ) from error
    # Tokenizers that know no limit would hand the encoder more than it has positions for; two are for <s> and </s>.
    positions = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions and scorer._tokenizer.model_max_length > positions:
        scorer._tokenizer.model_max_length = positions - 2
    return scorer


def _encoder_folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name, allow_patterns=list(_ENCODER_FILES)))
    for needed in ("config.json", "*.safetensors"):
        if not any(folder.glob(needed)):
            raise FileNotFoundError(f"there is no {needed} in it")
    return folder


def controlled(rewards: Tensor, mask: Tensor, control: str, generator: torch.Generator, total: Total) -> Tensor:
    """Rewards that say nothing about the rollouts, for the controls.

    Args:
        rewards: float32 [B, L]; L = 1 for rewards of whole rollouts.
        mask: bool [B, L], where there is a reward.
        control: `constant`: all of them their mean. `permuted`: at each position permuted among the rollouts that have
            one there (those of this process). `none`: as they are.
        generator: Draws the permutations.
        total: Sum over processes.

    Returns:
        float32 [B, L].
    """
    if control == "constant":
        sums = total(torch.stack([torch.where(mask, rewards, 0.0).sum(), mask.sum().to(rewards.dtype)]))
        return torch.where(mask, sums[0] / sums[1].clamp(min=1.0), rewards)
    if control == "permuted":
        permuted = rewards.clone()
        for position in range(rewards.shape[1]):
            rows = mask[:, position].nonzero()[:, 0]
            order = torch.randperm(len(rows), generator=generator).to(rows.device)
            permuted[rows, position] = rewards[rows[order], position]
        return permuted
    return rewards
