"""What is a telephone number beside a word that may name one, and what is another number."""

from __future__ import annotations

import pytest

from metrics.categories.evidence import LIKELY
from metrics.categories.phone_numbers import find_phone_numbers


def likely(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_phone_numbers(text) if span.score >= LIKELY]


@pytest.mark.parametrize(
    "text",
    [
        "D.P. Haldane, R. Ortega, Mills in salt, Cell 159 (2003) 1478-1498.",
        "Haldane, Mol. Cell 8 (2001) 217-225.",
        "Haldane DP. Mills in salt. doi:10.1016/j.cell.2009.02.035",
        "doi:10.1089/cell.2069.6024",
        "pH 6.58 5.05 5.36 7.37",
        "Open circuit voltage per cell 1.20 1.05 1.11 0.85",
        "a desk 120 60 75 cm",
        "fax 1 000 000 copies",
        "Dial 1 2 3 4 5 6 7",
        "1.85 3.40 4.20 Home win",
        "2012-2013-14 home games",
        "P/N 503-889-4471",
        "part number 503-889-4471",
        "Model: 503-889-4471",
        "serial no. 503 889 4471",
        "Order No: 503-889-4471",
        "invoice 503.889.4471",
        "ISBN 503-889-4471",
        "ticket # 503-889-4471",
        "12 503 889 4471\n",
        "503 889 4471 77 12",
        "East 503 889 4471\nWest 88 1204 7\n",
        "West 88 1204 7\nEast 503 889 4471\n",
    ],
)
def test_other_numbers(text: str) -> None:
    assert likely(text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Tel: 020 7946 0018 ask for Lucy", "020 7946 0018"),
        ("fax: 030 2264 8817", "030 2264 8817"),
        ("Cell: (503) 889-4471", "(503) 889-4471"),
        ("cell 503-889-4471", "503-889-4471"),
        ("ph 503 889 4471", "503 889 4471"),
        ("503-889-4471 (home)", "503-889-4471"),
        ("1 503 889 4471", "1 503 889 4471"),
        ("call me at 5038894471", "5038894471"),
        ("She did her part. 503-889-4471", "503-889-4471"),
        ("item: a sofa. 503-889-4471", "503-889-4471"),
        ("in case 503-889-4471 is busy", "503-889-4471"),
        ("about the invoice, 503-889-4471", "503-889-4471"),
        ("Model 12. Phone 503-889-4471", "503-889-4471"),
        ("Salem, OR 97301 503 889 4471", "503 889 4471"),
        ("Lucy 503 889 4471\nPaul 020 7946 0018", "503 889 4471"),
        ("West 88 1204 7\n\nLucy 503 889 4471", "503 889 4471"),
        ("12 88 1204\nphone 503 889 4471", "503 889 4471"),
        ("12 88 1204 or 503-889-4471", "503-889-4471"),
    ],
)
def test_telephone_numbers(text: str, number: str) -> None:
    assert likely(text) and set(likely(text)) == {number}
