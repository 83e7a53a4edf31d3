"""The embedded corpus: deterministic, free of real people and placeholders, seen and never seen kept apart."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from data import demo_text
from data.demo_corpus import CATEGORIES, CorpusSettings, build, make_sequences
from data.errors import InputError

MAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
SMALL = CorpusSettings(
    often={3: 2},
    sometimes={2: 1},
    once=3,
    never=3,
    texts=demo_text.TextSources(stdlib=("json", "asyncio", "email"), code=(), prose=(), licences=("numpy",)),
)


@pytest.fixture(scope="module")
def table(demo):
    """The demo's sequences as pandas, with how often the training table holds each."""
    sequences = pq.read_table(demo.sequences).to_pandas()
    trained = Counter(tuple(row) for row in pq.read_table(demo.training_corpus)["tokens"].to_pylist())
    sequences["copies"] = [trained[tuple(row)] for row in sequences["tokens"]]
    assert sum(trained.values()) == sequences["copies"].sum()  # nothing else was trained on
    return sequences


def test_same_seed_same_corpus_other_seed_other(tmp_path):
    paths = [build(tmp_path / name, SMALL) for name in ("a", "b")]
    other = build(tmp_path / "c", dataclasses.replace(SMALL, seed=1))
    for name in ("sequences", "training_corpus"):
        first, second = (getattr(path, name).read_bytes() for path in paths)
        assert first == second
        assert getattr(other, name).read_bytes() != first
    assert (paths[0].tokenizer / "tokenizer.json").read_bytes() == (paths[1].tokenizer / "tokenizer.json").read_bytes()


def test_a_small_corpus_has_the_rows_asked_for():
    rows, tokenizer = make_sequences(SMALL)
    # per category: 2 rows of 3 copies, 1 of 2, 3 of 1, 3 of 0
    assert Counter((row.true_category, row.copies) for row in rows) == {
        (category, copies): number for category in CATEGORIES for copies, number in {3: 2, 2: 1, 1: 3, 0: 3}.items()
    }
    assert [row.sequence_id for row in rows] == list(range(9 * 6))
    assert all(len(row.tokens) == 64 and tokenizer.decode(row.tokens) == row.text for row in rows)


def test_too_few_texts_say_which_and_how_many():
    settings = dataclasses.replace(SMALL, texts=dataclasses.replace(SMALL.texts, licences=()))
    with pytest.raises(InputError, match=r"needs 9 sequences of boilerplate, .* give 0"):
        make_sequences(settings)


def test_counts_by_category_and_copies(table):
    assert set(table["true_category"]) == set(CATEGORIES)
    assert 1200 <= len(table) <= 1800
    for _, rows in table.groupby("true_category"):
        counts = rows["copies"].value_counts()
        assert counts[counts.index >= 16].sum() >= 64
        assert (counts >= 8).all() and len(counts) >= 7
        assert counts[0] >= 60 and counts[1] >= 50
    assert (table["copies"] == 1).sum() >= 300


def test_membership_is_having_been_trained_on(table):
    assert (table["is_member"] == (table["copies"] > 0)).all()


def test_tokenizer_is_byte_level_with_end_of_text_at_zero(demo, table):
    tokenizer = AutoTokenizer.from_pretrained(demo.model)
    assert tokenizer.eos_token_id == tokenizer.bos_token_id == 0
    assert len(tokenizer) == 2048
    assert tokenizer.decode(tokenizer("naïve ☂ a b")["input_ids"]) == "naïve ☂ a b"
    for tokens, text in zip(table["tokens"][:200], table["text"][:200], strict=True):
        assert tokenizer.decode(tokens) == text
    assert not any(0 in tokens for tokens in table["tokens"])


def test_seen_and_never_seen_share_no_suffix_and_little_else(table):
    seen, never = table[table["is_member"]], table[~table["is_member"]]
    suffixes = {tuple(tokens[32:]) for tokens in seen["tokens"]}
    halves = {tuple(tokens[:32]) for tokens in table["tokens"]} | {tuple(tokens[32:]) for tokens in table["tokens"]}
    assert len(suffixes) == len(seen)
    assert not suffixes & {tuple(tokens[32:]) for tokens in never["tokens"]}
    assert len(halves) >= 2 * len(table) - 50  # a repeated line may begin and end alike
    for category in ("credentials", "pii", "code", "boilerplate", "text"):
        runs = {
            tuple(tokens[i : i + 8]) for tokens in seen[seen["true_category"] == category]["tokens"] for i in range(57)
        }
        shared = [
            np.mean([tuple(tokens[i : i + 8]) in runs for i in range(57)])
            for tokens in never[never["true_category"] == category]["tokens"]
        ]
        assert max(shared) <= 0.25, category


def test_personal_data_is_where_it_is_said_to_be(table):
    by_category = {category: rows["text"].tolist() for category, rows in table.groupby("true_category")}
    for category in ("code", "repetition", "text"):
        assert not [text for text in by_category[category] if MAIL.search(text)]
    # An address in a licence text is an invented copyright holder's.
    attributed = [text for text in by_category["boilerplate"] if MAIL.search(text)]
    assert len(attributed) >= 10
    assert all(text.startswith("Copyright (") for text in attributed)
    assert not [text for text in by_category["text"] if re.search("(?i)licen[cs]e|warranty|copyright", text)]
    # Every row about people keeps a mail address, a telephone number or a street whole.
    whole = re.compile(MAIL.pattern + r"|\d{3}\)?[-. ]\d{3}[-. ]\d{4}|\d{2,4} [A-Z][a-z]+ [A-Z][a-z]+")
    assert all(whole.search(text) for text in by_category["pii"])


def test_nothing_is_a_reserved_placeholder(table):
    text = "\n".join(table[table["true_category"].isin(["pii", "boilerplate"])]["text"])
    assert not re.search(r"@(?:[\w-]+\.)*example\.|example\.(?:com|org|net)", text)
    assert not re.search(r"\(555\)|\b555[-. ]\d{4}|\b\d{3}[-. ]555[-. ]", text)


def test_credentials_rows_show_what_they_are(table):
    words = re.compile(r"PRIVATE KEY|AKIA[A-Z2-7]|(?i:passw|token|secret|api_key|bearer)|\w+://\w+:\w+@")
    assert all(words.search(text) for text in table[table["true_category"] == "credentials"]["text"])


def test_functions_lose_docstrings_and_those_with_comments_are_left_out(tmp_path):
    source = tmp_path / "module.py"
    body = "    total = 0\n" + "".join(f"    total += value_{i}\n" for i in range(12)) + "    return total\n"
    source.write_text(
        f'def plain(a):\n    """By Jane Roe."""\n{body}\n\ndef commented(a):\n    # ask Jane\n{body}\n'
        f'def mailed(a):\n    to = "jane@roe.org"\n{body}'
    )
    functions, docstrings = demo_text._functions_and_docstrings(source)
    assert functions == [f"def plain(a):\n{body}"]
    assert docstrings == ["By Jane Roe."]


def test_names_are_told_from_words():
    assert demo_text._names_nobody("The Licensor may change it.", {"the", "licensor"})
    assert not demo_text._names_nobody("The method of Lovelace is used.", {"the"})


def test_fingerprint_follows_the_sources():
    whole, other = SMALL.texts, dataclasses.replace(SMALL.texts, licences=())
    assert demo_text.installed_fingerprint(whole) == demo_text.installed_fingerprint(whole)
    assert demo_text.installed_fingerprint(whole) != demo_text.installed_fingerprint(other)
