"""Network addresses, and the versions of programs that look like them."""

from __future__ import annotations

import pytest

from metrics.categories.evidence import LIKELY
from metrics.categories.network_addresses import find_network_addresses


def likely(text: str) -> list[str]:
    return [text[span.start : span.end] for span in find_network_addresses(text) if span.score >= LIKELY]


@pytest.mark.parametrize(
    "text",
    [
        "updated from 12.30.44.18 to 12.31.2.5",
        "We upgraded the driver to 12.30.44.18 today",
        "the patch brings the mill from 12.30.44.18 to 12.31.20.51",
        "Build 12.30.44.18",
        "build no. 12.30.44.18",
        "sections 12.30.44.18",
    ],
)
def test_versions(text: str) -> None:
    assert likely(text) == []


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("connection from 81.93.212.77", "81.93.212.77"),
        ("login from 12.30.44.18 failed", "12.30.44.18"),
        ("we updated the DNS record from 12.30.44.18", "12.30.44.18"),
        ("her IP address: updated to 12.30.44.18, was the address", "12.30.44.18"),
        ("the update came from 81.93.212.77", "81.93.212.77"),  # versions do not go so far
        ("We upgraded today.\nA client at 12.30.44.18 failed", "12.30.44.18"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert likely(text) == [address]
