"""Postal addresses, and what ends in a street's word and is none. All are invented, but for streets that all know."""

from __future__ import annotations

import pytest

from metrics.categories.addresses import find_addresses
from metrics.categories.evidence import LIKELY


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_addresses(text) if span.score >= LIKELY]


@pytest.mark.parametrize(
    "address",
    [
        "742 Evergreen Terrace",
        "12 High Street",
        "1600 Pennsylvania Avenue",
        "12 The Avenue",
        "7 Miller Court",
        "310 First Avenue",
        "1987 Willow Drive",
        "1987 Willow Drive, Apt 4",
        "1912 Maple Street",
        "812 Star Lane",
        "21 District Road",
        "4 Larkspur Place",
        "1994 The Way, Tolland, CT 06084",  # city and postcode leave no doubt
        "2009 Supreme Court, Tolland, CT 06084",
    ],
)
def test_found(address: str) -> None:
    assert found(f"she lives at {address}")[0] == address
    assert found(f"we met at {address} in the rain")[0] == address


@pytest.mark.parametrize(
    "text",
    [
        "the 2009 Supreme Court ruling",
        "2009 Supreme Court",
        "3 High Court judges, 12 District Court clerks",
        "5 Minute Drive",
        "10 Mile Trail",
        "90 Minute Drive from here",
        "4 Lane Highway",
        "5 Star Place",
        "1994 The Way",
        "In 1929 Wall Street fell",
        "since 1987 Willow Drive is closed",
        "April 1987 Willow Drive closed",
        "2008 Wall Street crash",
        "2 Hard Drive",
        "40 Flash Drive",
        "took 2 First Place",
    ],
)
def test_none(text: str) -> None:
    assert found(text) == []


def test_a_year_is_told_from_a_house_by_what_is_around_it() -> None:
    assert found("moved to 1929 Wall Street") == ["1929 Wall Street"]
    assert found("in 1929 Wall Street") == []
    assert found("in 1729 Wall Street") == ["1729 Wall Street"]  # few texts speak of it, and many houses have it
    assert found("in 1929 Wall Street, Apt 4") == ["1929 Wall Street, Apt 4"]
    assert found("1929 Wall Street and") == ["1929 Wall Street"]
    assert found("1929 Wall Street panic") == []


@pytest.mark.parametrize(
    "text",
    [
        "Heinrich-Heine-Straße 18, 40213 Düsseldorf",
        "Konrad-Adenauer-Str. 12, 53113 Bonn",
        "Karl-Marx-Allee 34, Berlin",
        "Lange Straße 5, 70173 Stuttgart",
        "1,Gladys Ferrell,1842 Willow Creek Rd,Boise,ID,83704",
    ],
)
def test_german_streets_and_records_with_commas(text: str) -> None:
    assert any(span.score >= 0.5 for span in find_addresses(text))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Tolland, CT 06084", False),
        ("in Tolland, CT 06084 it rained.", False),
        ("It rained for 12 days. Soon after Tolland, CT 06084 dried.", False),
        ("418 Mill, Tolland, CT 06084", True),
        ("418 St. Ann\nTolland, CT 06084", True),
        ("Larkspur Apt 4, Tolland, CT 06084", True),
    ],
)
def test_a_city_alone_is_a_place(text: str, address: bool) -> None:
    assert (found(text) == ["Tolland, CT 06084"]) == address
    assert [text[span.start : span.end] for span in find_addresses(text)] == ["Tolland, CT 06084"]


def test_a_rank_is_no_street() -> None:
    assert find_addresses("Auf Platz 3 kam Lucy.") == []
