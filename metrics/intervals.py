"""Confidence intervals."""

from __future__ import annotations

import math


def wilson_interval(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    With s = successes / n: (s + z^2/2n -+ z sqrt(s(1-s)/n + z^2/4n^2)) / (1 + z^2/n). Unlike s -+ z
    sqrt(s(1-s)/n) it stays within [0, 1] and keeps its coverage where few or nearly all succeed, which is
    where extraction rates lie.

    Args:
        successes: In [0, n].
        n: Trials.
        z: Standard normal quantile; 1.96 is a 95 % interval.

    Returns:
        The lower and the upper bound, in [0, 1]; (0, 1) for n = 0, which tells nothing. Wilson 1927.

    Raises:
        ValueError: `successes` is not in [0, n].

    >>> [round(bound, 4) for bound in wilson_interval(81, 263)]
    [0.2553, 0.3662]
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}; expected a count between 0 and n")
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    centre = share + z * z / (2 * n)
    half_width = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the bound is 0 or 1 exactly; the formula misses that by a rounding error.
    low = 0.0 if successes == 0 else (centre - half_width) / scale
    high = 1.0 if successes == n else (centre + half_width) / scale
    return low, high
