"""Speed of the scoring pass beside `generate`, in one run.

    python benchmarks/scoring.py [--shape 14m 70m] [--rows 128] [--repeats 3] [--threads 1] [--device cpu]

Both decide for the same sequences whether greedy decoding of 32 prefix tokens gives the 32 suffix tokens, and what it
gives. In each set of sequences a share of the suffixes is the model's own continuation, so that those count as
memorized: how many there are decides how much there is to look at and to decode. The variants take turns, the table
shows medians, and the ratio is to `generate` with its cache at the batch size at which it is fastest. Every label and
every token is compared with what `generate` gave. Models are untrained ones of the shapes of Pythia, since the work
does not depend on the weights, unless --model FOLDER names one.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformers import PreTrainedModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from benchmarks.shapes import SHAPES, untrained
from metrics.causal_lm import causal_lm, evaluation
from metrics.forward_pass import TOP_K, score
from metrics.loading import load_model, resolve_device
from metrics.logit_statistics import block_maxima, greedy_choice, logprob, topk_logprob
from metrics.packed_linear import pack_linears
from metrics.token_scores import ScoreLevel

PREFIX, SUFFIX = 32, 32
GENERATE_BATCHES = {"cpu": (32, 64, 128), "cuda": (256, 1024, 4096)}
PASS_BATCH = {"cpu": 64, "cuda": 1024}
SHARES = (0.0, 0.05, 0.5, 1.0)


def generate(model: PreTrainedModel, prefix: np.ndarray, batch_size: int, eos: int | None) -> np.ndarray:
    """Greedy continuations of int [N, P] prefixes by `generate`, with its cache: int [N, S]."""
    parts = []
    for start in range(0, len(prefix), batch_size):
        ids = torch.from_numpy(prefix[start : start + batch_size]).long().to(model.device)
        with torch.no_grad():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=SUFFIX,
                max_new_tokens=SUFFIX,
                pad_token_id=0,
                eos_token_id=eos,
            )
        parts.append(out[:, prefix.shape[1] :].cpu().numpy())
    return np.concatenate(parts)


def one_pass(model: PreTrainedModel, tokens: np.ndarray, *, probabilities: bool) -> Tensor:
    """All suffix positions of one pass: the greedy choices, and both log-probabilities of each true token."""
    lm = causal_lm(model)
    scratch = torch.empty(2, lm.statistics_rows, lm.vocab_size, device=lm.device)
    hits = []
    with evaluation(model):
        for rows in torch.from_numpy(tokens).long().split(PASS_BATCH.get(lm.device.type, 64)):
            ids = rows.to(lm.device)
            states = lm.states(ids[:, :-1])[:, PREFIX - 1 :].flatten(0, 1)
            for part, true in zip(
                states.split(lm.chunk_rows), ids[:, PREFIX:].flatten().split(lm.chunk_rows), strict=True
            ):
                logits = lm.logits(part)
                for few, their_true in zip(
                    logits.split(lm.statistics_rows), true.split(lm.statistics_rows), strict=True
                ):
                    maxima = block_maxima(few)
                    hits.append(greedy_choice(few, maxima)[0] == their_true)
                    if probabilities:
                        topk_logprob(few, maxima, their_true, TOP_K)
                        logprob(few, maxima, their_true, scratch)
    return torch.cat(hits).cpu()


def with_share(tokens: np.ndarray, greedy: np.ndarray, share: float) -> np.ndarray:
    """Rows of which a share, spread evenly, goes on as the model does, and the others at random."""
    rows = len(tokens)
    own = np.floor(np.arange(1, rows + 1) * share) > np.floor(np.arange(rows) * share)
    return np.where(own[:, None], np.concatenate([tokens[:, :PREFIX], greedy], 1), tokens)


def disagreements(model: PreTrainedModel, tokens: np.ndarray, greedy: np.ndarray, eos: int | None) -> tuple[int, int]:
    """Rows whose label, and rows whose greedy tokens, are not those that `generate` gives."""
    scores = score(model, tokens, PREFIX, (PREFIX,), level=ScoreLevel.MEMORIZATION, eos_token_id=eos)
    labels = (scores.first_mismatch[:, 0] == SUFFIX) != (tokens[:, PREFIX:] == greedy).all(1)
    return int(labels.sum()), int((scores.greedy_tokens != greedy).any(1).sum())


def measure(console: Console, name: str, plain: PreTrainedModel, rows: int, repeats: int) -> None:
    """Measures one model and prints its table."""
    device = plain.device.type
    packed = copy.deepcopy(plain)
    layers = pack_linears(packed)
    eos = np.atleast_1d(plain.config.get_text_config().eos_token_id).tolist()[0]  # as `metrics.loading`
    vocab = plain.config.get_text_config().vocab_size
    tokens = np.random.default_rng(0).integers(1, vocab, (rows, PREFIX + SUFFIX))
    greedy = generate(plain, tokens[:, :PREFIX], PASS_BATCH.get(device, 64), eos)
    sets = {share: with_share(tokens, greedy, share) for share in SHARES}

    def ours(
        share: float, model: PreTrainedModel = packed, level: ScoreLevel = ScoreLevel.EXTRACTABLE
    ) -> Callable[[], object]:
        return lambda: score(model, sets[share], PREFIX, (PREFIX,), level=level, eos_token_id=eos)

    variants: dict[str, Callable[[], object]] = {
        f"generate, batches of {size}": lambda size=size: generate(plain, tokens[:, :PREFIX], size, eos)
        for number, size in enumerate(GENERATE_BATCHES.get(device, (64,)))
        if number == 0 or size <= rows
    }
    variants |= {
        "one pass, every suffix position": lambda: one_pass(packed, sets[1.0], probabilities=False),
        "  and both p_z columns": lambda: one_pass(packed, sets[1.0], probabilities=True),
    }
    variants |= {f"label only, {share:.0%} memorized": ours(share) for share in SHARES[1:]}
    variants |= {
        f"memorization score, {share:.0%} memorized": ours(share, level=ScoreLevel.MEMORIZATION)
        for share in (0.0, 0.5, 1.0)
    }
    for level in (ScoreLevel.LIKELIHOOD, ScoreLevel.FULL):
        variants |= {f"{level.option} scores, {share:.0%} memorized": ours(share, level=level) for share in SHARES[1:]}
    if layers:
        variants["label only, 50% memorized, layers not packed"] = ours(0.5, plain)
    cpu: dict[str, list[float]] = {variant: [] for variant in variants}
    wall: dict[str, list[float]] = {variant: [] for variant in variants}
    for number in range(repeats + 1):  # the first is to warm up
        for variant, run in variants.items():
            started = time.perf_counter(), time.process_time()
            run()
            if device == "cuda":
                torch.cuda.synchronize()
            if number:
                wall[variant].append(time.perf_counter() - started[0])
                cpu[variant].append(time.process_time() - started[1])

    # On a GPU the CPU's time says little.
    counted = wall if device == "cuda" else cpu
    best = min(statistics.median(counted[v]) for v in variants if v.startswith("generate, "))
    table = Table("variant", title=f"{name}: {rows} sequences of {PREFIX} + {SUFFIX} tokens, medians of {repeats}")
    for heading in ("CPU ms/row", "wall ms/row", "rows/s (wall)", "times generate's best"):
        table.add_column(heading, justify="right")
    for variant in variants:
        a_row, waited = statistics.median(cpu[variant]) / rows, statistics.median(wall[variant]) / rows
        ratio = best / statistics.median(counted[variant])
        table.add_row(variant, f"{a_row * 1e3:.2f}", f"{waited * 1e3:.2f}", f"{1 / waited:,.1f}", f"{ratio:.2f}")
    console.print(table)
    alone, more = (statistics.median(counted[v]) for v in list(variants) if "every suffix" in v or "p_z" in v)
    console.print(f"one pass with both p_z columns costs {more / alone:.2f} times one without", highlight=False)
    for share, rows_of_share in sets.items():
        labels, continuations = disagreements(packed, rows_of_share, greedy, eos)
        console.print(
            f"{share:.0%} memorized, beside generate: {labels} labels and {continuations} continuations differ "
            f"in {rows} rows",
            highlight=False,
        )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=["14m", "70m"], help="default: 14m 70m")
    parser.add_argument("--model", help="folder or hub id, instead of a shape")
    parser.add_argument("--rows", type=int, default=128, help="sequences (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console(width=max(100, Console().width))
    console.print(machine(), highlight=False)
    device = resolve_device(arguments.device)
    if arguments.model:
        measure(console, arguments.model, load_model(arguments.model, device=device), arguments.rows, arguments.repeats)
        return
    for shape in arguments.shape:
        model = untrained(shape).to(device)
        measure(console, f"pythia-{shape} shape, untrained", model, arguments.rows, arguments.repeats)


if __name__ == "__main__":
    main()
