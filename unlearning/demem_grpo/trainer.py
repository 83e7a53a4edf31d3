"""trl's `GRPOTrainer` on token ids, beside the original that `Policy` holds, with draws that can be taken up again.

Groups, advantages, the KL estimate, the loss and its normalisation, clipping and the training loop are trl's. What is
replaced here, and why (trl 1.16; the methods with an underscore are its own inner ones):

* prompts stay the token ids that they are: text that is tokenized again may come back as other tokens;
* probabilities come from `Policy.logits`: one place knows the shift by one, the head computes in float32, contexts that
  rollouts share are read once, no position is shifted by padding, and the original is the policy's own, where trl would
  load one by the model's name (whatever revision that is);
* a one-token rollout needs no `generate`: a pass over its row gives the distributions at all depths;
* the retain term joins the loss;
* layers stay in evaluation mode (no dropout), gradients are averaged over processes as everywhere in this project, and
  nothing is reported to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from unlearning.demem import kl
from unlearning.demem.reference import Reference, draw_retain_rows
from unlearning.demem.rollout import seeded
from unlearning.demem_grpo.contexts import next_token_logits
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.method import NonFiniteError, Task
from unlearning.policy import Policy

_ORIGINAL = object()  # stands for the original where trl hands a model over
_ROWS_TOGETHER = 512  # distributions over the vocabulary that are drawn from at once
_NOT_FINITE = "the model gives probabilities that are not finite numbers"


class Trainer(GRPOTrainer):
    """See above. The model is to be handed over inside `left_as_found`."""

    def __init__(
        self,
        policy: Policy,
        task: Task,
        settings: GrpoSettings,
        *,
        start: int,
        config: GRPOConfig,
        reward: Callable[..., list[float]],
        dataset: Dataset,
        sampler: Sampler,
        tokenizer: PreTrainedTokenizerBase,
        optimizer: Optimizer,
        callback: TrainerCallback,
    ) -> None:
        """Makes a trainer of the iterations that are left.

        Args:
            policy: The model, and the original.
            task: The rows to be retained, and what ends a text.
            settings: As `prepare` returned them.
            start: Iterations done before.
            config: trl's settings, without a KL: see below.
            reward: Called with the drawn tokens and the columns of the dataset.
            dataset: `prompt` as token ids, and what the reward needs.
            sampler: The rows of the dataset, for all iterations.
            tokenizer: With a padding token.
            optimizer: Over the policy's trainable parameters.
            callback: Sees every iteration.
        """
        self._policy, self._task, self._settings = policy, task, settings
        self._sampler, self._start = sampler, start
        super().__init__(
            model=policy.model,
            reward_funcs=reward,
            args=config,
            train_dataset=dataset,
            processing_class=tokenizer,
            callbacks=[callback],
            optimizers=(optimizer, LambdaLR(optimizer, lambda step: 1.0)),
        )
        self.remove_callback(PrinterCallback)
        self.model.train = MethodType(_only_itself, self.model)
        self.accelerator.prepare_model = lambda model, **_: model  # no wrapper; see `_clip_grad_norm`
        # Told only now: at the start trl would load or copy an original of its own.
        self.beta = settings.kl_coefficient
        self.ref_model = _ORIGINAL if self.beta else None
        # Only the run's own end-of-text tokens end a rollout, whatever else the model's files name.
        self.eos_token_ids = list(task.eos_token_ids)
        self.generation_config.eos_token_id = self.generation_kwargs["eos_token_id"] = self.eos_token_ids or None
        rows = torch.cat([task.retain_benign, task.retain_ordinary])
        self._retain_tokens, self._retain = rows.to(policy.device), Reference(policy, rows, 1)

    def _send_telemetry(self) -> None:
        pass

    def _get_train_sampler(self, dataset: Dataset | None = None) -> Sampler:
        return self._sampler

    def _tokenize_prompts(self, prompts: list[np.ndarray]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [prompt.tolist() for prompt in prompts], None, {}

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], images: None, multimodal_fields: dict[str, Any], num_generations: int
    ) -> tuple[list[list[int]], None]:
        """Whole suffixes after prompts that are prefixes, one token after others."""
        places: dict[bool, list[int]] = {False: [], True: []}
        for place, ids in enumerate(prompt_ids):
            places[len(ids) != self._task.prefix_tokens].append(place)
        drawn = [[]] * len(prompt_ids)
        for is_branch, draw in ((False, self._suffixes), (True, self._next_tokens)):
            if places[is_branch]:
                tokens = draw([prompt_ids[place] for place in places[is_branch]], num_generations)
                for place, ids in zip(places[is_branch], tokens, strict=True):
                    drawn[place] = ids
        return drawn, None

    def _suffixes(self, prompts: list[list[int]], num_generations: int) -> list[list[int]]:
        try:
            with self._policy.autocast():
                return super()._generate_single_turn(prompts, None, {}, num_generations)[0]
        except RuntimeError as error:
            if "probability tensor" in str(error):  # torch.multinomial's words for it
                raise NonFiniteError(_NOT_FINITE) from error
            raise

    @torch.no_grad()
    def _next_tokens(self, prompts: list[list[int]], num_generations: int) -> list[list[int]]:
        heads = prompts[::num_generations]  # those of a group are the same, side by side
        logits, place = next_token_logits(self._policy, [tuple(ids) for ids in heads], 1)
        depth = torch.tensor([len(ids) - 1 for ids in heads], device=place.device)
        if not logits.isfinite().all():
            raise NonFiniteError(_NOT_FINITE)
        probabilities = (logits / self.temperature).softmax(-1)
        parts = zip(place.split(_ROWS_TOGETHER), depth.split(_ROWS_TOGETHER), strict=True)
        drawn = [torch.multinomial(probabilities[part], num_generations, replacement=True) for part in parts]
        return torch.cat(drawn).flatten()[:, None].tolist()

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor | None, None]:
        """ln p of the completions' tokens and the entropies, float32 [B, C], at the rollouts' temperature.

        `input_ids` is [B, prompts padded on the left | completions padded on the right], C = `logits_to_keep`.
        """
        width = input_ids.shape[1] - logits_to_keep
        mask = attention_mask.bool()
        rows = [tuple(row[kept].tolist()) for row, kept in zip(input_ids.cpu(), mask.cpu(), strict=True)]
        prompt = mask[:, :width].sum(1)
        is_branch = prompt != self._task.prefix_tokens
        logps = torch.zeros(mask[:, width:].shape, device=mask.device)
        entropies = torch.zeros_like(logps)
        for kind, first in ((~is_branch, self._task.prefix_tokens), (is_branch, 1)):
            places = kind.nonzero()[:, 0]
            if not len(places):
                continue
            contexts = [rows[place][:-1] for place in places.tolist()]
            logits, holder = next_token_logits(self._policy, contexts, first, reference=model is _ORIGINAL)
            logprobs = (logits / self.temperature).log_softmax(-1)
            # Completion token j of a row comes after as many tokens as its prompt has, and j more.
            at = prompt[places, None] - first + torch.arange(logits_to_keep, device=mask.device)
            at, holder, real = at.clamp(max=logprobs.shape[1] - 1), holder[:, None], mask[places, width:]
            chosen = logprobs[holder, at, input_ids[places, width:]] * real
            logps = logps.index_put((places,), chosen)
            if compute_entropy:
                entropy = -torch.linalg.vecdot(logprobs.detach().exp(), logprobs.detach())
                entropies = entropies.index_put((places,), entropy[holder, at] * real)
        return logps, entropies if compute_entropy else None, None

    def _compute_loss(self, model: Module, inputs: dict[str, Any]) -> Tensor:
        """trl's, plus the mean KL(original || policy) over all positions of some retain rows."""
        loss = super()._compute_loss(model, inputs)
        policy, settings = self._policy, self._settings
        if not (settings.retain_coefficient and len(self._retain_tokens)):
            return loss
        generator = seeded(self._task.seed, self._start + self.state.global_step, "retain rows")
        rows = draw_retain_rows(self._task, settings.retain_rows, generator)  # the same in every process
        own = policy.share(rows).to(policy.device)
        retain_loss = torch.zeros((), device=policy.device)
        if len(own):
            divergence = kl.forward(policy.logits(self._retain_tokens[own], 1), self._retain.logprobs(own))
            retain_loss = policy.world / len(rows) * divergence.mean(1).sum()
        self._metrics["train"]["retain_loss"].append(float(policy.total(retain_loss.detach())) / policy.world)
        return loss + settings.retain_coefficient * retain_loss

    def _clip_grad_norm(self, model: Module) -> Tensor:
        self._policy.average_gradients()
        return super()._clip_grad_norm(model)


def _only_itself(model: Module, mode: bool = True) -> Module:
    """Stands in for `train`: trl asks the model whether it is training, but its layers stay as they are."""
    model.training = mode
    return model
