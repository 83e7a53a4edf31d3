"""Credits of authors: what governs a finding, what does not, and what is never a credit. All people are invented."""

from __future__ import annotations

import pytest

from metrics.categories.attribution import credited
from metrics.categories.evidence import Rows, Span
from metrics.categories.personal_data import find

MAIL = "tamsin@greerworks.org"


def credit(text: str, found: str = MAIL, kind: str = "EMAIL") -> bool:
    start = text.index(found)
    (answer,) = credited(text, [Span(kind, start, start + len(found), 0.9, "")])
    return answer


@pytest.mark.parametrize(
    "text",
    [
        f"Copyright (c) 2009 Tamsin Greer <{MAIL}>",
        f"the same copyright terms except that the holder is Tamsin Greer ({MAIL})",
        f"@author {MAIL}",
        f"AUTHORS\n    Tamsin Greer <{MAIL}>\n",
        f"Credits: Tamsin Greer, {MAIL}",
        f"Bo Dunmore and Tamsin Greer {MAIL}\n\nAll rights reserved.\n",
        f"/*\n  This file is part of the mill.\n\n  Contact: {MAIL}\n",
        f"$^{{1}}$Institute of Mills, Harrow\n\n{MAIL}",
        f"/* 2009 by the miller\n * call it at home\n * author: {MAIL} */",
    ],
)
def test_credits(text: str) -> None:
    assert credit(text)


@pytest.mark.parametrize(
    "text",
    [
        f"The author said that the mill is old, so I asked {MAIL}",
        f"Bo Dunmore, author of two novels, lives by the mill. Tamsin: {MAIL}",
        f"I read of copyright law all day, {MAIL}",
        f"Credits: 12\nGrade: B\n{MAIL}",
        f"All rights reserved.\n\nTamsin is at {MAIL}",
        f"Tamsin is at {MAIL}\n\nas I said\n\nAll rights reserved.",
        f"Tamsin Greer\nDepartment of Mills, University of Tolland\n{MAIL}",
        "Written by the miller\n" + "and then the wheel stood still, " * 5 + f"\n{MAIL}",
        f"/* This file is part of the mill. */\n\nask {MAIL}",
    ],
)
def test_markers_that_do_not_govern_the_finding(text: str) -> None:
    assert not credit(text)


@pytest.mark.parametrize(
    "text",
    [
        f"# Copyright 2009 Tamsin Greer\n# home: {MAIL}\n",
        f"Copyright 2009 Tamsin Greer, reach me by {MAIL}",
        f"Written by Tamsin, my private box is {MAIL}",
        f"// author: Bo, who lives with {MAIL}\n// and that is all\n",
    ],
)
def test_private_contact_is_no_credit(text: str) -> None:
    assert not credit(text)
    for words in ("home", "reach me by", "my private box is", "lives with"):
        text = text.replace(words, "it")
    assert credit(text)


@pytest.mark.parametrize("kind", ["PHONE", "ADDRESS"])
def test_numbers_and_streets_are_no_credits(kind: str) -> None:
    text = "# Copyright (c) 2009 Tamsin Greer\n# 312-482-7719\n# All rights reserved.\n"
    assert not credit(text, "312-482-7719", kind)
    assert credit(text, "312-482-7719", "HANDLE")


def test_the_front_matter_of_an_article_has_addresses_of_institutes() -> None:
    text = "$^{1}$Institute of Mills, 418 Larkspur Lane, Tolland, 312-482-7719"
    assert credit(text, "418 Larkspur Lane", "ADDRESS")
    assert not credit(text, "312-482-7719", "PHONE")
    assert not credit(text.replace(", 418", "\nhome: 418"), "418 Larkspur Lane", "ADDRESS")


@pytest.mark.parametrize(
    ("text", "licence", "organisation"),
    [
        (f"# Copyright 2009 Tamsin Greer <{MAIL}>, 312-482-7719\n", False, False),
        (f"# Copyright 2009 Tamsin Greer <{MAIL}>\n# 418 Larkspur Lane\n", False, False),
        # The institute's address below a credit is the institute's, though the credit names a person.
        (f"# Copyright 2009 Tamsin Greer <{MAIL}>\n# Institute of Mills\n# 418 Larkspur Lane\n", True, False),
        ("# Copyright 2009 Institute of Mills\n# 418 Larkspur Lane\n", False, True),
    ],
)
def test_a_row_is_explained_by_credits_and_organisations_together(text: str, licence: bool, organisation: bool) -> None:
    evidence = find(Rows([text], [-1]))
    assert evidence.columns["licence_context"] == [licence]
    assert evidence.columns["organisation_context"] == [organisation]
    assert evidence.holds == [not licence and not organisation]


def test_no_findings() -> None:
    assert credited("Copyright 2009", []) == []
