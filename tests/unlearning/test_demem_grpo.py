"""DeMem by GRPO: what trl's trainer is given, what it makes of it, and that it leaves nothing else behind."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sacrebleu import sentence_bleu
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from unlearning.demem_grpo import DEMEM_GRPO
from unlearning.demem_grpo.contexts import distinct, next_token_logits
from unlearning.demem_grpo.draws import Draws, splits
from unlearning.demem_grpo.group_reward import GroupReward
from unlearning.demem_grpo.settings import GrpoSettings
from unlearning.demem_grpo.trainer import Trainer
from unlearning.evaluation import recitation
from unlearning.method import FIGURES, NonFiniteError, State, Task, UnlearningError
from unlearning.policy import Policy

PREFIX, SUFFIX, LENGTH, EOS, VOCAB = 10, 10, 20, 0, 48
GROUP = 4
SETTINGS = GrpoSettings(
    prompts=6,
    branch_share=0.5,
    num_generations=GROUP,
    iterations=14,
    learning_rate=2e-3,
    temperature=2.0,
    retain_coefficient=1.0,
    retain_rows=6,
)


@pytest.fixture(scope="module")
def words() -> PreTrainedTokenizerFast:
    """A tokenizer with one word a token, and no padding token."""
    vocabulary = {"<end>": EOS} | {f"w{number}": number for number in range(1, VOCAB)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<end>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


@pytest.fixture(scope="module")
def lossy() -> PreTrainedTokenizerFast:
    """A tokenizer that would turn any text into end-of-text tokens: whoever goes through text is found out."""
    tokenizer = Tokenizer(WordLevel({"<end>": EOS} | {f"w{n}": n for n in range(1, VOCAB)}, unk_token="<end>"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")


@dataclass
class Notes:
    """A `Training` that keeps figures, states and weights."""

    policy: Policy
    last: int = 1000
    start: int = 0
    resumed: State | None = None
    figures: list[dict] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    weights: list[dict] = field(default_factory=list)

    def iteration(self, number, figures, state) -> bool:
        assert number == self.start + len(self.figures) + 1
        kept = state()
        self.states.append(State({name: value.clone() for name, value in kept.tensors.items()}, dict(kept.values)))
        self.weights.append({name: weight.clone() for name, weight in self.policy.weights().items()})
        self.figures.append(dict(figures))
        return number < self.last


def run(policy: Policy, task: Task, settings: GrpoSettings, notes: Notes | None = None) -> Notes:
    notes = notes or Notes(policy)
    DEMEM_GRPO.train(policy, task, DEMEM_GRPO.prepare(policy, task, settings), notes)
    return notes


class Spy:
    """Keeps what goes in and out of a method of trl's trainer."""

    def __init__(self, monkeypatch, name: str) -> None:
        self.calls: list[tuple] = []
        method = getattr(Trainer, name)

        def spied(trainer, *args, **kwargs):
            result = method(trainer, *args, **kwargs)
            self.calls.append((args, kwargs, result))
            return result

        monkeypatch.setattr(Trainer, name, spied)


def about(model) -> dict:
    """All that is on a model beside its weights."""
    parts = (model, model.config, model.generation_config)
    return {(at, name): repr(value) for at, part in enumerate(parts) for name, value in vars(part).items()}


@pytest.fixture(scope="module")
def whole(learned, task, lossy) -> SimpleNamespace:
    """A training that was not interrupted, watched."""
    import copy

    policy, task = Policy(copy.deepcopy(learned)), replace(task, tokenizer=lossy)
    original = copy.deepcopy(learned)
    before, recited = about(policy.network), recitation(policy, task.forget, PREFIX, (EOS,))
    with pytest.MonkeyPatch.context() as patch:
        turns, scored = Spy(patch, "_generate_single_turn"), Spy(patch, "_get_per_token_logps_and_entropies")
        losses, fed, generated = Spy(patch, "_compute_loss"), [], []
        logits, generate = policy.logits, policy.network.generate

        def watched_logits(tokens, first, *, reference=False):
            fed.append((tokens.clone(), first, reference))
            return logits(tokens, first, reference=reference)

        def watched_generate(*args, **kwargs):
            generated.append(kwargs)
            return generate(*args, **kwargs)

        patch.setattr(policy, "logits", watched_logits)
        patch.setattr(policy.network, "generate", watched_generate)
        notes = run(policy, task, SETTINGS)
    vars(policy.network).pop("generate", None)
    return SimpleNamespace(
        policy=policy, task=task, original=original, notes=notes, before=before, recited=recited,
        turns=turns.calls, scored=scored.calls, losses=losses.calls, fed=fed, generated=generated,
    )  # fmt: skip


# The algorithm.


def test_it_unlearns(whole):
    share, accuracy = recitation(whole.policy, whole.task.forget, PREFIX, (EOS,))
    assert whole.recited[0] > 0.8
    assert share < 0.25
    assert accuracy < whole.recited[1] - 0.1
    rewards = [figures["reward_mean"] for figures in whole.notes.figures]
    assert sum(rewards[-2:]) / 2 > sum(rewards[:2]) / 2 + 0.2


def test_figures(whole):
    first, *later = whole.notes.figures
    assert len(later) == SETTINGS.iterations - 1
    assert set(first) <= set(FIGURES)
    assert {"reward_mean", "reward_std", "kl", "entropy", "retain_loss", "gradient_norm"} <= set(first)
    assert first["kl"] == pytest.approx(0.0, abs=1e-6)
    assert first["retain_loss"] == pytest.approx(0.0, abs=1e-6)
    assert all(figures["kl"] > 1e-3 and figures["retain_loss"] > 1e-5 for figures in later)
    assert [figures["clip_fraction"] for figures in (first, *later)] == [0.0] * SETTINGS.iterations
    assert first["learning_rate"] == later[-1]["learning_rate"] == SETTINGS.learning_rate


def test_prompts_are_beginnings_of_forget_rows_token_by_token(whole):
    rows = {tuple(row) for row in whole.task.forget.tolist()}
    assert len(whole.turns) == SETTINGS.iterations
    for (prompts, *_), _, (completions, _) in whole.turns:
        beginnings = {row[:length] for row in rows for length in range(1, LENGTH)}
        assert all(tuple(ids) in beginnings for ids in prompts)
        branches = [depth for _ in range(3) for depth in range(1, LENGTH) if depth != PREFIX for _ in range(GROUP)]
        assert [len(ids) for ids in prompts] == [PREFIX] * 3 * GROUP + branches
        assert all(len(ids) == 1 for ids in completions[3 * GROUP :])
        for ids in completions[: 3 * GROUP]:
            assert ids.index(EOS) == len(ids) - 1 if EOS in ids else len(ids) == SUFFIX
    prefixes = {row[:PREFIX] for row in rows}
    for inputs in whole.generated:  # what the model itself was given: the same tokens, and no padding
        assert all(tuple(ids) in prefixes for ids in inputs["input_ids"].tolist())
        assert inputs["attention_mask"].all()


def test_retain_rows_enter_the_retain_term_only(whole):
    forget = {tuple(row) for row in whole.task.forget.tolist()}
    retain = {tuple(row) for row in torch.cat([whole.task.retain_benign, whole.task.retain_ordinary]).tolist()}
    kinds = Counter()
    for tokens, first, reference in whole.fed:
        read = {tuple(row) for row in tokens.tolist()}
        if first == 1 and read <= retain:
            kind = "retain"
        elif first == 1:  # branches: contexts of forget rows, so without their last token
            kind = "branches"
            assert {row[:-1] for row in read} <= {row[:-1] for row in forget}
        else:
            kind = "from the prefix"
            assert first == PREFIX
            assert {row[:PREFIX] for row in read} <= {row[:PREFIX] for row in forget}
        kinds[kind, reference] += 1
    assert len(kinds) == 6


def test_probabilities_are_the_models(whole):
    """Of the first iteration's completions, each read on its own by a copy of the model as it was."""
    (_model, tokens, mask, keep), _, (logps, entropies, _) = next(
        call for call in whole.scored if call[1].get("compute_entropy")
    )
    assert keep == SUFFIX and len(tokens) == GROUP * (3 + 3 * 18)
    for row, real, logp, entropy in zip(tokens, mask.bool(), logps, entropies, strict=True):
        drawn = int(real[-keep:].sum())
        with torch.no_grad():
            expected = whole.original(input_ids=row[real][None]).logits[0, -drawn - 1 : -1].div(2.0).log_softmax(-1)
        chosen = expected.gather(-1, row[real][-drawn:, None])[:, 0]
        assert torch.allclose(logp[:drawn], chosen, atol=1e-4)
        assert torch.allclose(entropy[:drawn], -(expected.exp() * expected).sum(-1), atol=1e-4)
        assert (logp[drawn:] == 0).all()


def test_the_first_gradient_is_the_groups_policy_gradient(whole):
    """- sum_i A_i grad ln p(completion i) / tokens; KL and retain term have no gradient where nothing has moved."""
    (prompts, *_), _, (completions, _) = whole.turns[0]
    rest = {tuple(row[:split]): row[split:] for row in whole.task.forget.tolist() for split in range(1, LENGTH)}
    rewards = []
    for prompt, drawn in zip(prompts, completions, strict=True):
        hits = sum(token == true for token, true in zip(drawn, rest[tuple(prompt)], strict=False))
        rewards.append(-hits / SUFFIX if len(prompt) == PREFIX else 1.0 - hits)
    rewards = torch.tensor(rewards).view(-1, GROUP)
    advantages = (rewards - rewards.mean(1, keepdim=True)).flatten()

    model = whole.original.requires_grad_(True)
    total = 0.0
    for prompt, drawn, advantage in zip(prompts, completions, advantages, strict=True):
        logprobs = (
            model(input_ids=torch.tensor([prompt + drawn])).logits[0, len(prompt) - 1 : -1].div(2.0).log_softmax(-1)
        )
        total = total - advantage * logprobs.gather(-1, torch.tensor(drawn)[:, None]).sum()
    (total / sum(map(len, completions))).backward()
    norm = sum(float(weight.grad.square().sum()) for weight in model.parameters()) ** 0.5
    model.zero_grad()
    model.requires_grad_(False)

    assert whole.notes.figures[0]["gradient_norm"] == pytest.approx(norm, rel=1e-3)
    assert whole.notes.figures[0]["reward_mean"] == pytest.approx(float(rewards[:3].mean()), abs=1e-6)
    assert whole.notes.figures[0]["reward_std"] == pytest.approx(float(rewards[:3].std(correction=0)), abs=1e-6)


# The loop.


def test_resuming_changes_nothing(whole, fresh):
    """Also shows that the loop's word ends it: the first sitting stops after three iterations."""
    policy = Policy(fresh())
    begun = run(policy, whole.task, SETTINGS, Notes(policy, last=3))
    assert begun.figures == whole.notes.figures[:3]

    torch.manual_seed(123)
    again = Policy(fresh())
    again.load_weights(begun.weights[-1])
    rest = run(again, whole.task, SETTINGS, Notes(again, start=3, resumed=begun.states[-1]))

    assert rest.figures == whole.notes.figures[3:]
    assert all(torch.equal(weight, whole.notes.weights[-1][name]) for name, weight in again.weights().items())


def test_nothing_else_about_the_model_changes(whole):
    assert about(whole.policy.network) == whole.before
    assert not any(module.training for module in whole.policy.network.modules())
    assert whole.task.tokenizer.pad_token is None


def test_prefix_only_with_adapters_and_without_retain_rows_or_an_end(fresh, task, words, capfd):
    policy = Policy(fresh(), lora=True, lora_rank=4)
    base = {name: value.clone() for name, value in policy.model.named_parameters() if not value.requires_grad}
    task = replace(
        task, tokenizer=words, retain_benign=task.forget[:0], retain_ordinary=task.forget[:0], eos_token_ids=()
    )
    settings = replace(
        SETTINGS, depth="prefix", reward="sacrebleu", iterations=3, learning_rate=3e-2, temperature=1.5,
        loss_type="grpo", scale_rewards="group",
    )  # fmt: skip

    notes = run(policy, task, settings)

    assert "retain_loss" not in notes.figures[0]
    assert notes.figures[0]["kl"] == pytest.approx(0.0, abs=1e-6)  # to the original, which has no adapters
    assert notes.figures[2]["kl"] > 1e-3
    assert all(torch.equal(value, dict(policy.model.named_parameters())[name]) for name, value in base.items())
    assert not policy.model.training
    assert capfd.readouterr() == ("", "")


def test_a_constant_reward_moves_hardly_anything(fresh, whole):
    policy = Policy(fresh())
    run(policy, whole.task, replace(SETTINGS, control="constant", iterations=4))
    before = dict(fresh().named_parameters())
    moved, really = (
        max((weight - before[name]).abs().max().item() for name, weight in weights.items())
        for weights in (policy.weights(), whole.notes.weights[3])
    )
    assert moved < 0.01 * really


def test_the_retain_term_retains(fresh, whole):
    policy = Policy(fresh())
    without = run(policy, whole.task, replace(SETTINGS, retain_coefficient=1e-6, iterations=6))
    assert without.figures[5]["retain_loss"] > 1.5 * whole.notes.figures[5]["retain_loss"]


def test_a_model_that_is_not_finite(fresh, whole):
    policy = Policy(fresh())
    with torch.no_grad():
        policy.trainable()[0].fill_(torch.nan)
    with pytest.raises(NonFiniteError, match="not finite"):
        run(policy, whole.task, SETTINGS)


# Its parts.


def test_splits_are_the_rows_cut_everywhere(task):
    table = splits(task)
    assert len(table) == 12 * LENGTH
    for place in (1, 27, 239):
        cut = table[place]
        assert cut["prompt"].tolist() == task.forget[place // LENGTH, : place % LENGTH].tolist()
        assert cut["rest"].tolist() == task.forget[place // LENGTH, place % LENGTH :].tolist()
        assert cut["is_learned"]


def test_tokens_of_other_texts_are_not_to_be_unlearned(task):
    row = task.forget[:1].clone()
    row[0, [4, 15]] = EOS  # the prefix begins in another text, and the suffix ends its own at place 15
    learned = splits(replace(task, forget=row))[:]["is_learned"]
    assert learned == [False] * 5 + [True] * 11 + [False] * 4
    row[0, 15] = other = min(set(range(VOCAB)) - set(row[0].tolist()))
    assert splits(replace(task, forget=row, eos_token_ids=(EOS, other)))[:]["is_learned"] == learned
    assert all(splits(replace(task, forget=row, eos_token_ids=()))[:]["is_learned"])


def test_draws_go_through_the_forget_set(task):
    settings = replace(SETTINGS, iterations=4)
    draws = Draws(task, settings, start=0, world=1)
    places = list(draws)
    assert draws.rollouts == GROUP * (3 + 3 * 18)
    assert len(places) == len(draws) == 4 * draws.rollouts
    groups = [places[at : at + GROUP] for at in range(0, len(places), GROUP)]
    assert all(len(set(group)) == 1 for group in groups)
    seen = Counter(group[0] for group in groups)
    assert set(seen.values()) == {1}  # 4 iterations x 3 rows: every row once from the prefix, once at each other depth
    assert set(seen) == {place for place in range(12 * LENGTH) if place % LENGTH}

    again = list(Draws(task, replace(settings, iterations=8), start=4, world=1))  # a second time, in another order
    assert Counter(again) == Counter(places) and again != places
    later = Draws(task, settings, start=1, world=1)
    assert list(later) == places[draws.rollouts :]
    assert list(Draws(replace(task, seed=1), settings, start=0, world=1)) != places


def test_draws_of_several_processes(task):
    settings = replace(SETTINGS, prompts=8, iterations=2)
    alone = list(Draws(task, settings, start=0, world=1))
    together = list(Draws(task, settings, start=0, world=2))
    assert alone != together
    share = len(together) // 4
    for at in range(0, len(together), 2 * share):
        assert Counter(alone[at : at + 2 * share]) == Counter(together[at : at + 2 * share])
        for part in (together[at : at + share], together[at + share : at + 2 * share]):
            assert sum(place % LENGTH == PREFIX for place in part) == 2 * GROUP  # each has prefixes and branches


def reward_of(policy, task, drawn, rest, learned=(True,) * 5, **settings):
    notes = {}
    reward = GroupReward(policy, task, replace(SETTINGS, **settings), 0)
    state = SimpleNamespace(global_step=0)
    rewards = reward(
        completion_ids=drawn,
        rest=[np.array(true) for true in rest],
        is_learned=learned,
        trainer_state=state,
        log_metric=notes.__setitem__,
    )
    return rewards, notes


def words_of(drawn, true):
    """Hypothesis and references of each as sacreBLEU takes them."""
    text = [" ".join(f"w{token}" for token in ids if token != EOS) for ids in drawn]
    return [(line, [" ".join(f"w{token}" for token in true)]) for line in text]


def test_rewards_by_hand(fresh, task, words):
    policy, task = Policy(fresh()), replace(task, tokenizer=words)
    true = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    drawn = [true, [5, 6, EOS], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [9], [8]]
    suffixes = [true, true, true, true[4:], true[4:]]

    rewards, notes = reward_of(policy, task, drawn, suffixes)
    assert rewards == pytest.approx([-1.0, -0.2, 0.0, 0.0, 1.0])
    assert notes["prefix/reward_mean"] == pytest.approx(-0.4)
    assert notes["prefix/reward_std"] == pytest.approx(((0.36 + 0.04 + 0.16) / 3) ** 0.5)

    assert reward_of(policy, task, drawn, suffixes, [False] * 5)[0] == pytest.approx([-1.0, -0.2, 0.0, 0.0, 0.0])

    rewards, _ = reward_of(policy, task, drawn, suffixes, reward="sacrebleu")
    assert rewards[0] == pytest.approx(0.0)
    assert rewards[1:3] == pytest.approx(
        [1 - sentence_bleu(*texts).score / 100 for texts in words_of(drawn[1:3], true)]
    )
    assert rewards[3:] == [0.0, 1.0]

    assert reward_of(policy, task, drawn, suffixes, control="constant")[0] == pytest.approx([-0.4] * 3 + [0.5] * 2)
    shuffled = [
        reward_of(policy, replace(task, seed=seed), drawn, suffixes, control="permuted")[0] for seed in range(9)
    ]
    assert all(sorted(rewards[:3]) == pytest.approx([-1.0, -0.2, 0.0]) for rewards in shuffled)
    assert len({tuple(rewards) for rewards in shuffled}) > 1


def test_distinct_contexts():
    contexts = [(3, 1), (3, 1, 4), (2,), (3, 1), (3, 1, 5), (2, 7, 1), (9,)]
    kept, place = distinct(contexts)
    assert sorted(kept) == [(2, 7, 1), (3, 1, 4), (3, 1, 5), (9,)]
    assert all(kept[at][: len(context)] == context for context, at in zip(contexts, place, strict=True))
    assert not any(longer[: len(shorter)] == shorter for shorter, longer in pairwise(sorted(kept)))


def test_logits_of_contexts_are_those_of_each_alone(fresh, task):
    policy = Policy(fresh())
    row, other = task.forget[0].tolist(), task.forget[1].tolist()
    contexts = [tuple(row[:12]), tuple(row[:15]), tuple(other[:10]), tuple(row[:10])]
    with torch.no_grad():
        logits, place = next_token_logits(policy, contexts, 10)
        assert len(logits) == 2
        for context, at in zip(contexts, place.tolist(), strict=True):
            alone = policy.network(input_ids=torch.tensor([context])).logits[0, -1]
            assert torch.allclose(logits[at, len(context) - 10], alone, atol=1e-4)


def test_what_prepare_works_out(fresh, task):
    policy = Policy(fresh())
    settings = replace(DEMEM_GRPO.presets["auto"], iterations=None)
    ready = DEMEM_GRPO.prepare(policy, task, settings)
    assert ready.iterations == DEMEM_GRPO.iterations(settings, task) == 4  # ceil(8 * 12 / 24)
    assert ready.learning_rate == pytest.approx(9e-4)
    assert ready.temperature in (1.0, 1.5, 2.0, 3.0)
    weights = sum(weight.numel() for weight in policy.trainable())
    assert ready.adam_eps == pytest.approx(1 / weights**0.5, rel=0.05)
    assert replace(ready, iterations=None, learning_rate=None, adam_eps=None, temperature=None) == settings

    policy.world = 2
    with pytest.raises(UnlearningError, match="by 2 processes: type --prompts 8"):
        DEMEM_GRPO.prepare(policy, task, replace(settings, prompts=23))


def test_numbers_that_make_no_sense():
    for wrong in ({"num_generations": 1}, {"branch_share": 1.5}, {"prompts": 0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match="--"):
            replace(SETTINGS, **wrong)


def test_help_waits_for_no_torch():
    code = "import sys, unlearning.demem_grpo; print({'torch', 'trl', 'transformers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
