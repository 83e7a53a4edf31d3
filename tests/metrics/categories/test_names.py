"""Names in the places of letters where other things stand, too. All people are invented."""

from __future__ import annotations

import pytest

from metrics.categories.evidence import LIKELY
from metrics.categories.names import find_names


def likely(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_names(text) if span.score >= LIKELY]


@pytest.mark.parametrize(
    "text",
    [
        "Love, Simon is a film",
        "Thanks, Margaret will do it",
        "Best, Margaret and Simon were first",
        "Hi Siri",
        "Hey Siri!\nPlay it",
        "Hello Cortana,\n",
        "Hey Alexa,\nplay it",
        "Hey, Alexa!",
    ],
)
def test_nobodys(text: str) -> None:
    assert likely(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Love,\nSimon", "Simon"),
        ("Love, Simon", "Simon"),
        ("Love,\nSimon\nwrote this", "Simon"),
        ("Thanks, Margaret sent from my telephone", "Margaret"),
        ("Regards,\nMargaret on behalf of us all", "Margaret"),
        ("Hey Margaret,\n", "Margaret"),
        ("Hi Alexa,\n", "Alexa"),
        ("Dear Alexa,\n", "Alexa"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert likely(text) == [name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("See you there.\n\nKind regards\nMargaret Dunmore", "Margaret Dunmore"),
        ("Cheers\nMargaret\n", "Margaret"),
        ("Best wishes\n\nMargaret Dunmore\n12 May", "Margaret Dunmore"),
    ],
)
def test_a_closing_without_a_comma(text: str, name: str) -> None:
    assert [text[span.start : span.end] for span in find_names(text) if span.score >= 0.5] == [name]


@pytest.mark.parametrize("text", ["Cheers\nEveryone was glad", "Regards\nThe Team", "Cheers\nMargaret was glad"])
def test_no_name_below_such_a_closing(text: str) -> None:
    assert [span for span in find_names(text) if span.score >= 0.5] == []
