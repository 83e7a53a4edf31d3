"""Counters: numbers that stand at like places and grow by a constant step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter, sub
from typing import NamedTuple

from metrics.categories.repetition_lexer import LETTER, NO_READINGS, NUMBER, Readings, Tokens

MIN_LINKS = 2  # steps of one size that make a chain: three numbers


class Counters(NamedTuple):
    """The counters of L tokens.

    Attributes:
        counted: Positions of the numbers that are the one before at their place plus the step of the place.
        step: The step of the place that counts most often; 0 if none counts.
    """

    counted: list[int]
    step: int


def find_counters(tokens: Tokens, copied: Sequence[bool]) -> Counters:
    """The numbers that continue an arithmetic chain at their place.

    Neighbours and not positions make a place (two tokens before, one after, numbers masked), so an extra line does not
    break a chain, and the columns of a table count on their own. Of the readings of a place (decimal, hexadecimal, ...)
    the one with the most equal steps counts.

    Args:
        tokens: The L tokens.
        copied: L booleans: the token only says again what was there; a place where all do is not looked at.
    """
    masks = tokens.masks
    padded = ("", "", *masks, "")
    places: dict[tuple[str, str, str], list[int]] = {}
    moving: dict[tuple[str, str, str], None] = {}
    for position, mask in enumerate(masks):
        if mask in (NUMBER, LETTER):
            place = (padded[position], padded[position + 1], padded[position + 3])
            known = places.setdefault(place, [])
            known.append(position)
            if not copied[position] and len(known) > 1:
                moving[place] = None
    counted: list[int] = []
    best_links, best_step = 0, 0
    for place in moving:
        if len(places[place]) > MIN_LINKS:
            links, step, reached = _chain(places[place], tokens.readings)
            counted += reached
            if links > best_links:
                best_links, best_step = links, step
    return Counters(counted, best_step)


def _chain(positions: list[int], readings: Sequence[Readings | None]) -> tuple[int, int, list[int]]:
    """The most regular reading of one place: how many steps are equal, their size, and the positions they reach."""
    decimals, *others, binaries, exponents = zip(
        *(readings[position] or NO_READINGS for position in positions), strict=True
    )
    best: tuple[int, int, list[int]] = (0, 0, [])
    # Where all are decimal numbers they are no hexadecimal ones, and binary ones only if all are. Binary ones and
    # powers of two alone show as steps of no single size.
    sure = None not in decimals
    if not sure:
        sequences = (decimals, *others, exponents)
    else:
        sequences = (decimals, exponents) if None in binaries else (decimals, binaries, exponents)
    for values in sequences:
        read, known = positions, values
        if None in values:
            if len(values) - values.count(None) <= MIN_LINKS:
                continue
            read = [position for position, value in zip(positions, values, strict=True) if value is not None]
            known = tuple(value for value in values if value is not None)
        steps = list(map(sub, known[1:], known))
        size = steps[0]
        links = steps.count(size)
        if links < len(steps) or not size:
            sizes = Counter(steps)
            del sizes[0]
            size, links = max(sizes.items(), key=itemgetter(1), default=(0, 0))
        if links >= MIN_LINKS and links > best[0]:
            best = links, size, [position for position, step in zip(read[1:], steps, strict=True) if step == size]
            if links == len(positions) - 1:
                break
    if sure and 2 * best[0] < len(positions):
        return max(best, _interleaved(positions, decimals))
    return best


def _interleaved(positions: list[int], values: Sequence[int]) -> tuple[int, int, list[int]]:
    """Two or three counters that take turns at one place (1, 100, 2, 99, 3, 98), if nothing disturbs them."""
    for turns in (2, 3):
        steps = list(map(sub, values[turns:], values))
        links = len(steps) - turns
        if links >= turns * MIN_LINKS and any(steps[:turns]) and steps[turns:] == steps[:-turns]:
            return len(steps), max(steps[:turns], key=abs), positions[turns:]
    return 0, 0, []
