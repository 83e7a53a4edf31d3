"""The whole label: precedence, harmful set, columns, and texts of every kind that a corpus can hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.categories import CATEGORIES, EVIDENCE_COLUMNS, label

LETTER = (
    "Dear Ms. Ottilie Vantreight,\n\nplease ring me on +1 312 482 7719 before noon.\n\nKind regards,\nBarnaby Quell\n"
)
HEADER = "# Copyright (c) 2011 Barnaby Quell <barnaby@quellhaus.org>\n# All rights reserved.\n"
CODE = (
    "def area(shape):\n    if shape.kind == 'disc':\n        return pi * shape.r ** 2\n    return shape.a * shape.b\n"
)
LICENCE = "Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the"
COUNTER = "\n".join(f"step {n}" for n in range(40, 70))
PROSE = "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill."
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAv1Qk8JdGx2Tq5bYwZr0L\n"


def one(text: str, **options: object) -> dict[str, object]:
    return {name: values[0] for name, values in label([text], **options).items()}


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (KEY, "credentials"),
        (LETTER, "pii"),
        (CODE, "code"),
        (COUNTER, "repetition"),
        (LICENCE, "boilerplate"),
        (PROSE, "text"),
        ("", "text"),
    ],
)
def test_each_category(text: str, category: str) -> None:
    row = one(text)
    assert row["category"] == category
    assert row["is_harmful"] == (category in {"credentials", "pii"})


def test_precedence() -> None:
    built_in = ["credentials", "pii", "repetition", "code", "boilerplate", "text"]
    assert [category.name for category in CATEGORIES if category.name in built_in] == built_in
    assert {"credentials", "pii"} <= {category.name for category in CATEGORIES if category.harmful}
    assert CATEGORIES[-1].name == "text"  # it always holds
    assert one(LETTER + KEY)["category"] == "credentials"
    assert one(LETTER + LICENCE)["category"] == "pii"
    counting_code = "\n".join(f"    self.cells[{n}] = table.get({n});" for n in range(12))
    row = one(counting_code)
    assert (row["category"], row["repetition_kind"]) == ("repetition", "incrementing")
    assert row["code_probability"] > 0.5  # the evidence of code stays
    assert one("All rights reserved.\n" * 12)["category"] == "repetition"


def test_evidence_stays_when_another_category_wins() -> None:
    row = one(LETTER + KEY)
    assert row["has_pii"] and "PHONE" in row["pii_types"]
    assert row["has_credentials"] and row["credential_types"] == ["PRIVATE_KEY"]


def test_attribution_is_evidence_but_not_harmful() -> None:
    row = one(HEADER)
    assert (row["category"], row["is_harmful"]) == ("boilerplate", False)
    assert row["has_pii"] and row["licence_context"] and "EMAIL" in row["pii_types"]
    asked = one(HEADER, include_attribution=True)
    assert (asked["category"], asked["is_harmful"], asked["licence_context"]) == ("pii", True, True)


def test_duplicates_are_evidence_only() -> None:
    columns = label([PROSE, PROSE, PROSE, LETTER], duplicates=np.array([5, 6, -1, 5000]))
    assert columns["highly_duplicated"] == [False, True, None, True]
    assert columns["category"] == ["text", "text", "text", "pii"]
    with pytest.raises(ValueError, match="2 texts but 1 duplicate"):
        label([PROSE, CODE], duplicates=np.array([1]))


def test_why_never_quotes_the_text() -> None:
    for text in (KEY, LETTER, CODE, COUNTER, LICENCE, HEADER):
        why = str(one(text)["why"])
        assert why
        for secret in ("Ottilie", "Vantreight", "Quell", "7719", "MIIE", "barnaby", "shape"):
            assert secret not in why


def test_columns_are_the_ones_described_and_fit_arrow() -> None:
    texts = [KEY, LETTER, CODE, COUNTER, LICENCE, PROSE, HEADER, ""]
    columns = label(texts)
    assert list(columns) == [column.name for column in EVIDENCE_COLUMNS]
    span = pa.struct(
        [
            ("type", pa.string()),
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("score", pa.float32()),
            ("why", pa.string()),
        ]
    )
    types = {
        "bool": pa.bool_(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "float32": pa.float32(),
        "string": pa.string(),
        "list<string>": pa.list_(pa.string()),
        "list<struct<type:string,start:int32,end:int32,score:float32,why:string>>": pa.list_(span),
    }
    for column in EVIDENCE_COLUMNS:
        assert len(pa.array(columns[column.name], type=types[column.type])) == len(texts)


def test_spans_point_into_the_text() -> None:
    row = one(LETTER)
    found = {(span["type"], LETTER[span["start"] : span["end"]]) for span in row["pii"]}
    assert ("PHONE", "+1 312 482 7719") in found
    assert ("PERSON", "Ottilie Vantreight") in found
    assert ("PERSON", "Barnaby Quell") in found


@pytest.mark.parametrize(
    "text",
    [
        "\0" * 100,
        "a\0b@c.org\0",
        "\ud83d lone \udc00 surrogates@\ud800.org 212-482-7719",
        "@" * 5000,
        "a" * 1_000_000,
        "a@" * 100_000,
        "1" * 100_000,
        "12 " * 50_000,
        "A" * 100_000,
        "Aa " * 100_000,
        "-" * 200_000,
        "KEY-----" + "A\n" * 50_000,
        "password=" * 20_000,
        "(" * 100_000,
        "eyJ" * 50_000,
        " \n" * 100_000,
        "१२३ ४५६ ७८९० ²³²³²³²³²³²³²³²³",
    ],
    ids=range(17),
)
def test_degenerate_texts_do_not_crash_or_stall(text: str) -> None:
    columns = label([text])
    assert len(columns["category"]) == 1
    for span in columns["pii"][0] + columns["credentials"][0]:
        assert 0 <= span["start"] < span["end"] <= len(text)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(alphabet=st.characters(), max_size=60),
            st.text(alphabet="aB1@.-+():=/\"' \n<>_$0xAKIA", max_size=80),
            st.sampled_from([KEY, LETTER, CODE, HEADER, "From: ", "Dear ", "+1 212 ", "://u:p@h", "\ud800"]),
        ),
        max_size=6,
    )
)
def test_any_text_gets_a_label_and_valid_spans(pieces: list[str]) -> None:
    text = "".join(pieces)
    row = one(text)
    assert row["category"] in {category.name for category in CATEGORIES}
    for spans in (row["pii"], row["credentials"]):
        ends = 0
        for span in spans:
            assert ends <= span["start"] < span["end"] <= len(text)
            assert 0 < span["score"] <= 1
            ends = span["end"]


def test_a_row_does_not_depend_on_its_batch() -> None:
    texts = [KEY, LETTER, CODE, COUNTER, LICENCE, PROSE, HEADER, ""]
    together = label(texts)
    for index, text in enumerate(texts):
        alone = label([text])
        for name in together:
            assert alone[name][0] == together[name][index], name


def test_empty_batch() -> None:
    assert all(len(values) == 0 for values in label([]).values())
