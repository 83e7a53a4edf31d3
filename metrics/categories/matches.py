"""Matches of a pattern up to a bound: what a match is then put through is costlier than finding it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

MOST = 64  # of one pattern in a text: a window has few, and a page with more of them is decided by the first


def first_matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The first `MOST` matches of a pattern in a text."""
    return islice(pattern.finditer(text), MOST)
