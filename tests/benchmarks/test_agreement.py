"""Agreement by hand, and thresholds that never see the rows they judge."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.agreement import FOLDS, agreement, best_threshold, confusion, fold_of, out_of_fold


def test_agreement_by_hand() -> None:
    truth = np.array([1, 1, 1, 0, 0, 0], bool)
    said = np.array([1, 1, 0, 1, 0, 0], bool)
    value = agreement(truth, said)
    assert (value.positives, value.precision, value.recall) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert value.f1 == pytest.approx(2 * 2 / (3 + 3))
    low, high = value.f1_interval
    assert 0 <= low < value.f1 < high <= 1


def test_nothing_said_and_nothing_there() -> None:
    nothing = np.zeros(4, bool)
    assert agreement(nothing, nothing).f1 == 0
    assert agreement(np.zeros(0, bool), np.zeros(0, bool)).f1 == 0


def test_copies_are_one_observation() -> None:
    """Fifty copies of one right row tell no more than the row itself."""
    truth = np.array([True] * 51)
    said = np.array([True] * 50 + [False])
    apart = agreement(truth, said).f1_interval
    together = agreement(truth, said, np.array([0] * 50 + [1])).f1_interval
    assert together[1] - together[0] > apart[1] - apart[0]
    assert together[0] == 0  # the one row that is wrong may be all that is drawn


def test_best_threshold_by_hand() -> None:
    # From the top: F1 of the first 1, 2, 3, 4 rows is 2/3, 1/2, 4/5, 2/3: the third is the best.
    truth = np.array([1, 0, 1, 0], bool)
    assert best_threshold(truth, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx(0.4)
    # Equal scores cannot be parted: 0.5 takes both rows or none.
    assert best_threshold(np.array([1, 0, 0], bool), np.array([0.5, 0.5, 0.1])) == pytest.approx(0.3)


def test_out_of_fold_never_uses_the_row_itself() -> None:
    """One fold whose scores are all shifted: its threshold must come from the others, so all its answers are wrong."""
    groups = np.arange(100)
    truth = groups // FOLDS % 2 == 0
    scores = truth.astype(float)
    odd = groups % FOLDS == 3
    scores[odd] = 10 + scores[odd]
    said, thresholds = out_of_fold(truth, scores, groups)
    assert len(thresholds) == FOLDS
    assert (said[~odd & truth]).all()
    assert said[odd].all()  # 10 and 11 both pass the threshold of 0.5 that the other folds chose
    assert thresholds[3] == pytest.approx(0.5)


def test_copies_share_a_fold() -> None:
    assert fold_of("a row  of\ntext") == fold_of("a row of text")
    folds = {fold_of(f"row {number}") for number in range(100)}
    assert folds == set(range(FOLDS))


def test_confusion_by_hand() -> None:
    names, counts = confusion(["code", "text", "code"], ["code", "code", "pii"])
    assert names == ["code", "pii", "text"]
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0]]
