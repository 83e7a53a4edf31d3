"""Gradient ascent: which way it goes, on which rows, and when it ends."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from unlearning import gradient_ascent
from unlearning.evaluation import forgetting, recitation
from unlearning.gradient_ascent import GRADIENT_ASCENT, GradientAscentSettings
from unlearning.method import State
from unlearning.policy import Policy

PREFIX, EOS = 10, 0


class Notes:
    """A `Training` that keeps everything: figures, states and weights of every iteration, and what `look` sees."""

    def __init__(self, policy, look=lambda: None, last=10_000, start=0, resumed=None):
        self.start, self.resumed = start, resumed
        self.figures, self.states, self.weights, self.seen = [], [], [], []
        self._policy, self._look, self._last = policy, look, last

    def iteration(self, number, figures, state) -> bool:
        assert number == self.start + len(self.figures) + 1
        kept = state()
        self.states.append(State({name: value.clone() for name, value in kept.tensors.items()}, dict(kept.values)))
        self.weights.append({name: weight.clone() for name, weight in self._policy.weights().items()})
        self.figures.append(dict(figures))
        self.seen.append(self._look())
        return number < self._last


def run(policy, task, notes, **settings) -> Notes:
    chosen = GRADIENT_ASCENT.prepare(policy, task, GradientAscentSettings(**settings))
    GRADIENT_ASCENT.train(policy, task, chosen, notes)
    assert len(notes.figures) <= GRADIENT_ASCENT.iterations(chosen, task)
    return notes


@pytest.fixture
def trained_on(monkeypatch):
    """Lists the rows that every call for trainable logits is about."""
    calls = []

    def watch(policy):
        logits = policy.logits

        def spied(tokens, first, *, reference=False):
            calls.append(tokens.clone())
            return logits(tokens, first, reference=reference)

        monkeypatch.setattr(policy, "logits", spied)
        return calls

    return watch


def test_the_papers_setting():
    for preset in ("auto", "paper"):
        assert GRADIENT_ASCENT.presets[preset] == GradientAscentSettings(
            learning_rate=5e-5, chunk=32, chunk_epochs=100, stop="forgotten"
        )


@pytest.mark.parametrize("together", [32, 5])  # rows at once: more and fewer than there are
def test_a_step_is_adam_on_the_negated_loss_of_the_chunk(fresh, task, monkeypatch, together):
    monkeypatch.setattr(gradient_ascent, "_ROWS_TOGETHER", together)
    model, policy = fresh().requires_grad_(True), Policy(fresh())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses, norms = [], []
    for _ in range(2):
        loss = model(input_ids=task.forget, labels=task.forget).loss  # transformers' own: mean over tokens 2..T
        optimizer.zero_grad()
        (-loss).backward()
        norms.append(sum(float(weight.grad.square().sum()) for weight in model.parameters()) ** 0.5)
        optimizer.step()
        losses.append(loss.item())

    notes = run(policy, task, Notes(policy), learning_rate=1e-3, chunk_epochs=2, stop="steps")

    assert [figures["forget_loss"] for figures in notes.figures] == pytest.approx(losses, rel=1e-5)
    assert [figures["gradient_norm"] for figures in notes.figures] == pytest.approx(norms, rel=1e-4)
    assert losses[1] > losses[0]
    for name, weight in model.named_parameters():
        # Adam divides by the gradient's size, so that one near zero may step either way: hence the mean.
        assert (policy.weights()[name] - weight).abs().mean() < 1e-5


def test_extractable_ends_a_chunk_as_soon_as_none_of_its_rows_is(fresh, task):
    policy = Policy(fresh())
    chunks = task.forget.split(5)
    assert all(recitation(policy, rows, PREFIX, (EOS,))[0] > 0 for rows in chunks)

    def look():
        return [recitation(policy, rows, PREFIX, (EOS,))[0] for rows in chunks]

    notes = run(policy, task, Notes(policy, look), learning_rate=3e-4, chunk=5, stop="extractable")

    assert_rule(notes, len(chunks), lambda shares: shares == 0)


def test_forgotten_ends_a_chunk_at_the_means_of_unseen_rows(fresh, task, rows):
    policy = Policy(fresh())
    task = replace(task, unseen=torch.cat([task.unseen, rows[20:22]]))  # two recited ones, so that the means are not 0
    most_likelihood, most_accuracy = forgetting(Policy(fresh()), task.unseen, PREFIX, (EOS,))
    assert 0 < most_likelihood < most_accuracy < 0.5
    chunks = task.forget.split(5)

    def look():
        accuracies = [recitation(policy, rows, PREFIX, (EOS,))[1] for rows in chunks]
        return [
            accuracy <= most_accuracy and forgetting(policy, rows, PREFIX, (EOS,))[0] <= most_likelihood
            for accuracy, rows in zip(accuracies, chunks, strict=True)
        ]

    notes = run(policy, task, Notes(policy, look), learning_rate=5e-4, chunk=5)

    assert_rule(notes, len(chunks), bool)


def assert_rule(notes, chunks, is_done) -> None:
    """Every iteration is on the first chunk, of those not left yet, that was not done before it; then all are done."""
    worked_on = [state.values["chunk"] for state in notes.states]
    assert worked_on[0] == 0
    assert len(set(worked_on)) > 1
    for before, chunk, now in zip(worked_on, worked_on[1:], notes.seen, strict=False):
        assert chunk == next(index for index in range(before, chunks) if not is_done(now[index]))
    assert all(is_done(notes.seen[-1][index]) for index in range(worked_on[-1], chunks))


def test_forgotten_asks_for_both(fresh, task, rows):
    policy = Policy(fresh())
    unseen = rows[12:24].clone()
    unseen[:, 4::5] = 1 + unseen[:, 4::5] % 40  # other tokens: most are still guessed, but never ten in a row
    chunk = torch.cat([rows[:4], rows[30:]])
    likelihood, accuracy = forgetting(policy, unseen, PREFIX, (EOS,))
    assert likelihood < 0.1 < forgetting(policy, chunk, PREFIX, (EOS,))[0]
    assert forgetting(policy, chunk, PREFIX, (EOS,))[1] < accuracy

    is_done = gradient_ascent._rule(policy, replace(task, unseen=unseen), "forgotten")
    assert not is_done(chunk)
    assert is_done(rows[30:])


def test_forgotten_compares_with_the_original_model(fresh, task, rows):
    policy = Policy(fresh())
    first, second = replace(task, forget=rows[:1]), rows[1:2]
    run(policy, first, Notes(policy), learning_rate=1e-3, stop="extractable")
    now = [recitation(policy, row, PREFIX, (EOS,))[1] for row in (rows[:1], second)]
    assert now[0] < now[1]

    # As it is now the model does better on the second row than on the "unseen" one; but it did as well there.
    assert gradient_ascent._rule(policy, replace(task, unseen=rows[:1]), "forgotten")(second)


def test_chunks_one_after_the_other_and_nothing_but_forget_rows(fresh, task, trained_on):
    policy = Policy(fresh())
    calls = trained_on(policy)
    notes = run(policy, task, Notes(policy), chunk=5, chunk_epochs=2, stop="steps")

    chunks = [rows for rows in task.forget.split(5) for _ in range(2)]
    assert [len(rows) for rows in chunks] == [5, 5, 5, 5, 2, 2]
    assert len(calls) == len(chunks) == len(notes.figures)
    assert all(torch.equal(*pair) for pair in zip(calls, chunks, strict=True))


def test_each_chunk_has_a_fresh_optimizer(fresh, task):
    policy = Policy(fresh())
    notes = run(policy, task, Notes(policy), chunk=6, chunk_epochs=3, stop="steps")
    assert [int(state.tensors["optimizer.0.step"]) for state in notes.states] == [1, 2, 3, 1, 2, 3]


def test_the_loops_word_ends_it(fresh, task):
    policy = Policy(fresh())
    assert len(run(policy, task, Notes(policy, last=4), chunk=5, chunk_epochs=3, stop="steps").figures) == 4


@pytest.mark.parametrize("stop", ["steps", "forgotten"])
def test_resuming_changes_nothing(fresh, task, stop):
    settings = {"learning_rate": 1e-3, "chunk": 6, "chunk_epochs": 6, "stop": stop}
    policy = Policy(fresh())
    whole = run(policy, task, Notes(policy), **settings)
    assert len(whole.figures) > 7

    for at in (2, 6, 7):  # within a chunk, maybe at its end, in the next
        again = Policy(fresh())
        again.load_weights(whole.weights[at - 1])
        rest = run(again, task, Notes(again, start=at, resumed=whole.states[at - 1]), **settings)
        assert rest.figures == whole.figures[at:]
        assert all(torch.equal(weight, whole.weights[-1][name]) for name, weight in again.weights().items())


def test_numbers_that_make_no_sense():
    for wrong in ({"chunk": 0}, {"chunk_epochs": 0}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            replace(GRADIENT_ASCENT.presets["auto"], **wrong)


def test_help_waits_for_no_torch():
    code = "import sys, unlearning.gradient_ascent; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
