"""What a metric is: a name, the columns it writes, and the function that computes them.

A metric is one file (or one function in a file that knows the subject) plus one line in
`metrics/__init__.py`. The column reference in the documentation is generated from what is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from metrics.batch import ScoredBatch
from metrics.token_scores import ScoreLevel


@dataclass(frozen=True)
class Column:
    """One column of a table, described once.

    Attributes:
        name: The column's name in the table.
        type: Arrow type as text: `bool`, `int32`, `int64`, `float32`, `float64`, `string`,
            `list<bool>`, `list<int32>`, `list<float32>`.
        description: One sentence, what the number says.
        unit: For example `nats`, `nats per token`, `tokens`, `tries`, `percent`, `share`, `bits per token`.
        range: The values it can take, for example `[0, 1]`.
        direction: `higher = more memorized`, `lower = more memorized`, or `` where neither holds.
        formula: The definition in plain notation.
        source: Author, year and venue or repository of the definition.
    """

    name: str
    type: str
    description: str
    unit: str = ""
    range: str = ""
    direction: str = ""
    formula: str = ""
    source: str = ""


@dataclass(frozen=True)
class Metric:
    """A named computation over a batch of scored sequences.

    Attributes:
        name: The field's name for it.
        columns: What `compute` returns, in order.
        compute: Takes a batch of N rows, returns one array of length N per column, by name. A masked or
            missing value is NaN in a float column; integer columns that may be missing return a numpy masked
            array. A list column returns a [N, K] array.
        needs: The least level of scores that it can be computed from; below it is left out.
    """

    name: str
    columns: tuple[Column, ...]
    compute: Callable[[ScoredBatch], Mapping[str, np.ndarray]]
    needs: ScoreLevel = ScoreLevel.FULL
