"""Speed of the scoring pass beside `generate`, in one run.

    python benchmarks/scoring.py [--shape 14m 70m] [--rows 128] [--repeats 3] [--threads 1] [--device cpu]
    python benchmarks/scoring.py --device cuda --shape 70m 410m 1.4b

Both decide for the same sequences whether greedy decoding of 32 prefix tokens gives the 32 suffix tokens, and what it
gives. In each set of sequences a share of the suffixes is the model's own continuation, so that those count as
memorized: how many there are decides how much there is to look at and to decode. The variants take turns, the table
shows medians, and the ratio is to `generate` with its cache at the batch size at which it is fastest. Every label and
every token is compared with what `generate` gave. Models are untrained ones of the shapes of Pythia, since the work
does not depend on the weights, unless --model FOLDER names one. The last column holds the products that each variant
needs against the rate of one large product of matrices on the same device: what is left is the most that could be won.
"""

from __future__ import annotations

import argparse
import copy
import functools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from transformers import PreTrainedModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from benchmarks.matrix_rate import matrix_rate
from benchmarks.shapes import SHAPES, Shape, untrained
from metrics.causal_lm import causal_lm, evaluation
from metrics.forward_pass import TOP_K, score
from metrics.loading import load_model, resolve_device
from metrics.logit_statistics import block_maxima, greedy_choice, logprob, topk_logprob
from metrics.model_errors import ModelError
from metrics.packed_linear import pack_linears
from metrics.token_scores import ScoreLevel

PREFIX, SUFFIX = 32, 32
GENERATE_BATCHES = {"cpu": (32, 64, 128), "cuda": (256, 1024, 4096)}
PASS_BATCH = {"cpu": 64, "cuda": 1024}
ROWS = {"cpu": 128, "cuda": 4096}
SHARES = (0.0, 0.05, 0.5, 1.0)


@dataclass(frozen=True)
class Variant:
    """One way to score.

    Attributes:
        run: Does it for all sequences.
        read: Positions of a sequence that the body is run over.
        looked_at: Positions that the head is run over.
        spared: Positions read with less of the last layer.
    """

    run: Callable[[], object]
    read: float
    looked_at: float
    spared: float = 0


def generate(model: PreTrainedModel, prefix: np.ndarray, batch_size: int, eos: int | list[int] | None) -> np.ndarray:
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


def shape_of(model: PreTrainedModel) -> Shape | None:
    """The shape of a GPT-NeoX model; None for another, whose operations are not counted here."""
    config = model.config
    if config.model_type != "gpt_neox" or config.intermediate_size != 4 * config.hidden_size:
        return None
    return Shape(config.num_hidden_layers, config.hidden_size, config.num_attention_heads, config.vocab_size)


def fits(run: Callable[[], object]) -> bool:
    """Runs it; whether the GPU's memory was enough."""
    try:
        run()
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return False
    return True


def disagreements(
    model: PreTrainedModel, tokens: np.ndarray, greedy: np.ndarray, eos: int | list[int] | None
) -> tuple[int, int]:
    """Rows whose label at any level, and rows whose greedy tokens, are not those that `generate` gives."""
    other_labels = np.zeros(len(tokens), bool)
    other_tokens = np.zeros(len(tokens), bool)
    for level in ScoreLevel:
        scores = score(model, tokens, PREFIX, (PREFIX,), level=level, eos_token_id=eos)
        other_labels |= (scores.first_mismatch[:, 0] == SUFFIX) != (tokens[:, PREFIX:] == greedy).all(1)
        if level >= ScoreLevel.MEMORIZATION:
            other_tokens |= (scores.greedy_tokens != greedy).any(1)
    return int(other_labels.sum()), int(other_tokens.sum())


def variants_of(
    plain: PreTrainedModel, packed: PreTrainedModel, sets: dict[float, np.ndarray], eos: int | list[int] | None
) -> dict[str, Variant]:
    """What is measured, by name; `generate` first."""
    device, rows = plain.device.type, len(sets[1.0])
    whole = PREFIX + SUFFIX - 1

    def ours(share: float, level: ScoreLevel, model: PreTrainedModel = packed) -> Variant:
        def run() -> object:
            return score(model, sets[share], PREFIX, (PREFIX,), level=level, eos_token_id=eos)

        decoded = (1 - share) * (SUFFIX - 1)
        positions = {
            ScoreLevel.EXTRACTABLE: (PREFIX + share * (SUFFIX - 1), 1 + share * (SUFFIX - 1)),
            ScoreLevel.MEMORIZATION: (whole, SUFFIX),
            ScoreLevel.LIKELIHOOD: (whole + decoded, SUFFIX + decoded),
            ScoreLevel.FULL: (whole + decoded, whole + decoded),
        }
        return Variant(run, *positions[level], spared=0 if level == ScoreLevel.FULL else PREFIX - 1)

    sizes = GENERATE_BATCHES.get(device, (64,))
    variants = {
        f"generate, batches of {size}": Variant(
            lambda size=size: generate(plain, sets[1.0][:, :PREFIX], size, eos), whole, SUFFIX
        )
        for number, size in enumerate(sizes)
        if number == 0 or size <= rows
    }
    for probabilities, name in ((False, "one pass, every suffix position"), (True, "  and both p_z columns")):
        run = functools.partial(one_pass, packed, sets[1.0], probabilities=probabilities)
        variants[name] = Variant(run, whole, SUFFIX)
    for share in SHARES[1:]:
        variants[f"label only, {share:.0%} memorized"] = ours(share, ScoreLevel.EXTRACTABLE)
    for share in (0.0, 0.5, 1.0):
        variants[f"memorization score, {share:.0%} memorized"] = ours(share, ScoreLevel.MEMORIZATION)
    for level in (ScoreLevel.LIKELIHOOD, ScoreLevel.FULL):
        for share in SHARES[1:]:
            variants[f"{level.option} scores, {share:.0%} memorized"] = ours(share, level)
    if packed is not plain:
        for how, model in (
            ("no layer", plain),
            ("the head", packed_copy(plain, False)),
            ("all", packed_copy(plain, True)),
        ):
            variants[f"label only, 50% memorized, {how} packed"] = ours(0.5, ScoreLevel.EXTRACTABLE, model)
    return variants


def packed_copy(model: PreTrainedModel, body: bool | None = None) -> PreTrainedModel:
    """Another model of the same weights, with packed layers as `pack_linears` says."""
    copied = copy.deepcopy(model)
    pack_linears(copied, body=body)
    return copied


def measure(console: Console, name: str, plain: PreTrainedModel, rows: int | None, repeats: int) -> None:
    """Measures one model and prints its table."""
    device = plain.device.type
    rows = rows or ROWS.get(device, 128)
    packed = packed_copy(plain) if device == "cpu" else plain
    eos = plain.generation_config.eos_token_id  # as `metrics.loading`
    vocab = plain.config.get_text_config().vocab_size
    tokens = np.random.default_rng(0).integers(1, vocab, (rows, PREFIX + SUFFIX))
    greedy = generate(plain, tokens[:, :PREFIX], GENERATE_BATCHES.get(device, (64,))[0], eos)
    sets = {share: with_share(tokens, greedy, share) for share in SHARES}
    every = variants_of(plain, packed, sets, eos)
    variants = {variant: how for variant, how in every.items() if fits(how.run)}  # which warms up, too
    cpu: dict[str, list[float]] = {variant: [] for variant in variants}
    wall: dict[str, list[float]] = {variant: [] for variant in variants}
    rates = []
    for _ in range(repeats):
        rates.append(matrix_rate(str(plain.device)))
        for variant, how in variants.items():
            started = time.perf_counter(), time.process_time()
            how.run()
            if device == "cuda":
                torch.cuda.synchronize()
            wall[variant].append(time.perf_counter() - started[0])
            cpu[variant].append(time.process_time() - started[1])

    # On a GPU the CPU's time says little.
    counted = wall if device == "cuda" else cpu
    best = min((statistics.median(counted[v]) for v in variants if v.startswith("generate, ")), default=float("nan"))
    shape, rate = shape_of(plain), statistics.median(rates)
    table = Table("variant", title=f"{name}: {rows} sequences of {PREFIX} + {SUFFIX} tokens, medians of {repeats}")
    for heading in ("CPU ms/row", "wall ms/row", "rows/s (wall)", "times generate's best", "of matrix rate"):
        table.add_column(heading, justify="right")
    for variant, how in variants.items():
        a_row, waited = statistics.median(cpu[variant]) / rows, statistics.median(wall[variant]) / rows
        reached = statistics.median(counted[variant]) / rows
        needed = shape.operations(how.read, how.looked_at, PREFIX + SUFFIX - 1, how.spared) if shape else None
        table.add_row(
            variant,
            f"{a_row * 1e3:.2f}",
            f"{waited * 1e3:.2f}",
            f"{1 / waited:,.1f}",
            f"{best / statistics.median(counted[variant]):.2f}",
            f"{needed / reached / rate:.0%}" if needed else "",
        )
    console.print(f"One large product of matrices, float32: {rate / 1e9:,.0f} GFLOP/s", highlight=False)
    for variant in every.keys() - variants.keys():
        console.print(f"{variant}: not enough memory", highlight=False)
    console.print(table)
    passes = [statistics.median(counted[v]) for v in variants if "every suffix" in v or "p_z" in v]
    if len(passes) == 2:
        console.print(f"one pass with both p_z columns costs {passes[1] / passes[0]:.2f} times one without")
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
    parser.add_argument("--rows", type=int, help="sequences (default: 128, 4096 on a GPU)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console(width=max(120, Console().width))
    console.print(machine(), highlight=False)
    try:
        device = resolve_device(arguments.device)
    except ModelError as error:
        parser.error(str(error))
    if arguments.model:
        measure(console, arguments.model, load_model(arguments.model, device=device), arguments.rows, arguments.repeats)
        return
    for shape in arguments.shape:
        model = untrained(shape).to(device)
        measure(console, f"pythia-{shape} shape, untrained", model, arguments.rows, arguments.repeats)


if __name__ == "__main__":
    main()
