"""Rewards against the reference implementations."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import sacrebleu as reference
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from unlearning.demem.reward import batch_rewards, branch_reward, controlled, load_reward
from unlearning.demem.rollout import Rollouts, seeded
from unlearning.method import UnlearningError

EOS = 0
WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away"]


def alone(value: torch.Tensor) -> torch.Tensor:
    return value


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A BERT that was never trained."""
    folder = tmp_path_factory.mktemp("encoder")
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    BertTokenizerFast(vocab=vocabulary, model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=15, max_position_embeddings=40, **shape)).save_pretrained(folder)
    return folder


def test_token_reward_sees_generated_matches_only(word_task):
    actions, true = torch.tensor([[1, 2, 3, 4], [1, 0, 3, 4]]), torch.tensor([[1, 9, 3, 4], [1, 2, 3, 4]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool()
    found = load_reward("token", word_task.tokenizer)(actions, mask, true, (EOS,))
    assert found.tolist() == [[-1, 0, -1, -1], [-1, 0, 0, 0]]


def test_branches_are_rewarded_for_leaving():
    assert branch_reward(torch.tensor([[1, 2, 3]]), torch.tensor([[1, 9, 3]])).tolist() == [[0, 1, 0]]


def test_sacrebleu_reward_equals_sacrebleu(word_task):
    generator = torch.Generator().manual_seed(0)
    true = torch.randint(1, 48, (40, 10), generator=generator)
    keep = torch.rand(40, 10, generator=generator) < torch.linspace(0, 1, 40)[:, None]
    actions = torch.where(keep, true, torch.randint(1, 48, (40, 10), generator=generator))
    actions[5, 4] = EOS
    mask = torch.ones(40, 10).bool()
    mask[5, 5:] = False
    found = load_reward("sacrebleu", word_task.tokenizer)(actions, mask, true, (EOS,))
    texts = [[" ".join(f"w{t}" for t in row) for row in rows.tolist()] for rows in (actions, true)]
    texts[0][5] = " ".join(f"w{t}" for t in actions[5, :4].tolist())
    expected = [1 - min(reference.sentence_bleu(a, [b]).score, 100.0) / 100 for a, b in zip(*texts, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert found.min() == 0 and found.max() > 0.9 and found.dtype == torch.float32


def test_a_rollout_that_ends_at_once_is_as_unlike_as_can_be(word_task):
    mask = torch.tensor([[True, False, False]])
    found = load_reward("sacrebleu", word_task.tokenizer)(
        torch.tensor([[0, 1, 2]]), mask, torch.tensor([[3, 1, 2]]), (0,)
    )
    assert found.tolist() == [1.0]


def test_bertscore_reward_equals_bert_score(encoder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bert_score
    tokenizer = BertTokenizerFast.from_pretrained(encoder)
    true = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [5, 11, 7, 8, 9]])
    actions = torch.tensor([[5, 6, 7, 8, 9], [5, 6, 12, 13, 9], [14, 13, 12, 0, 10]])
    mask = torch.tensor([[1] * 5, [1] * 5, [1, 1, 1, 1, 0]]).bool()
    found = load_reward("bertscore", tokenizer, bertscore_model=str(encoder))(actions, mask, true, (0,))
    texts = [" ".join(WORDS[t - 5] for t in row if t) for row in [*true.tolist(), *actions[:2].tolist(), [14, 13, 12]]]
    _, _, f1 = bert_score.score(texts[3:], texts[:3], model_type=str(encoder), num_layers=3, device="cpu")
    assert found.tolist() == pytest.approx((1 - f1).tolist(), abs=1e-6)
    assert found[0] == pytest.approx(0, abs=1e-5) and (found[1:] > 0.001).all()


def test_bertscore_of_nothing_is_zero(encoder):
    reward = load_reward("bertscore", BertTokenizerFast.from_pretrained(encoder), bertscore_model=str(encoder))
    found = reward(
        torch.tensor([[0, 5], [5, 6]]), torch.tensor([[1, 0], [1, 1]]).bool(), torch.tensor([[5, 6]] * 2), (0,)
    )
    assert found[0] == 1 and found[1] == pytest.approx(0, abs=1e-5)


def test_long_texts_are_cut_where_the_encoder_ends(encoder, tmp_path):
    """A tokenizer that knows no limit must not hand over more than there are positions for."""
    for path in encoder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tokenizer = BertTokenizerFast.from_pretrained(encoder)
    tokenizer.model_max_length = int(1e30)
    tokenizer.save_pretrained(tmp_path)
    long = torch.full((1, 60), 6)
    found = load_reward("bertscore", tokenizer, bertscore_model=str(tmp_path))(
        long, torch.ones(1, 60).bool(), long, (0,)
    )
    assert found.tolist() == pytest.approx([0], abs=1e-5)


def test_a_missing_encoder_is_named_with_the_remedy(word_task, tmp_path, encoder):
    with pytest.raises(UnlearningError, match=r"no/such-encoder .*--bertscore-model FOLDER"):
        load_reward("bertscore", word_task.tokenizer, bertscore_model="no/such-encoder")
    (tmp_path / "config.json").write_bytes((encoder / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(UnlearningError, match=r"no \*\.safetensors in it"):
        load_reward("bertscore", word_task.tokenizer, bertscore_model=str(tmp_path))


def test_controls():
    rewards = torch.arange(12.0).view(4, 3)
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0]]).bool()
    assert torch.equal(controlled(rewards, mask, "none", seeded(0), alone), rewards)
    constant = controlled(rewards, mask, "constant", seeded(0), alone)
    mean = (0 + 3 + 6 + 9 + 1 + 4 + 7 + 2 + 5) / 9
    assert torch.allclose(constant[mask], torch.tensor(mean))
    permuted = controlled(rewards, mask, "permuted", seeded(0), alone)
    assert not torch.equal(permuted, rewards)
    for position in range(3):
        there = mask[:, position]
        assert sorted(permuted[there, position].tolist()) == rewards[there, position].tolist()
        assert torch.equal(permuted[~there, position], rewards[~there, position])


@pytest.fixture
def rollouts() -> Rollouts:
    """Two from the prefix, the first of which ends early, and two branches."""
    true = torch.tensor([[1, 2, 3]] * 4)
    actions = torch.tensor([[1, 0, 3], [1, 2, 9], [1, 2, 3], [9, 2, 9]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]]).bool()
    zeros, numbers = torch.zeros(4, 3), torch.arange(4)
    branch = torch.tensor([False, False, True, True])
    return Rollouts(1, 0, numbers, branch, torch.ones(4), actions, numbers, true, actions, mask, zeros, zeros, zeros)


def test_a_batch_of_token_rewards(rollouts, settings, word_task):
    reward = load_reward("token", word_task.tokenizer)
    rewards, spread, figures = batch_rewards(reward, rollouts, settings, (EOS,), seeded(0), alone)
    expected = torch.tensor([[-1, 0, 0], [-1, -1, 0], [0, 0, 0], [1, 0, 1]]) * 0.3
    torch.testing.assert_close(rewards, expected)
    # Five generated tokens, three of them true; by position the means are -1, -1/2, 0 (deviations 0, 1/2, 0), and
    # of the branches 1/2, 0, 1/2.
    assert figures["reward_mean"] == pytest.approx(-3 / 5)
    assert figures["reward_std"] == pytest.approx((2 * 0.25 / 5) ** 0.5)
    assert spread == pytest.approx((4 * 0.25 / 6) ** 0.5)


def test_a_batch_of_whole_rewards(rollouts, settings, word_task):
    reward = load_reward("sacrebleu", word_task.tokenizer)
    learned = replace(settings, reward="sacrebleu", baseline="value-head", reward_scale=2.0, centre_rewards=False)
    bleu = [1 - reference.sentence_bleu(text, ["w1 w2 w3"]).score / 100 for text in ("w1", "w1 w2 w9")]
    rewards, _, figures = batch_rewards(reward, rollouts, learned, (EOS,), seeded(0), alone)
    expected = torch.tensor([[0, 2 * bleu[0], 0], [0, 0, 2 * bleu[1]], [0, 0, 0], [2, 0, 2]])
    torch.testing.assert_close(rewards, expected)
    assert figures["reward_mean"] == pytest.approx(sum(bleu) / 2)
    assert figures["reward_std"] == pytest.approx(abs(bleu[0] - bleu[1]) / 2)
    rewards, _, _ = batch_rewards(reward, rollouts, replace(learned, centre_rewards=True), (EOS,), seeded(0), alone)
    half = abs(bleu[0] - bleu[1])
    torch.testing.assert_close(rewards[:2], torch.tensor([[0, half, 0], [0, 0, -half]]))
    torch.testing.assert_close(rewards[2:], expected[2:])  # branches have a baseline of their own


@pytest.mark.parametrize("name", ["token", "sacrebleu"])
def test_a_constant_reward_leaves_nothing(rollouts, settings, word_task, name):
    baseline = "closed-form" if name == "token" else "value-head"
    control = replace(settings, control="constant", reward=name, baseline=baseline)
    rewards, spread, figures = batch_rewards(
        load_reward(name, word_task.tokenizer), rollouts, control, (EOS,), seeded(0), alone
    )
    assert rewards.abs().max() < 1e-7 and spread < 1e-7 and figures["reward_mean"] != 0


def test_a_critic_of_uncentred_rewards_gets_those_of_a_control_uncentred_too(rollouts, settings, word_task):
    """The paper's critic: a control is the same method, so it must learn the constant as it would any reward."""
    paper = replace(
        settings, control="constant", reward="sacrebleu", baseline="value-head", centre_rewards=False, reward_scale=2.0
    )
    reward = load_reward("sacrebleu", word_task.tokenizer)
    rewards, spread, figures = batch_rewards(reward, rollouts, paper, (EOS,), seeded(0), alone)
    mean = 2 * figures["reward_mean"]
    torch.testing.assert_close(rewards[:2], torch.tensor([[0, mean, 0], [0, 0, mean]]))
    assert rewards[2:].abs().max() < 1e-7 and spread < 1e-7  # branches: the closed form expects their mean
