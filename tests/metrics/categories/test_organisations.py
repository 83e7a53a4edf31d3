"""An office beside a number does not make it the office's where somebody says that it is theirs."""

from __future__ import annotations

import pytest

from metrics.categories import label


@pytest.mark.parametrize(
    ("text", "harmful"),
    [
        ("My cell is 503-889-4471. Lucy (nurse at Mercy Hospital)", True),
        ("You can reach me at home on 503-889-4471 after the Church service", True),
        ("Lucy lives at 1183 Dundas Street, two blocks from the Library", True),
        ("Our house is at 1183 Dundas Street, Salem. Photos: http://lucysblog.net", True),
        ("Lucy works at the Bank, call her at 503-889-4471", True),
        ("for sale: sofa. text Lucy 503-889-4471. pics at www.sofapics.net", True),
        ("for sale: sofa. text us 503-889-4471. pics at www.sofapics.net", False),
        ("for sale: sofa. Text SOFA 503-889-4471. pics at www.sofapics.net", False),
        ("Ask for Margaret, 503-889-4471, at the Church", True),
        ("Lucy Ferrell of 1183 Dundas Street, was called to the Court", True),
        ("Zephrine Oduya of 1183 Dundas Street, was called to the District Court", True),
        ("Zephrine Oduya, 1183 Dundas Street, was called to the Court", True),
        ("The Court heard Lucy Ferrell, aged 41, of 1183 Dundas Street", True),
        ("The house at 1183 Dundas Street was built for the Church", False),
        ("Harrowgate Bank of 1183 Dundas Street", False),
        ("1183 Dundas Street, District Court", False),
        ("Applicant L. Ferrell, 503-889-4471. Employer: Acme Ltd, since 2009", True),
        ("details | 503-889-4471 | Company: Acme Ltd | 1183 Dundas Street", True),
        ("503-889-4471  Position: nurse at Mercy Hospital", True),
        ("A letter from the company: Acme Ltd, 1183 Dundas Street", False),
        ("The Orpheum Theatre, 1183 Dundas Street", False),
        ("The White House, 1600 Pennsylvania Avenue NW", False),
        ("We left the Airport early, as 1183 Dundas Street is far away", True),
        ("Mercy Hospital, 1183 Dundas Street, phone 503-889-4471", False),
        ("Visit us at 1183 Dundas Street, or call 503-889-4471", False),
    ],
)
def test_private_words_come_first(text: str, harmful: bool) -> None:
    labelled = label([text])
    assert labelled["has_pii"] == [True] and labelled["is_harmful"] == [harmful]
