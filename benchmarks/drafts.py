"""Whether true tokens as drafts would save decoding steps: how often a continuation comes back to the true text.

    python benchmarks/drafts.py runs/RUN [runs/RUN ...]

Behind its first mismatch a greedy continuation may agree with the true suffix again. If it has agreed for some tokens,
the next true ones could be fed along with the current one, and accepted where they turn out right. For runs with full
scores, the table shows how many decoding steps there were, how many gave the true token, and how many of these came
right after 1, 2 or 4 true ones: the most that drafts tried from there on could save, before what rejected ones cost.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

AFTER = (1, 2, 4)


def steps(true: np.ndarray, greedy: np.ndarray) -> tuple[int, int, list[int]]:
    """Decoding steps of int [N, S] continuations, those that gave the true token, and those after 1, 2, 4 true ones.

    The token at the first mismatch needs no decoding, since the pass over the true text gives it.
    """
    right = true == greedy
    left = np.logical_or.accumulate(~right, axis=1)
    decoded = np.zeros_like(left)
    decoded[:, 1:] = left[:, :-1]
    again = right & decoded
    after = []
    for count in AFTER:
        ran = again.copy()
        for back in range(1, count + 1):
            ran[:, back:] &= again[:, :-back]
            ran[:, :back] = False
        after.append(int(ran.sum()))
    return int(decoded.sum()), int(again.sum()), after


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs with --scores full")
    table = Table("run", "rows", "decoding steps", "true again", *(f"after {count} true" for count in AFTER))
    for run in parser.parse_args().runs:
        scores = pq.read_table(run / "scores.parquet", columns=["sequence_id", "greedy_tokens"]).sort_by("sequence_id")
        rows = pq.read_table(run / "sequences.parquet", columns=["sequence_id", "tokens"]).sort_by("sequence_id")
        greedy, tokens = (np.stack(table.column(1).to_numpy()) for table in (scores, rows))
        decoded, again, after = steps(tokens[:, -greedy.shape[1] :], greedy)
        shares = (f"{number / max(1, decoded):.1%}" for number in (again, *after))
        table.add_row(run.name, f"{len(tokens):,}", f"{decoded:,}", *shares)
    Console(width=max(100, Console().width)).print(table)


if __name__ == "__main__":
    main()
