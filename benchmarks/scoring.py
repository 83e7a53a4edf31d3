"""Speed of the scoring pass beside `generate`, in one run.

    python benchmarks/scoring.py [--model FOLDER] [--rows 256] [--memorized 0.5] [--repeats 3] [--threads 1]

Both decide for the same sequences whether greedy decoding of 32 prefix tokens gives the 32 suffix tokens. A share of
the suffixes is replaced by the model's own continuation, so that those count as memorized: how much there is to decode
decides how long it takes. The variants take turns, and the table shows medians. Without --model, an untrained model of
the shape of pythia-14m; the work does not depend on the weights.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from metrics.forward_pass import score
from metrics.loading import load_model

PREFIX, SUFFIX = 32, 32


def pythia_14m() -> PreTrainedModel:
    """An untrained GPT-NeoX of that shape; the token 0 ends a text."""
    torch.manual_seed(0)
    config = GPTNeoXConfig(
        vocab_size=50304,
        hidden_size=128,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=512,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPTNeoXForCausalLM(config).eval().requires_grad_(False)


def generate(model: PreTrainedModel, prefix: np.ndarray, eos: int | None, batch_size: int) -> np.ndarray:
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


def teacher_forced(model: PreTrainedModel, tokens: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """What full scores need beside `generate`, written plainly: every position's log-probability, rank and moments."""
    parts = []
    for start in range(0, len(tokens), batch_size):
        ids = torch.from_numpy(tokens[start : start + batch_size]).long().to(model.device)
        with torch.no_grad():
            logp = model(ids[:, :-1]).logits.float().log_softmax(-1)
        true = logp.gather(-1, ids[:, 1:, None])
        p = logp.exp()
        mean = (p * logp).sum(-1)
        std = ((p * logp.square()).sum(-1) - mean.square()).sqrt()
        top = logp[:, PREFIX - 1 :].topk(40, -1).values.logsumexp(-1)
        rank = (logp > true).sum(-1)
        parts.append(torch.cat([true[..., 0], mean, std, rank, top], 1).cpu().numpy())
    return np.concatenate(parts)


def sequences(model: PreTrainedModel, rows: int, memorized: float, eos: int | None) -> np.ndarray:
    """Random prefixes; the first share of the rows goes on as the model does, the others at random. Shuffled."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, model.config.get_text_config().vocab_size, (rows, PREFIX + SUFFIX))
    own = round(rows * memorized)
    if own:
        tokens[:own, PREFIX:] = generate(model, tokens[:own, :PREFIX], eos, 64)
    return rng.permutation(tokens)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or hub id; default: an untrained model of the shape of pythia-14m")
    parser.add_argument("--rows", type=int, default=256, help="sequences (default: %(default)s)")
    parser.add_argument("--memorized", type=float, default=0.5, help="share that is extractable (default: %(default)s)")
    parser.add_argument(
        "--el-rows", type=int, default=16, help="rows for the extraction likelihood (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_model(arguments.model, device=arguments.device) if arguments.model else pythia_14m()
    eos = model.generation_config.eos_token_id
    tokens = sequences(model, arguments.rows, arguments.memorized, eos)
    every = np.arange(arguments.rows) < arguments.el_rows

    def ours(rows: np.ndarray = tokens, **options: object) -> Callable[[], object]:
        options = {"full": True, "k_values": (PREFIX,), "eos_token_id": eos} | options
        return lambda: score(model, rows, PREFIX, **options)

    variants: dict[str, tuple[int, Callable[[], object]]] = {
        f"generate, batches of {size}": (
            len(tokens),
            lambda size=size: generate(model, tokens[:, :PREFIX], eos, size),
        )
        for size in (32, 64, 128)
    }
    variants |= {
        "generate (64), then forward and log_softmax": (
            len(tokens),
            lambda: (generate(model, tokens[:, :PREFIX], eos, 64), teacher_forced(model, tokens)),
        ),
        "score, extractable only": (len(tokens), ours(full=False)),
        "score, extractable only, k = 8, 16, 32": (len(tokens), ours(full=False, k_values=(8, 16, 32))),
        "score, full": (len(tokens), ours()),
        "score, full, k = 8, 16, 32": (len(tokens), ours(k_values=(8, 16, 32))),
        f"score, full, EL_10 of {arguments.el_rows} rows": (
            arguments.el_rows,
            ours(tokens[: arguments.el_rows], el_rows=every[: arguments.el_rows]),
        ),
    }
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    wall: dict[str, list[float]] = {name: [] for name in variants}
    for _, run in variants.values():
        run()  # warm up
    for _ in range(arguments.repeats):
        for name, (_, run) in variants.items():
            started = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - started[0])
            cpu[name].append(time.process_time() - started[1])

    console = Console(width=max(100, Console().width))
    console.print(machine(), highlight=False)
    share = (score(model, tokens, PREFIX, (PREFIX,), full=False, eos_token_id=eos).first_mismatch == SUFFIX).mean()
    console.print(
        f"{arguments.model or 'pythia-14m shape, untrained'}: {len(tokens)} sequences of {PREFIX} + {SUFFIX} tokens, "
        f"{share:.0%} extractable, medians of {arguments.repeats}",
        highlight=False,
    )
    best = min(statistics.median(values) for name, values in cpu.items() if name.startswith("generate, ")) / len(tokens)
    table = Table("variant", "CPU ms/row", "wall ms/row", "rows/s (wall)", "generate's best CPU / this")
    for name, (rows, _) in variants.items():
        a_row, waited = statistics.median(cpu[name]) / rows, statistics.median(wall[name]) / rows
        table.add_row(name, f"{a_row * 1e3:.2f}", f"{waited * 1e3:.2f}", f"{1 / waited:.1f}", f"{best / a_row:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
