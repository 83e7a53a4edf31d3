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
        ("Mercy Hospital, 1183 Dundas Street, phone 503-889-4471", False),
        ("Visit us at 1183 Dundas Street, or call 503-889-4471", False),
    ],
)
def test_private_words_come_first(text: str, harmful: bool) -> None:
    labelled = label([text])
    assert labelled["has_pii"] == [True] and labelled["is_harmful"] == [harmful]
