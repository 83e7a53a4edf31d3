"""A user's mistake: one message that says what was found, what was expected, and what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """The input, or an option naming it, cannot be used. The message holds no row's content."""


def did_you_mean(name: str, available: Iterable[str]) -> str:
    """Names the nearest of what is available, then all of it.

    Args:
        name: What was asked for.
        available: What there is.

    Returns:
        For example `Did you mean 'Tokens'? Available: 'Index', 'Tokens'.`; long lists and names are cut.
    """
    names = list(dict.fromkeys(available))
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    hint = f"Did you mean {shown(folded[near[0]])}? " if near else ""
    listed = ", ".join(shown(other) for other in names[:40]) + (", ..." if len(names) > 40 else "")
    return f"{hint}Available: {listed or 'nothing'}."


def shown(name: str) -> str:
    """A name in quotes, cut to 40 characters: without a header line, text stands where names should be."""
    return repr(name if len(name) <= 40 else name[:37] + "...")
