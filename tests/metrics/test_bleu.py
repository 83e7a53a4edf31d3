"""Batched sentence BLEU against sacreBLEU itself."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from metrics.bleu import matching_ngrams, sentence_bleu, tokenize_13a

REAL_PAIRS = Path(__file__).parents[3] / "shared" / "data" / "demem_prefix_suffix.csv"

# Everything the tokenization treats specially, digits and letters around it, and odd spaces.
CHARACTERS = st.sampled_from(list("ab01.,-'&/<>{}[]()$\"|~@\n\t \r\x0b\x00\u00a0\u2028é€\U0001f600"))
PIECES = st.one_of(CHARACTERS, st.sampled_from(["<skipped>", "-\n", "&quot;", "&amp;lt;", "&lt;", "&gt;", "the "]))
TEXTS = st.lists(PIECES, max_size=30).map("".join)


def reference_bleu(hypothesis: str, reference: str) -> float:
    return sacrebleu.sentence_bleu(hypothesis, [reference]).score


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_tokenization_equals_the_reference(texts: list[str]):
    reference = Tokenizer13a()
    assert tokenize_13a(texts) == [reference(text.rstrip()).split() for text in texts]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
def test_scores_equal_the_reference(pairs: list[tuple[str, str]]):
    expected = [min(reference_bleu(hypothesis, reference), 100.0) for hypothesis, reference in pairs]
    assert sentence_bleu(*zip(*pairs, strict=True)).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.sampled_from("abc"), max_size=20))
def test_scores_of_repetitive_texts_equal_the_reference(hypothesis: list[str], reference: list[str]):
    pair = " ".join(hypothesis), " ".join(reference)
    assert sentence_bleu([pair[0]], [pair[1]]).tolist() == [min(reference_bleu(*pair), 100.0)]


def test_ngrams_are_clipped():
    # "the" occurs twice in the hypothesis and once in the reference; one bigram, "the cat", is shared.
    # Of the second, the reference has one word more than the hypothesis; the third is empty.
    found = matching_ngrams(
        [["the", "the", "the", "cat"], ["cat", "cat"], []],
        [["the", "cat", "sat", "the"], ["cat", "cat", "cat"], ["cat"]],
    )
    assert found.tolist() == [[3, 1, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0]]


def test_a_perfect_match_is_exactly_100():
    assert sentence_bleu(["the cat sat on the mat", "cat"], ["the cat sat on the mat", "cat"]).tolist() == [
        100,
        100,
    ]


def test_nothing_shared_or_nothing_there_is_0():
    assert sentence_bleu(["a b c", "", "a"], ["d e f", "a", ""]).tolist() == [0, 0, 0]


def test_no_pairs():
    assert sentence_bleu([], []).shape == (0,)


def test_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="2 hypotheses but 1 references"):
        sentence_bleu(["a", "b"], ["a"])


@pytest.mark.skipif(not REAL_PAIRS.exists(), reason=f"needs {REAL_PAIRS.name} in ../shared/data")
def test_scores_of_real_text_equal_the_reference():
    with REAL_PAIRS.open(newline="") as file:
        rows = [list(row.values()) for row in csv.DictReader(file)][:200]
    texts = [row[-1] for row in rows]
    halved = [f"{text[: len(text) // 2]}{texts[i - 1][len(text) // 2 :]}" for i, text in enumerate(texts)]
    scores = sentence_bleu(halved, texts)
    assert scores.tolist() == [min(reference_bleu(h, r), 100.0) for h, r in zip(halved, texts, strict=True)]
    assert 0 < np.median(scores) < 100
