"""Numbers as people read them: thousands separators, three significant digits, percent with one decimal."""

from __future__ import annotations

import math

MISSING = "–"
"""Stands where there is no number (a null in summary.json)."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: float | None) -> str:
    """A whole number with thousands separators.

    >>> count(1490)
    '1,490'
    """
    return MISSING if value is None else f"{round(value):,}"


def number(value: float | None) -> str:
    """Three significant digits; powers of ten below 1e-4 and from 1e6 on.

    >>> number(0.91234), number(1234.5), number(3.2e9)
    ('0.912', '1,230', '3.20×10⁹')
    """
    if value is None or math.isnan(value):
        return MISSING
    if value == 0:
        return "0"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = int(exponent)
    if not -4 <= power < 6:
        return f"{mantissa}×10{str(power).translate(_SUPERSCRIPTS)}"
    return f"{round(value, 2 - power):,.{max(0, 2 - power)}f}"


def fraction(value: float | None) -> str:
    """A score in [0, 1] with three decimals, so that a column of them lines up.

    >>> fraction(0.91234), fraction(0.003), fraction(1.0)
    ('0.912', '0.003', '1.000')
    """
    return MISSING if value is None or math.isnan(value) else f"{value:.3f}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as percent with one decimal; what is neither none nor all never reads as such.

    >>> percent(0.4107), percent(0.0001), percent(0.99999), percent(0.0)
    ('41.1 %', '< 0.1 %', '> 99.9 %', '0.0 %')
    """
    if share is None or math.isnan(share):
        return MISSING
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """An interval of shares in [0, 1] as percent.

    >>> interval(0.386, 0.4361)
    '38.6–43.6 %'
    """
    if low is None or high is None:
        return MISSING
    return f"{100 * low:.1f}–{100 * high:.1f} %"


def log10_of_nats(log_probability: float | None) -> str:
    """A natural logarithm as a logarithm to base 10, with one decimal.

    >>> log10_of_nats(-23.026)
    '-10.0'
    """
    if log_probability is None or math.isnan(log_probability):
        return MISSING
    return f"{log_probability / math.log(10) + 0.0:.1f}"


def nats(log_probability: float | None) -> str:
    """A natural logarithm with one decimal.

    >>> nats(-58.93), nats(-0.01)
    ('-58.9', '0.0')
    """
    if log_probability is None or math.isnan(log_probability):
        return MISSING
    shown = f"{log_probability:.1f}"
    return "0.0" if shown == "-0.0" else shown


def tries(log_tries: float | None) -> str:
    """A number of tries, from its natural logarithm since it may be larger than any float.

    >>> tries(0.0), tries(5.99), tries(30.0)
    ('1', '399', '10¹³')
    """
    if log_tries is None or math.isnan(log_tries):
        return MISSING
    if math.isinf(log_tries):
        return "∞" if log_tries > 0 else "1"
    if log_tries < math.log(9_999.5):
        return count(max(1.0, math.exp(log_tries)))
    return f"10{str(round(log_tries / math.log(10))).translate(_SUPERSCRIPTS)}"


def change(before: float | None, after: float | None) -> str:
    """How much larger a number became, in percent of what it was, with one decimal.

    >>> change(12.3, 12.4), change(12.3, 12.2), change(12.3, 12.3)
    ('+0.8 %', '-0.8 %', '0.0 %')
    """
    if before is None or after is None or not before:
        return MISSING
    shown = f"{100 * (after / before - 1):+.1f} %"
    return "0.0 %" if shown in ("+0.0 %", "-0.0 %") else shown


def duration(seconds: float | None) -> str:
    """Seconds as a person says them.

    >>> duration(0.42), duration(12.34), duration(125), duration(3780)
    ('0.4 s', '12.3 s', '2 min 05 s', '1 h 03 min')
    """
    if seconds is None:
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def parameters(value: float | None) -> str:
    """A number of model parameters.

    >>> parameters(1_300_000), parameters(2_775_208_960)
    ('1.3 M', '2.8 B')
    """
    if value is None:
        return MISSING
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return count(value)
