"""Many lists of token ids of different lengths as flat arrays, and windows of equal length cut from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class TokenLists:
    """N lists of token ids, flat.

    Attributes:
        values: int64, all ids one after the other; 0 where null.
        nulls: bool, which of them are null.
        lengths: int64 [N].
    """

    def __init__(self, array: pa.LargeListArray) -> None:
        flat = array.flatten()
        self.nulls = flat.is_null().to_numpy(zero_copy_only=False)
        self.values = flat.fill_null(0).to_numpy(zero_copy_only=False)
        self.lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
        self._starts = np.cumsum(self.lengths) - self.lengths

    @classmethod
    def joined(cls, parts: Sequence[pa.LargeListArray]) -> TokenLists:
        """Row by row, one list after the other."""
        if len(parts) == 1:
            return cls(parts[0])
        rows = zip(*(part.to_pylist() for part in parts), strict=True)
        return cls(pa.array([[t for part in row for t in part or ()] for row in rows], pa.large_list(pa.int64())))

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and nulls [N, count] of the first ids; zero and not null where there are fewer."""
        return self._take(self._starts, count)

    def last(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and nulls [N, count] of the last ids; zero and not null where there are fewer."""
        return self._take(self._starts + self.lengths - count, count)

    def _take(self, starts: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        values = np.zeros((len(self.lengths), count), np.int64)
        nulls = np.zeros((len(self.lengths), count), bool)
        enough = self.lengths >= count
        positions = starts[enough, None] + np.arange(count)
        values[enough] = self.values[positions]
        nulls[enough] = self.nulls[positions]
        return values, nulls
