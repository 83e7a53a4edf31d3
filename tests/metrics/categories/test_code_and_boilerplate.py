"""Code against prose, licences and templates against both."""

from __future__ import annotations

import csv
import math
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.categories.boilerplate import CATEGORY as BOILERPLATE
from metrics.categories.boilerplate import THRESHOLD, template_counts, template_phrases
from metrics.categories.code import CATEGORY as CODE
from metrics.categories.code import GRAMS, SYMBOLS, code_probability, gram, grams, weights
from metrics.categories.code import THRESHOLD as CODE_THRESHOLD
from metrics.categories.evidence import Category, Rows
from metrics.categories.licence import is_licence, licence_evidence, licence_phrases

CODE_TEXTS = [
    "for (size_t i = 0; i < n; ++i) {\n    total += weights[i] * values[i];\n}\nreturn total;\n",
    "    @property\n    def area(self):\n        return self.width * self.height\n\n    def scale(self, by):\n",
    ".menu > li { float: left; margin: 0 4px; }\n.menu a:hover { color: #c00; }\n",
    '<div class="row"><span id="total">0</span></div>\n<script src="/js/cart.js"></script>\n',
    "SELECT o.id, SUM(l.price) FROM orders o JOIN lines l ON l.order_id = o.id GROUP BY o.id;\n",
    "\\usepackage{amsmath}\n\\begin{equation}\n  f(x) = \\frac{1}{x^2}\n\\end{equation}\n",
    "Traceback (most recent call last):\n  File \"/srv/run.py\", line 31, in main\n    load(path)\nKeyError: 'size'\n",
    "package store import com.acme.store.Item; public class Shelf { private final int size; Shelf(int size) { this.",
    "0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,\n0x02, 0x03, 0xa5, 0x57, 0x4b, 0x6f, 0xdb, 0x38,\n",
]
PROSE = [
    "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill.",
    "Returns the sum of all weights. If the list is empty, the result is zero; negative weights are not allowed here.",
    "Q. What did you see? A. Nothing, sir, but the lamp, and (as I said) the open door at the end of the corridor.",
    "THIS LIBRARY IS PROVIDED BY THE HOLDERS AND ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED IN FULL.",
    "Item 1 of 12\nItem 2 of 12\nItem 3 of 12\nItem 4 of 12\nItem 5 of 12\n",
    "The keeper wrote to the <i>Gazette</i> again in May; nobody answered, and the lamp was lit a week late.<br>",
    "Hale v. Northern Mills, 212 F.2d 404, 409 (8th Cir. 1954); see also § 12(b)(2). The verdict is set aside.",
    "/*\n * The table is filled from the left. A slot that is free holds nothing, and\n * is skipped.\n */\n",
]
LICENCES = [
    " * Redistributions of source code must retain the above\n * notice, and the list of\n",
    "the Licensee may distribute the covered work under the terms of section 4, provided that the recipients receive",
    "# Licensed under the Apache License; you may not use this file except in compliance",
    "If you distribute any portion of the software, you must retain all copyright, patent and attribution notices",
]
TEMPLATES = [
    "This site uses cookies. By going on you accept our privacy policy and the terms of use.",
    "You cannot post new topics in this forum\nYou cannot reply to topics in this forum\n",
    "If you are not the intended recipient, please notify the sender and delete the message at once.",
    "Reader comments stay open for a week. Profanity is removed.",  # two weak phrases
]
HOSTILE = ["a " * 500_000, "(" * 1_000_000, "\0" * 1_000_000, "\u202e" * 300_000, "\ud800" * 300_000, "a" * 1_000_000]


def holds(category: Category, text: str) -> bool:
    return bool(category.find(Rows([text], [-1])).holds[0])


@pytest.mark.parametrize("text", CODE_TEXTS)
def test_code(text: str) -> None:
    assert holds(CODE, text)
    assert holds(CODE, text.replace("\n", " "))


@pytest.mark.parametrize("text", [*PROSE, *LICENCES, *TEMPLATES])
def test_not_code(text: str) -> None:
    assert not holds(CODE, text)


@pytest.mark.parametrize("text", [*LICENCES, *TEMPLATES])
def test_boilerplate(text: str) -> None:
    assert holds(BOILERPLATE, text)


@pytest.mark.parametrize(
    "text",
    [
        *(PROSE[index] for index in (0, 1, 2, 4, 5, 6, 7)),
        *CODE_TEXTS,
        "She was granted a pension by the court, and lived on it for years.",
        "The newsletter of the chess club came out in June.",  # one weak phrase
    ],
)
def test_not_boilerplate(text: str) -> None:
    assert not holds(BOILERPLATE, text)


def test_a_reason_is_given_where_the_evidence_holds_and_quotes_nothing() -> None:
    for category, text in ((CODE, CODE_TEXTS[0]), (BOILERPLATE, LICENCES[0])):
        found = category.find(Rows([text, PROSE[0]], [-1, -1]))
        assert [bool(why) for why in found.why] == [True, False]
        assert not any(word in found.why[0] for word in ("total", "Redistributions"))
    assert BOILERPLATE.find(Rows(["x"] * 3, [-1, 5, 6])).columns["highly_duplicated"] == [None, False, True]


def test_grams_by_hand() -> None:
    text = "aB1;;;;\n"  # symbols a A 0 ; ; \n as the third and fourth semicolon repeat the second
    rows, which, values = grams(["", text])
    found = {gram_: value for row, gram_, value in zip(rows, which, values, strict=True) if row == 1}
    names = ("a", "A", "0", "\n", "aA", "A0", "0;", ";;", ";\n")
    assert set(found) == {gram(name) for name in (*names, ";")}
    assert 0 not in rows
    for name in names:
        assert found[gram(name)] == pytest.approx(math.sqrt(1 / 6))
    assert found[gram(";")] == pytest.approx(math.sqrt(2 / 6))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(alphabet=st.characters(codec=None) | st.sampled_from("ab({;\n\t Z9é"), max_size=40), max_size=4)
)
def test_grams_as_a_loop_finds_them(texts: list[str]) -> None:
    def symbol(byte: int) -> str:
        character = chr(byte)
        if byte >= 128:
            return "é"
        if character == "\n" or "!" <= character <= "~":
            return "A" if character.isupper() else "0" if character.isdigit() else character
        return " " if character in " \t\r" else "\0"

    expected = {}
    for row, text in enumerate(texts):
        symbols = [symbol(byte) for byte in text.encode("utf-8", "surrogatepass")]
        kept = [
            one
            for index, one in enumerate(symbols)
            if not (index > 1 and one not in SYMBOLS[:28] and symbols[index - 2 : index] == [one, one])
        ]
        for name in (*kept, *map("".join, pairwise(kept))):
            expected[row, gram(name)] = math.sqrt(
                sum(name == "".join(kept[i : i + len(name)]) for i in range(len(kept) - len(name) + 1)) / len(kept)
            )
    rows, which, values = grams(texts)
    assert dict(zip(zip(rows.tolist(), which.tolist(), strict=True), values, strict=True)) == pytest.approx(expected)


def test_probability_is_the_logistic_of_the_weighted_grams() -> None:
    bias, table = weights()
    assert table.shape == (GRAMS,)
    for text in (CODE_TEXTS[0], PROSE[0]):
        _, which, values = grams([text])
        assert code_probability([text])[0] == pytest.approx(1 / (1 + math.exp(-bias - float(table[which] @ values))))
    assert code_probability(["", " \n"]).tolist() == [0.0, 0.0]
    assert code_probability([]).shape == (0,)


def licences(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return licence_evidence(*licence_phrases().found(texts), len(texts))


def templates(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    return template_counts(*template_phrases().found(texts), len(texts))


def test_a_row_has_the_same_evidence_alone_and_in_a_batch() -> None:
    texts = [*CODE_TEXTS, "", *PROSE, *LICENCES, *TEMPLATES] * 40  # several chunks
    for scores in (code_probability, lambda batch: licences(batch)[0], lambda batch: templates(batch)[0]):
        alone = np.array([scores([text])[0] for text in texts[:26]])
        np.testing.assert_allclose(scores(texts)[-26:], alone, rtol=1e-12)


def test_a_notice_alone_is_no_licence() -> None:
    probability, phrases = licences(["Copyright (c) 1999 Example Mills", "Licensed under the MIT License", "No."])
    assert probability[2] < 0.1 < 0.3 < probability[0] < THRESHOLD < probability[1]
    assert phrases.tolist() == [0, 2, 0]


def test_is_licence_needs_two_phrases() -> None:
    assert is_licence("// Copyright © 1999 Example Mills\n// All rights reserved.")
    assert not is_licence("Copyright (c) 1999 Example Mills")


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_rows_cost_next_to_nothing(number: int) -> None:
    rows = Rows([HOSTILE[number]], [-1])
    for category in (CODE, BOILERPLATE):
        category.find(rows)
        begin = time.process_time()
        category.find(rows)
        assert time.process_time() - begin < 0.1  # seconds for 1 MB; a row of 200 characters takes 0.00001


def test_on_real_rows(shared_data: Path) -> None:
    def f1(said: np.ndarray, truth: np.ndarray) -> float:
        return float(2 * (said & truth).sum() / (said.sum() + truth.sum()))

    with (shared_data / "code_vs_nl.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"] != "#ERROR!"]
    said = code_probability([row["text"] for row in rows]) >= CODE_THRESHOLD
    assert f1(said, np.array([row["is_code"] == "1" for row in rows])) >= 0.94
    with (shared_data / "pythia70m_labelled.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"] != "#ERROR!"]
    licence = np.array(["license" in row["note"] for row in rows])
    said = licences([row["text"] for row in rows])[0] >= THRESHOLD
    assert f1(said, licence) >= 0.975
    asked = [row["category"] in {"code", "nl"} or is_one for row, is_one in zip(rows, licence, strict=True)]
    rows = [row for row, is_asked in zip(rows, asked, strict=True) if is_asked]
    said = code_probability([row["text"] for row in rows]) >= CODE_THRESHOLD
    assert f1(said, np.array([row["category"] == "code" for row in rows])) >= 0.975
