"""What it costs to score all sequences of the Pile with each Pythia model, from rates measured here.

    python benchmarks/pile_cost.py [--rows 128] [--repeats 3] [--gpu-rate 67] [--gpu-share 0.5]

Measured, on one core: sequences a second of `score` on untrained models of the shapes 14m and 70m, 32 + 32 tokens, of
which 5 % are recited; once for the label only, once for every score but EL_10. From these, and the operations that a
sequence takes, the operations a second that are reached. Calculated: core-hours of the other shapes, at the rate of 14m
for those below 70m and at the rate of 70m for the others, whose larger matrices are no slower. GPU-hours are not
measured: they are the same operations at a share of a card's matrix rate, both assumed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import PreTrainedModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from benchmarks.matrix_rate import matrix_rate
from benchmarks.shapes import SHAPES, Shape, untrained
from metrics.forward_pass import score
from metrics.packed_linear import pack_linears
from metrics.token_scores import ScoreLevel

PILE = 143_000 * 1_024  # steps of the training of every Pythia model, and sequences a step
PREFIX, SUFFIX = 32, 32
RECITED = 0.05
MEASURED = ("14m", "70m")
LEVELS = (ScoreLevel.EXTRACTABLE, ScoreLevel.FULL)


def operations(shape: Shape, level: ScoreLevel) -> float:
    """Floating-point operations that one sequence takes, a multiplication and an addition counted as two.

    Every score: body and head read all tokens but the last, and what is not recited is decoded from its first mismatch
    on. The label alone: the body reads the prefix, with less of the last layer, and the head its last position; a
    recited row is read to its end.
    """
    whole = PREFIX + SUFFIX - 1
    if level == ScoreLevel.FULL:
        read = looked_at = whole + (1 - RECITED) * (SUFFIX - 1)
        spared = 0
    else:
        read, looked_at = PREFIX + RECITED * (SUFFIX - 1), 1 + RECITED * (SUFFIX - 1)
        spared = PREFIX - 1
    return shape.operations(read, looked_at, whole, spared)


def sequences(model: PreTrainedModel, rows: int) -> np.ndarray:
    """Random tokens, int [rows, 64]; a share of the rows goes on as the model does."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, model.config.vocab_size, (rows, PREFIX + SUFFIX))
    recited = round(RECITED * rows)
    if recited:
        own = score(model, tokens[:recited], PREFIX, (PREFIX,), level=ScoreLevel.MEMORIZATION, eos_token_id=0)
        tokens[:recited, PREFIX:] = own.greedy_tokens
    return rng.permutation(tokens)


def seconds_a_row(name: str, rows: int, repeats: int) -> dict[ScoreLevel, float]:
    """CPU seconds of one sequence without and with full scores, medians; the two take turns."""
    model = untrained(name)
    pack_linears(model)
    tokens = sequences(model, rows)
    seconds: dict[ScoreLevel, list[float]] = {level: [] for level in LEVELS}
    for turn in range(repeats + 1):
        for level, values in seconds.items():
            started = time.process_time()
            score(model, tokens, PREFIX, (PREFIX,), level=level, eos_token_id=0)
            if turn:  # the first one warms up
                values.append((time.process_time() - started) / rows)
    return {level: statistics.median(values) for level, values in seconds.items()}


def main() -> None:
    """Measures, calculates and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=128, help="sequences a measurement (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument(
        "--gpu-rate", type=float, default=67.0, help="TFLOP/s of the card, as published (default: %(default)s, float32)"
    )
    parser.add_argument("--gpu-share", type=float, default=0.5, help="share of it reached (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    console = Console(width=max(110, Console().width))
    console.print(machine(), highlight=False)
    peak = matrix_rate("cpu")
    rates = {}
    found = Table("measured on one core", "scores", "rows/s", "MFLOP a row", "GFLOP/s", "of a large product's rate")
    for name in MEASURED:
        for level, seconds in seconds_a_row(name, arguments.rows, arguments.repeats).items():
            each = operations(SHAPES[name], level)
            rates[name, level] = each / seconds
            found.add_row(
                name, level.option, f"{1 / seconds:,.1f}", f"{each / 1e6:,.0f}",
                f"{each / seconds / 1e9:,.1f}", f"{each / seconds / peak:.0%}",
            )  # fmt: skip
    console.print(f"A product of two matrices of 2,048 x 2,048: {peak / 1e9:,.0f} GFLOP/s", highlight=False)
    console.print(found)

    table = Table(title=f"All {PILE:,} sequences, {PREFIX} + {SUFFIX} tokens, float32")
    for heading in (
        "model",
        "weights, GB",
        "core-hours, label",
        "core-hours, full",
        "GPU-hours, label",
        "GPU-hours, full",
    ):
        table.add_column(heading, justify="right")
    on_gpu = arguments.gpu_rate * 1e12 * arguments.gpu_share
    for name, shape in SHAPES.items():
        like = MEASURED[0] if shape.weights_a_token < SHAPES[MEASURED[1]].weights_a_token else MEASURED[1]
        hours = {level: PILE * operations(shape, level) / 3600 for level in LEVELS}
        weights = shape.weights_a_token + 2 * shape.width * shape.vocabulary
        table.add_row(
            name,
            f"{4 * weights / 1e9:,.1f}",
            *(f"{hours[level] / rates[like, level]:,.0f}" for level in LEVELS),
            *(f"{hours[level] / on_gpu:,.1f}" for level in LEVELS),
        )
    console.print(table)
    console.print(
        f"GPU-hours are an assumption: {arguments.gpu_share:.0%} of {arguments.gpu_rate:g} TFLOP/s. EL_10, reading, "
        "labelling and starting are not counted.",
        highlight=False,
    )


if __name__ == "__main__":
    main()
