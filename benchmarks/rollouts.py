"""Rollouts a second: batched sampling with a shared cache beside the one-by-one loop of the DeMem notebook.

The peer is what that notebook does: `generate` with sampling, one prefix at a time. Both run in one process, in turn,
on the embedded demo model: `python benchmarks/rollouts.py`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from data.demo_model import demo
from unlearning.demem.rollout import sample_continuations
from unlearning.policy import Policy

PREFIX, SUFFIX = 32, 32


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of `action`."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


@click.command()
@click.option("--rows", default=128, show_default=True, help="Rollouts a batch.")
@click.option("--loop-rows", default=16, show_default=True, help="Rollouts of the one-by-one loop in each round.")
@click.option("--rounds", default=5, show_default=True, help="Rounds; medians are shown.")
@click.option("--threads", default=1, show_default=True, help="Threads of torch.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
def main(rows: int, loop_rows: int, rounds: int, threads: int, device: str) -> None:
    """Prints sequences a second of both, and the ratio."""
    torch.set_num_threads(threads)
    built = demo()
    policy = Policy.load(str(built.model), device=device)
    tokens = np.stack(pq.read_table(built.sequences)["tokens"].to_numpy()).astype(np.int64)
    prefixes = torch.from_numpy(tokens[:rows, :PREFIX]).to(policy.device)
    generator = torch.Generator().manual_seed(0)

    def batched() -> None:
        sample_continuations(policy, prefixes, SUFFIX, 1.0, generator)

    def one_by_one() -> None:
        for row in prefixes[:loop_rows]:
            policy.network.generate(
                row[None],
                attention_mask=torch.ones_like(row[None]),
                do_sample=True,
                top_k=0,
                min_new_tokens=SUFFIX,
                max_new_tokens=SUFFIX,
                pad_token_id=0,
            )

    with torch.no_grad():
        batched(), one_by_one()  # warm
        times = [(timed(batched), timed(one_by_one)) for _ in range(rounds)]
    speeds = {
        name: [count / statistics.median(part[place][kind] for part in times) for kind in (0, 1)]
        for place, (name, count) in enumerate((("batched", rows), ("one by one", loop_rows)))
    }
    console = Console(width=100)
    console.print(machine())
    table = Table("rollouts of 32 + 32 tokens", "sequences/s (wall)", "sequences/s (CPU)", box=None)
    for name, (wall, cpu) in speeds.items():
        table.add_row(name, f"{wall:,.0f}", f"{cpu:,.0f}")
    ratios = [speeds["batched"][kind] / speeds["one by one"][kind] for kind in (0, 1)]
    table.add_row("ratio", *(f"{ratio:.1f}" for ratio in ratios))
    console.print(table)


if __name__ == "__main__":
    main()
