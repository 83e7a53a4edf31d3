"""DeMem: proximal policy optimisation (PPO) towards continuations that are unlike the true suffix.

Kassem et al. 2023, "Preserving Privacy Through DeMemorization: An Unlearning Technique For Mitigating Memorization
Risks In Language Models", EMNLP. PPO: Schulman et al. 2017, "Proximal Policy Optimization Algorithms". An iteration is

    1 sample       continuations of forget rows from the policy                               rollout.py
    2 score        their probabilities, now and under the original; the states' values        rollout.py, kl.py
    3 reward       how unlike the true suffix they are                                        reward.py
    4 advantages   how much better than expected each token was                               advantages.py
    5 update       clipped surrogate + KL + retain term + value loss, in minibatches
    6 adapt        the weight of the KL, and what the log is told

Left out of the textbook algorithm: several environments and bootstrapping at a cut (a rollout ends with its suffix), an
entropy bonus (the KL keeps the policy from collapsing), a learning-rate schedule, and dropout (the policy would differ
from itself, and the ratio must start at 1).

Added to it, each because something measured went wrong without it:
* branches, one-token rollouts at every depth of the true row: rollouts from the prefix leave the true path after a few
  tokens, so that what lies deeper is never unlearned, and nothing in the prefix would be;
* a baseline in closed form for the token reward: a critic that lags behind moves the policy with its own errors;
* advantages are not blown up to unit size (`advantage_floor`), and an update whose rewards are all the same is skipped:
  otherwise a reward that says nothing makes the model forget too, by noise;
* a large epsilon for Adam: where the loss is at its minimum, as under such a reward, steps of learning rate / epsilon
  times the gradient overshoot if that quotient is above what the curvature of the KL terms allows, and rounding errors
  grow tenfold with every few updates until they are full steps;
* the KL to the original in the loss, exact over the vocabulary, where it is no noise in the reward;
* a retain term, the KL of the original to the policy on rows to be kept: without it benign memory goes too;
* a temperature for each row: where a suffix is certain, all rollouts would be the same. Ratios are taken at it.

Forget rows enter through rollouts only, retain rows through the retain term only. Every draw of iteration i comes from
generators seeded by (seed, i), so that a resumed run draws what an uninterrupted one does. Of several processes each
draws its share of the rollouts; sums are divided by counts over all of them, so that the mean gradient is that of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import torch
from torch import Tensor

from unlearning.demem import kl
from unlearning.demem.advantages import (
    closed_form_values,
    generalized_advantages,
    moments,
    on_path,
    scaled,
    whitened,
)
from unlearning.demem.reference import Reference, draw_retain_rows
from unlearning.demem.reward import batch_rewards, load_reward
from unlearning.demem.rollout import Rollouts, ends_text, path_logprobs, plan, sample_rollouts, seeded
from unlearning.demem.settings import DememSettings
from unlearning.demem.value_head import ValueHead, explained_variance, head_inputs, suffix_states, value_loss
from unlearning.method import NonFiniteError, State, Task, Training
from unlearning.policy import Policy
from unlearning.state import load_optimizer, optimizer_tensors


def train(policy: Policy, task: Task, settings: DememSettings, training: Training) -> None:
    """Unlearns the forget rows; `settings` are as `prepare` returned them."""
    demem = Demem(policy, task, settings)
    if training.resumed is not None:
        demem.restore(training.resumed)
    for number in range(training.start + 1, settings.iterations + 1):
        figures = demem.iterate(number)
        if not training.iteration(number, figures, demem.state):
            break


class Demem:
    """What lives from one iteration to the next."""

    def __init__(self, policy: Policy, task: Task, settings: DememSettings) -> None:
        self.policy, self.task, self.settings = policy, task, settings
        self.reward = load_reward(
            settings.reward, task.tokenizer, bertscore_model=settings.bertscore_model, device=str(policy.device)
        )
        self.value_head: ValueHead | None = None
        groups = [{"params": policy.trainable(), "lr": settings.learning_rate}]
        if settings.baseline == "value-head":
            width = policy.network.get_output_embeddings().weight.shape[1]
            self.value_head = ValueHead(width, through_trunk=settings.value_through_trunk).to(policy.device)
            groups.append({"params": list(self.value_head.parameters()), "lr": settings.value_learning_rate})
        self.optimizer = torch.optim.Adam(groups, eps=settings.adam_eps)
        self.retain_tokens = torch.cat([task.retain_benign, task.retain_ordinary]).to(policy.device)
        self.retain = Reference(policy, self.retain_tokens, 1)
        self.kl_coefficient = settings.kl_coefficient
        self.updates = self.skipped = 0

    def iterate(self, number: int) -> dict[str, float]:
        """Iteration `number`, counted from 1; its figures.

        Raises:
            NonFiniteError: A probability, a loss or a gradient is not a finite number; the weights are as they were
                before the step that would have taken it in.
        """
        settings, policy = self.settings, self.policy
        # The first is in the same state in every process, the second belongs to this one.
        shared, own = (seeded(self.task.seed, number, stream) for stream in ("all", policy.rank))
        minibatches = ceil(settings.rollouts / settings.minibatch)
        chunk = ceil(settings.rollouts / (minibatches * policy.world))

        # 1. Sample a ~ pi_old, and 2. score: ln pi_old(a | s), ln pi_0(a | s), V_old(s).
        rollouts = sample_rollouts(
            policy,
            self.task,
            **plan(settings, len(self.task.forget), self.task.seed, number),
            generator=shared,
            chunk=chunk,
            value_head=self.value_head,
        )
        reference = Reference(policy, rollouts.context, rollouts.first)

        # 3. Reward r_t. With the KL in the reward: r_t - beta (ln pi_old(a | s) - ln pi_0(a | s)), Ziegler et al. 2019.
        rewards, spread, figures = batch_rewards(
            self.reward, rollouts, settings, self.task.eos_token_ids, own, policy.total
        )
        if settings.kl != "loss":
            reference_logprob = reference.action_logprobs(rollouts.actions, rollouts.temperature, chunk)
            distance = kl.k1(rollouts.logprob, reference_logprob)
            rewards = rewards - self.kl_coefficient * distance
            figures["kl"] = float(moments(kl.k3(rollouts.logprob, reference_logprob), rollouts.mask, policy.total)[0])

        # 4. Advantages A_t (GAE), returns R_t = A_t + V_old(s_t).
        values = self._values(rollouts, chunk)
        gamma = torch.where(rollouts.is_branch, 0.0, settings.gamma)
        advantages = generalized_advantages(rewards, values, rollouts.mask, gamma, settings.lambda_)
        returns = advantages + values
        if self.value_head is not None:
            learned = rollouts.mask & ~rollouts.is_branch[:, None]
            figures["explained_variance"] = explained_variance(returns, rollouts.values, learned, policy.total)
        if settings.whiten:
            advantages = whitened(advantages, rollouts.mask, policy.total)
        else:
            advantages = scaled(advantages, rollouts.mask, settings.advantage_floor, policy.total)

        # 5. Update, unless the rewards tell no rollout from another.
        if settings.skip and spread < settings.least_spread:
            self.skipped += settings.epochs * minibatches
        else:
            notes = []
            for _ in range(settings.epochs):
                order = torch.randperm(len(rollouts.rows), generator=own).to(policy.device)
                for part in order.tensor_split(minibatches):
                    notes.append(self._update(number, rollouts, advantages, returns, reference, part, shared))
            figures |= self._means(notes)

        # 6. Adapt the weight of the KL to how far the rollouts went, in nats each.
        figures["kl_coefficient"] = self.kl_coefficient
        if settings.kl == "adaptive":
            mean = policy.total((distance * rollouts.mask).sum()) / settings.rollouts
            self.kl_coefficient = kl.adapt(
                self.kl_coefficient, float(mean), settings.kl_target, settings.rollouts, settings.kl_horizon
            )
        return figures | {
            "learning_rate": settings.learning_rate,
            "skipped": float(self.skipped),
            "updates": float(self.updates),
        }

    def _values(self, rollouts: Rollouts, chunk: int) -> Tensor:
        """Expected returns [B, L]: of branches 1 - p(true); from the prefix by the head, or in closed form."""
        settings, branch = self.settings, rollouts.is_branch
        values = rollouts.values.clone()
        if settings.control != "none":  # rewards are centred then, see `centred`
            values[branch] = 0.0
            return values
        values[branch] = settings.reward_scale * (1.0 - rollouts.true_logprob[branch].exp())
        if self.value_head is None:
            rows, temperature = rollouts.rows[~branch], rollouts.temperature[~branch]
            values[~branch] = closed_form_values(
                rollouts.true_logprob[~branch].exp(),
                path_logprobs(self.policy, self.task, rows, temperature, rollouts.first, chunk).exp(),
                on_path(rollouts.actions[~branch], rollouts.true[~branch]),
                ends_text(rollouts.true[~branch], self.task.eos_token_ids),
                settings.gamma,
                settings.reward_scale,
            )
        return values

    def _update(
        self,
        number: int,
        rollouts: Rollouts,
        advantages: Tensor,
        returns: Tensor,
        reference: Reference,
        part: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """One optimizer step on the rollouts `part` and some retain rows; the means that the log is told."""
        settings, policy = self.settings, self.policy
        mask, temperature = rollouts.mask[part], rollouts.temperature[part, None, None]
        has_value = mask & ~rollouts.is_branch[part, None]
        retained = self._retain_rows(generator).to(policy.device)
        retain = policy.share(retained)
        # The mean over processes of world * sum / count is the mean over the whole minibatch.
        counts = policy.total(torch.tensor([mask.sum(), has_value.sum()], dtype=torch.float64))
        token, value = (policy.world / counts.clamp(min=1.0)).tolist()
        row = policy.world / max(1, len(retained))
        self.optimizer.zero_grad()

        # L = - mean min(rho A, clip(rho, 1 - c, 1 + c) A); rho = pi(a | s) / pi_old(a | s), at the row's temperature.
        distinct, place = rollouts.source[part].unique(return_inverse=True)
        with head_inputs(policy.network) as inputs:
            logits = policy.logits(rollouts.context[distinct], rollouts.first)
        logprobs = (logits.index_select(0, place) / temperature).log_softmax(-1)
        logprob = logprobs.gather(-1, rollouts.actions[part, :, None])[..., 0]
        ratio = torch.where(mask, logprob - rollouts.logprob[part], 0.0).exp()
        clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
        advantage = advantages[part]
        policy_loss = -token * (torch.minimum(ratio * advantage, clipped * advantage) * mask).sum()
        loss = policy_loss
        notes = {
            "policy_loss": policy_loss,
            "clip_fraction": token * ((ratio - 1.0).abs() > settings.clip).sum(),
            "ratio_max": ratio.max(),
        }
        if settings.kl == "loss":
            # + beta mean KL(pi || pi_0), over the whole vocabulary, at temperature 1.
            divergence, entropy = kl.reverse(logits, reference.logprobs(distinct))
            notes["kl"] = token * (divergence[place] * mask).sum()
            notes["entropy"] = token * (entropy[place] * mask).sum()
            loss = loss + settings.kl_coefficient * notes["kl"]
        if self.value_head is not None:
            values = self.value_head(suffix_states(inputs, logits))[place]
            losses = value_loss(values, rollouts.values[part], returns[part], settings.value_clip)
            notes["value_loss"] = value * (losses * has_value).sum()
            loss = loss + settings.value_coefficient * notes["value_loss"]
        loss.backward()
        if len(retain):
            # + mean KL(pi_0 || pi) over all positions of retain rows; a backward pass of its own needs less memory.
            divergence = kl.forward(policy.logits(self.retain_tokens[retain], 1), self.retain.logprobs(retain))
            notes["retain_loss"] = row * divergence.mean(1).sum()
            (settings.retain_coefficient * notes["retain_loss"]).backward()
        elif len(retained):  # by other processes
            notes["retain_loss"] = torch.zeros_like(policy_loss)

        self._step(number, notes)
        return {name: note.detach() for name, note in notes.items()}

    def _step(self, number: int, notes: Mapping[str, Tensor]) -> None:
        """Averages gradients over the processes, refuses what is not finite, clips, steps."""
        extra = [] if self.value_head is None else list(self.value_head.parameters())
        self.policy.average_gradients(extra)
        weights = self.policy.trainable()
        norm = torch.nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        broken = self.policy.total(sum((~note.isfinite()).float() for note in notes.values()))
        if broken or not norm.isfinite():
            what = ", ".join(name for name, note in notes.items() if not note.isfinite()) or "gradient"
            raise NonFiniteError(f"update {self.updates + 1} gives no finite number for {what.replace('_', ' ')}")
        if self.settings.max_gradient_norm:
            torch.nn.utils.clip_grads_with_norm_(weights, self.settings.max_gradient_norm, norm)
        self.optimizer.step()
        self.updates += 1
        notes["gradient_norm"] = norm

    def _retain_rows(self, generator: torch.Generator) -> Tensor:
        """Places in `retain_tokens` of the rows of one update; none where they have no weight."""
        wanted = self.settings.retain_rows if self.settings.retain_coefficient else 0
        return draw_retain_rows(self.task, wanted, generator)

    def _means(self, notes: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
        """Figures of an iteration from those of its updates."""
        names = list(notes[0])
        table = torch.tensor([[float(note[name]) for name in names] for note in notes], dtype=torch.float64)
        means = dict(zip(names, (self.policy.total(table).mean(0) / self.policy.world).tolist(), strict=True))
        # Of several processes the largest: each puts its own into its place, and zeros add nothing.
        ratios = torch.zeros(self.policy.world, dtype=torch.float64)
        ratios[self.policy.rank] = table[0, names.index("ratio_max")]
        return means | {"ratio_max": float(self.policy.total(ratios).max())}

    def state(self) -> State:
        """All that an exact continuation needs beside the policy's weights; the draws need only seed and number."""
        tensors = optimizer_tensors(self.optimizer)
        if self.value_head is not None:
            tensors |= {f"value_head.{name}": value for name, value in self.value_head.state_dict().items()}
        values = {"kl_coefficient": self.kl_coefficient, "updates": self.updates, "skipped": self.skipped}
        return State(tensors, values)

    def restore(self, state: State) -> None:
        """Goes on from what `state` gave."""
        load_optimizer(self.optimizer, state.tensors)
        if self.value_head is not None:
            self.value_head.load_state_dict(
                {name: state.tensors[f"value_head.{name}"] for name in self.value_head.state_dict()}
            )
        self.kl_coefficient = state.values["kl_coefficient"]
        self.updates, self.skipped = state.values["updates"], state.values["skipped"]
