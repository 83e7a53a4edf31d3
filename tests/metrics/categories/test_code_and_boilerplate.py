"""Code against prose, licences and templates against both."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from metrics.categories import label
from metrics.categories.code import COEFFICIENTS, FEATURES, INTERCEPT, THRESHOLD, code_probability, statistics
from metrics.categories.licence import licence_score, plain

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"

CODE = [
    "for (size_t i = 0; i < n; ++i) {\n    total += weights[i] * values[i];\n}\nreturn total;\n",
    "    @property\n    def area(self):\n        return self.width * self.height\n\n    def scale(self, by):\n",
    ".menu > li { float: left; margin: 0 4px; }\n.menu a:hover { color: #c00; }\n",
    '<div class="row"><span id="total">0</span></div>\n<script src="/js/cart.js"></script>\n',
    "SELECT o.id, SUM(l.price) FROM orders o JOIN lines l ON l.order_id = o.id GROUP BY o.id;\n",
    "\\usepackage{amsmath}\n\\begin{equation}\n  f(x) = \\frac{1}{x^2}\n\\end{equation}\n",
]
PROSE = [
    "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill.",
    "Returns the sum of all weights. If the list is empty, the result is zero; negative weights are not allowed here.",
    "Q. What did you see? A. Nothing, sir, but the lamp, and (as I said) the open door at the end of the corridor.",
    "THIS LIBRARY IS PROVIDED BY THE HOLDERS AND ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED IN FULL.",
    "Item 1 of 12\nItem 2 of 12\nItem 3 of 12\nItem 4 of 12\nItem 5 of 12\n",
]
LICENCES = [
    " * Redistributions of source code must retain the above\n * notice, and the list of\n",
    "the Licensee may distribute the covered work under the terms of section 4, provided that the recipients receive",
    "# Licensed under the Apache License; you may not use this file except in compliance",
    "If you distribute any portion of the software, you must retain all copyright, patent and attribution notices",
]


@pytest.mark.parametrize("text", CODE)
def test_code(text: str) -> None:
    assert label([text])["category"] == ["code"]


@pytest.mark.parametrize("text", PROSE)
def test_not_code(text: str) -> None:
    assert label([text])["category"] != ["code"]


@pytest.mark.parametrize("text", LICENCES)
def test_licence(text: str) -> None:
    assert label([text])["category"] == ["boilerplate"]


@pytest.mark.parametrize(
    "text",
    [
        "This site uses cookies. By going on you accept our privacy policy and the terms of use.",
        "You cannot post new topics in this forum\nYou cannot reply to topics in this forum\n",
        "If you are not the intended recipient, please notify the sender and delete the message at once.",
    ],
)
def test_template(text: str) -> None:
    assert label([text])["category"] == ["boilerplate"]


@pytest.mark.parametrize(
    "text", [PROSE[0], PROSE[2], "She was granted a pension by the court, and lived on it for years."]
)
def test_not_boilerplate(text: str) -> None:
    assert label([text])["category"] == ["text"]


def test_statistics_by_hand() -> None:
    text = "if (a1) {\n"  # 10 bytes
    shares = dict(zip(FEATURES, statistics([text])[0] ** 2, strict=True))
    assert shares["letters"] == pytest.approx(0.3)
    assert shares["digits"] == pytest.approx(0.1)
    assert shares["line_breaks"] == pytest.approx(0.1)
    assert shares["other_space"] == pytest.approx(0.2)
    assert shares["brackets"] == pytest.approx(0.2)
    assert shares["braces_semicolons"] == pytest.approx(0.1)
    assert shares["keywords"] == pytest.approx(0.1)  # `if (`
    assert shares["code_line_ends"] == pytest.approx(0.1)
    assert shares["capitals"] == shares["quotes"] == 0


def test_probability_is_the_logistic_of_the_weighted_sum() -> None:
    features = statistics(CODE + PROSE)
    logit = INTERCEPT + features @ np.array([COEFFICIENTS[name] for name in FEATURES])
    np.testing.assert_allclose(code_probability(CODE + PROSE), 1 / (1 + np.exp(-logit)), rtol=1e-12)


def test_plain_removes_comment_leaders() -> None:
    assert plain("/*\n * The above\n *  Copyright\n */").strip() == "the above copyright"
    assert plain("# all rights\n# reserved").strip() == "all rights reserved"
    assert licence_score(plain("// all rights\n// reserved."))[1] == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="the real labelled rows (../shared/data) are not on this machine")
def test_on_real_rows() -> None:
    with (REAL / "code_vs_nl.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    truth = np.array([row["is_code"] == "1" for row in rows])
    said = code_probability([row["text"] for row in rows]) >= THRESHOLD
    assert 2 * (said & truth).sum() / (said.sum() + truth.sum()) >= 0.8
    with (REAL / "pythia70m_labelled.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"] != "#ERROR!"]
    columns = label([row["text"] for row in rows])
    for kind, name in (("incrementing", "pattern-incrementing"), ("repeating", "pattern-repeating")):
        memorized = [index for index, row in enumerate(rows) if row["memorized"] == "True"]
        truth = np.array([rows[index]["category"] == name for index in memorized])
        said = np.array([columns["repetition_kind"][index] == kind for index in memorized])
        assert 2 * (said & truth).sum() / (said.sum() + truth.sum()) >= 0.85
    licences = [index for index, row in enumerate(rows) if "license" in row["note"]]
    found = sum(
        columns["boilerplate_phrases"][index] > 0 or columns["licence_probability"][index] >= 0.9 for index in licences
    )
    assert found >= 0.95 * len(licences)
