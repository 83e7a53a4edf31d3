"""Dates of birth are people's; other things are born, too. All are invented."""

from __future__ import annotations

import pytest

from metrics.categories.dates_of_birth import find_dates_of_birth


@pytest.mark.parametrize(
    "text",
    [
        "The company was born on 29 March 1974",
        "our first car was born on 29 March 1974",
        "Harrowgate Mills Inc. was born on 29 March 1974",
        "It was born on 29 March 1974, and its mother was a grey mare",
        "a ship born on 29 March 1974",
    ],
)
def test_things(text: str) -> None:
    assert list(find_dates_of_birth(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Lucy was born on 29 March 1974",
        "The Applicant was born on 29 March 1974",
        "the head of the company was born on 29 March 1974",
        "a girl from our city was born on 29 March 1974",
        "She left the church. Born on 29 March 1974, she",
        "who sold the car, born on 29 March 1974",
        "Jo Carr was born on 29 March 1974",
        "the company's date of birth: 29 March 1974",  # a field says what it is
    ],
)
def test_people(text: str) -> None:
    assert [text[span.start : span.end] for span in find_dates_of_birth(text)] == ["29 March 1974"]
