"""Numbers as people read them, against values written by hand."""

import math

import pytest

from reporting import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (1.0, "1.00"),
        (0.91234, "0.912"),
        (0.09349, "0.0935"),
        (0.9999, "1.00"),
        (12.0, "12.0"),
        (999.6, "1,000"),
        (1234.5, "1,230"),
        (-0.5, "-0.500"),
        (0.00001234, "1.23×10⁻⁵"),
        (3.2e9, "3.20×10⁹"),
        (math.inf, "∞"),
    ],
)
def test_number_has_at_most_three_significant_digits(value, shown):
    assert numbers.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "–"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.4107, "41.1 %"),
        (0.0001, "< 0.1 %"),
        (0.0005, "0.1 %"),
        (0.99999, "> 99.9 %"),
    ],
)
def test_percent_never_rounds_some_to_none_or_all(share, shown):
    assert numbers.percent(share) == shown


def test_interval_and_count():
    assert numbers.interval(0.0311, 0.0999) == "3.1–10.0 %"
    assert numbers.interval(None, None) == "–"
    assert numbers.count(1234567) == "1,234,567"
    assert numbers.count(None) == "–"


def test_log10_of_nats():
    assert numbers.log10_of_nats(-math.log(1000)) == "-3.0"
    assert numbers.log10_of_nats(-1e-9) == "-0.0" or numbers.log10_of_nats(-1e-9) == "0.0"
    assert numbers.log10_of_nats(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.42, "0.4 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (3780, "1 h 03 min"),
    ],
)
def test_duration(seconds, shown):
    assert numbers.duration(seconds) == shown


def test_parameters():
    assert [numbers.parameters(n) for n in (None, 12, 1_300_000, 2_775_208_960)] == [
        "–",
        "12",
        "1.3 M",
        "2.8 B",
    ]


@pytest.mark.parametrize(
    ("log_tries", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (-0.37, "1"),
        (math.log(2066), "2,066"),
        (math.log(9_999), "9,999"),
        (math.log(9_999.9), "10⁴"),
        (5000.0, "10²¹⁷¹"),
        (math.inf, "∞"),
    ],
)
def test_tries_beyond_any_float(log_tries, shown):
    assert numbers.tries(log_tries) == shown


def test_change_fraction_and_nats():
    assert [numbers.change(50, after) for after in (51, 49, 50.01, 49.99, None)] == [
        "+2.0 %",
        "-2.0 %",
        "0.0 %",
        "0.0 %",
        "–",
    ]
    assert numbers.change(None, 1) == numbers.change(0, 1) == "–"
    assert [numbers.fraction(value) for value in (0.98649, 0.0004, 1, None)] == ["0.986", "0.000", "1.000", "–"]
    assert [numbers.nats(value) for value in (-58.93, -0.01, None)] == ["-58.9", "0.0", "–"]
