"""The split of a run's rows: who is forgotten, held out, retained."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.splits import SPLITS
from unlearning.method import UnlearningError
from unlearning.select import has_evidence, select


def table(**counts: int) -> pd.DataFrame:
    """Rows of each kind: pii, credentials, code, text; the first half of each kind is extractable."""
    rows = []
    for kind, count in counts.items():
        category, _, unseen = kind.partition("_")
        for number in range(count):
            rows.append(
                {
                    "category": category,
                    "extractable": not unseen and number < count // 2,
                    "is_harmful": category in ("pii", "credentials"),
                    "has_pii": category == "pii",
                    "licence_context": False,
                    "organisation_context": False,
                    "has_credentials": category == "credentials",
                    "is_member": not unseen,
                }
            )
    frame = pd.DataFrame(rows)
    frame["is_member"] = frame["is_member"].astype("boolean")
    return frame.assign(sequence_id=np.arange(len(frame)) * 7 + 3)


def ids(selection, split: str) -> set[int]:
    return set(selection.split.loc[selection.split["split"] == split, "sequence_id"])


def test_every_row_has_one_split_and_the_forget_set_is_exactly_the_extractable_rows_asked_for() -> None:
    rows = table(pii=40, credentials=10, code=40, text=60, text_unseen=10, pii_unseen=4)
    chosen = select(rows, ["pii"], 0.25, seed=1)
    assert len(chosen.split) == len(rows) and chosen.split["sequence_id"].is_unique
    assert set(chosen.split["split"]) == set(SPLITS)
    asked = set(rows.loc[(rows["category"] == "pii") & rows["extractable"], "sequence_id"])
    assert ids(chosen, "forget") | ids(chosen, "held_out") == asked
    assert (len(chosen.forget), len(chosen.held_out)) == (15, 5)
    assert ids(chosen, "forget") == set(chosen.forget) and ids(chosen, "held_out") == set(chosen.held_out)
    # Harmful rows that were not asked for, and rows of the category that the model does not recite.
    assert len(ids(chosen, "other_harmful")) == 10 + 20
    assert len(ids(chosen, "never_seen")) == 14
    assert set(chosen.unseen) <= ids(chosen, "never_seen")


def test_only_benign_rows_are_retained_and_half_of_the_recited_ones_are_left_to_be_watched() -> None:
    rows = table(pii=40, credentials=10, code=40, text=60, text_unseen=10)
    chosen = select(rows, ["pii"], 0.25, seed=1)
    by_id = rows.set_index("sequence_id")
    recited, ordinary = by_id.loc[chosen.retain_benign], by_id.loc[chosen.retain_ordinary]
    assert recited["extractable"].all() and not ordinary["extractable"].any()
    assert not recited["is_harmful"].any() and not ordinary["is_harmful"].any()
    assert ordinary["is_member"].all()
    # 20 + 30 recited rows: half of each category.
    assert recited["category"].value_counts().to_dict() == {"text": 15, "code": 10}
    # 20 + 30 of the others: three quarters.
    assert ordinary["category"].value_counts().to_dict() == {"text": 23, "code": 15}
    assert ids(chosen, "retain") == set(chosen.retain_benign) | set(chosen.retain_ordinary)
    assert len(ids(chosen, "other_benign")) == 100 - 25 - 38


def test_the_choice_depends_on_ids_and_seed_not_on_the_order_of_rows() -> None:
    rows = table(pii=60, code=60, text_unseen=5)
    chosen = select(rows, ["pii"], 0.3, seed=5)
    shuffled = select(rows.sample(frac=1, random_state=0, ignore_index=True), ["pii"], 0.3, seed=5)
    assert np.array_equal(chosen.forget, shuffled.forget)
    assert np.array_equal(chosen.retain_ordinary, shuffled.retain_ordinary)
    assert not np.array_equal(chosen.forget, select(rows, ["pii"], 0.3, seed=6).forget)


def test_evidence_decides_not_the_label() -> None:
    rows = table(credentials=4, code=8)
    rows.loc[0, "has_pii"] = True  # labelled credentials, holds personal data too
    rows.loc[[4, 5], ["has_pii", "licence_context"]] = True  # an authorship header, labelled code
    rows.loc[6, ["has_pii", "organisation_context"]] = True  # a company's telephone number
    assert set(select(rows, ["pii"], 0, seed=0).forget) == {rows.loc[0, "sequence_id"]}
    with_headers = select(rows, ["pii"], 0, seed=0, include_attribution=True)
    assert set(with_headers.forget) == set(rows.loc[[0, 4, 5], "sequence_id"])
    assert not set(with_headers.forget) & set(with_headers.retain_benign)
    assert has_evidence(rows, "code", False).sum() == 8


def test_unknown_membership_leaves_unseen_rows_that_are_not_recited_and_not_trained_on() -> None:
    rows = table(pii=20, text=80)
    rows["is_member"] = pd.Series(pd.NA, index=rows.index, dtype="boolean")
    chosen = select(rows, ["pii"], 0.25, seed=0)
    assert not chosen.unseen_is_known and len(chosen.unseen) > 0
    assert not set(chosen.unseen) & (set(chosen.retain_ordinary) | set(chosen.retain_benign) | set(chosen.forget))
    assert not ids(chosen, "never_seen")


def test_one_candidate_is_forgotten_not_held_out() -> None:
    chosen = select(table(pii=2, code=4), ["pii"], 0.9, seed=0)
    assert (len(chosen.forget), len(chosen.held_out)) == (1, 0)


def test_nothing_to_forget_says_what_there_is() -> None:
    rows = table(pii=1, code=8, credentials=6)
    with pytest.raises(UnlearningError) as error:
        select(rows, ["pii"], 0.25, seed=0)
    text = str(error.value)
    assert "1 of the run's 15 rows hold pii" in text
    assert "credentials 3 of 6" in text and "code 4 of 8" in text and "pii 0 of 1" in text
    rows.loc[1, ["has_pii", "licence_context"]] = True
    with pytest.raises(UnlearningError, match="1 extractable rows hold personal data in an authorship header"):
        select(rows, ["pii"], 0.25, seed=0)
