"""Whole-word phrases in many texts at once, against a search for each phrase in each text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.categories import licence, templates
from metrics.categories.phrases import Phrases, plain

LISTED = ("a", "b c", "c a b", "a a a a a", "b")
WORDS = st.lists(st.sampled_from(["a", "B", "c", "ab", "é", "\ud800", "\n * ", "--", "x" * 40]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS.map(" ".join), max_size=5))
def test_as_a_search_for_each(texts: list[str]) -> None:
    expected = [
        (row, number)
        for row, text in enumerate(texts)
        for number, phrase in enumerate(LISTED)
        if f" {phrase} " in plain(text)
    ]
    rows, numbers = Phrases(LISTED).found(texts)
    assert list(zip(rows.tolist(), numbers.tolist(), strict=True)) == expected


def test_words_are_whole_and_signs_do_not_matter() -> None:
    phrases = Phrases(("above copyright notice", "c", "rights reserved"))
    texts = [
        "/*\n * The ABOVE\n *  Copyright-notice */",
        "above copyright notices",
        "© 1999",
        "# all rights\n# reserved",
        "",
    ]
    rows, numbers = phrases.found(texts)
    assert list(zip(rows.tolist(), numbers.tolist(), strict=True)) == [(0, 0), (2, 1), (3, 2)]


def test_each_phrase_once_for_a_text_and_no_phrase_across_texts() -> None:
    rows, numbers = Phrases(("a b",)).found(["a b a b a b", "x a", "b x"])
    assert rows.tolist() == [0]
    assert numbers.tolist() == [0]


def test_many_chunks() -> None:
    texts = ["filler " * 100 + ("needle in hay" if index % 7 == 0 else "") for index in range(400)]
    rows, _ = Phrases(("needle in hay",)).found(texts)
    np.testing.assert_array_equal(rows, np.arange(0, 400, 7))


def test_plain_removes_comment_leaders() -> None:
    assert plain("/*\n * The above\n *  Copyright\n */") == " the above copyright "
    assert plain("# all rights\n# reserved.") == " all rights reserved "
    assert plain("") == "  "


def test_what_is_not_a_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="lower case"):
        Phrases(("Not plain",))
    with pytest.raises(ValueError, match="twice"):
        Phrases(("a b", "a b"))


def test_the_lists_are_in_form_and_do_not_repeat_themselves() -> None:
    Phrases((*licence.PHRASES, *licence.NOTICES))
    Phrases((*templates.PHRASES, *templates.WEAK_PHRASES))
