"""What a run costs beside the model's pass, by rows and workers: seconds, CPU and memory of every stage but `score`.

    python benchmarks/pipeline.py [FOLDER] [--rows 10000 100000 1000000] [--cores 1 2] [--corpus 20000000]

Rows are real texts where FOLDER holds `pythia70m_labelled.csv` and `pythia_tokenizer.json`, else those of the demo, of
which a third are personal data and credentials. n texts make n rows as they are; every further row is the prefix of
one and the suffix of another, cut at places that change, so few are the same. The token scores are drawn: 5 % of the
rows are recited, half of the others go wrong at the first token, greedy tokens are the true ones up to there.

The number of copies is a column of the rows; with --corpus it is counted, in so many tokens of the same texts drawn at
random.

Each size and number of workers is a process of its own with a fresh Spark, as a user starts it; all stages are those of
the command, which finds `score` done. CPU seconds are those of all processes. Peaks of resident memory are seen four
times a second: Java (its heap may take 2 GB, and Java fills what it may before it tidies up), the driver's Python, and
the largest worker.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.corpus_counts import write_pair
from benchmarks.label_speed import windows
from benchmarks.labelled_files import PYTHIA, TOKENIZER, folder_with, read_rows
from benchmarks.machine import machine
from benchmarks.usage import Usage, measured
from data.cache import cache_dir
from data.demo_model import demo
from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.pipeline import Pipeline
from spark_jobs.plan import Plan, make_plan
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import arrow_schema, scores_columns
from spark_jobs.session import start

P = S = 32
T = P + S
K = (8, 16, 32)
FILE_ROWS = 50_000
EL_ROWS = 256
STAGES = ("prepare", "count", "measure", "label", "predict", "summarize")
GOAL = ("measure", "label", "summarize")  # of the project: a million rows in three minutes on two cores
MIB = 2**20


@dataclass
class Watch:
    """The pipeline's progress; notes what each stage cost."""

    usage: dict[str, Usage] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, description: str, total_rows: int | None) -> Iterator[Watch]:
        """Measures what happens inside."""
        with measured() as usage:
            yield self
        self.usage[name] = usage

    def update(self, done_rows: int) -> None:
        """Nothing to show."""

    def skipped(self, name: str, why: str) -> None:
        """A stage that was done before costs nothing."""


def row_tokens(texts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Tokens of rows, int32 [N, T]: text i for the first, then the start of one text with the end of another.

    Args:
        texts: int32 [n, T].
        ids: int64 [N].
    """
    n = len(texts)
    first, second, turn = ids % n, (ids + ids // n) % n, ids // n**2
    cut = (P + 7 * turn)[:, None] % T
    return np.where(np.arange(T) < cut, texts[first], texts[second])


def drawn_scores(tokens: np.ndarray, ids: np.ndarray, draw: np.random.Generator) -> pa.Table:
    """Table `scores` of rows as a model might leave it.

    Args:
        tokens: int32 [N, T].
        ids: int64 [N].
        draw: Source of chance.
    """
    N = len(tokens)
    mismatch = np.minimum(draw.geometric(0.5, (N, len(K))) - 1, S - 1)
    mismatch[draw.random(N) < 0.05] = S
    mismatch = np.sort(mismatch, axis=1)  # a longer prompt seldom does worse
    first = mismatch[:, -1:]
    place = np.arange(T - 1) - (P - 1)  # in the suffix; negative in the prefix
    rank = np.where(draw.random((N, T - 1)) < 0.3, 0, draw.geometric(0.02, (N, T - 1)))
    rank = np.where((place >= 0) & (place < first), 0, np.where(place == first, np.maximum(rank, 1), rank))
    logprob = np.where(rank == 0, -draw.exponential(0.2, rank.shape), -0.7 - draw.exponential(4, rank.shape))
    top = np.where(rank[:, P - 1 :] < 40, logprob[:, P - 1 :] * 0.9, -np.inf)
    others = np.roll(tokens, 1, axis=0)[:, P:]
    true = (np.arange(S) < first) | ((np.arange(S) > first) & (draw.random((N, S)) < 0.1))
    columns = {
        "first_mismatch": mismatch,
        "min_margin": draw.exponential(0.5, N),
        "logprob": logprob,
        "rank": rank,
        "topk_logprob": top,
        "logprob_mean": -draw.exponential(2, rank.shape),
        "logprob_std": draw.exponential(1.5, rank.shape),
        "greedy_tokens": np.where(true, tokens[:, P:], others),
        "extraction_likelihood": np.where(ids < EL_ROWS, draw.random(N), np.nan),
    }
    schema = arrow_schema(scores_columns(level=ScoreLevel.FULL))
    arrays = [pa.array(ids)]
    for column in list(schema)[1:]:
        values = columns[column.name]
        array = workers.lists(values) if values.ndim == 2 else workers.numbers(values)
        arrays.append(array.cast(column.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def write_tables(texts: np.ndarray, rows: int, source: Path, scores: Path) -> None:
    """What is given to the command, and what the model's pass would have left."""
    source.mkdir(parents=True)
    scores.mkdir(parents=True)
    for number, start_id in enumerate(range(0, rows, FILE_ROWS)):
        draw = np.random.default_rng(number)
        ids = np.arange(start_id, min(rows, start_id + FILE_ROWS))
        tokens = row_tokens(texts, ids)
        given = {
            "sequence_id": ids,
            "tokens": workers.lists(tokens),
            "duplicates": draw.geometric(0.3, len(ids)) - 1,
            "is_member": draw.random(len(ids)) < 0.5,
        }
        pq.write_table(pa.table(given), source / f"part-{number:05d}.parquet", compression="zstd")
        # Scores come in the order of the hash that cut them into tasks, not of the input.
        order = draw.permutation(len(ids))
        table = drawn_scores(tokens, ids, draw).take(pa.array(order))
        pq.write_table(table, scores / f"part-{number:05d}.parquet", compression="zstd")


def prepared_texts(folder: Path | None, work: Path) -> tuple[np.ndarray, Path]:
    """Texts as tokens, int32 [n, T], and the folder of a model that they fit."""
    if folder is None:
        made = demo()
        return np.array(pq.read_table(made.sequences).column("tokens").to_pylist(), np.int32), made.model
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER))
    model = work / "model"
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=50304, **small)).save_pretrained(model)
    tokenizer.save_pretrained(model)
    texts = [row["text"] for row in read_rows(folder / PYTHIA)]
    return np.array(windows(tokenizer(texts)["input_ids"]), np.int32), model


def run_once(
    texts: np.ndarray, model: Path, rows: int, cores: int, corpus: int, work: Path
) -> tuple[dict[str, Usage], Usage]:
    """One run: what each stage cost, and the whole."""
    source, token_counts = work / "source", work / "token_counts.npy"
    write_tables(texts, rows, source, work / "scores")
    if corpus:
        drawn = np.random.default_rng(0).integers(0, len(texts), corpus // T)
        write_pair(work / "corpus", (texts[number] for number in drawn))
    plan = _plan(model, source, token_counts, cores, work)
    np.save(token_counts, np.bincount(texts.reshape(-1), minlength=plan.model.vocab_size))
    plan = _plan(model, source, token_counts, cores, work)
    folder = RunFolder(plan.folder)
    folder.open()
    (work / "scores").rename(folder.table("scores"))
    folder.finish("score", plan.settings["score"], rows, 0.0)
    watch = Watch()
    with measured() as whole:
        spark = start("pipeline", plan.folder, plan.config.master, 4040, cache_dir())
        try:
            Pipeline(spark, plan, folder, watch).run({})
        except Py4JJavaError as error:  # can't be sent to the process that waits for it
            raise RuntimeError(str(error)) from None
        finally:
            spark.stop()
    folder.close()
    return watch.usage, whole


def _plan(model: Path, source: Path, token_counts: Path, cores: int, work: Path) -> Plan:
    return make_plan(
        RunConfig(
            model=str(model),
            sequences=str(source),
            token_counts=str(token_counts) if token_counts.is_file() else None,
            corpus=str(work / "corpus.bin") if (work / "corpus.bin").is_file() else None,
            master=f"local[{cores}]",
            run="run",
            runs_dir=work,
        )
    )


def main(folder: Path | None, sizes: list[int], workers_: list[int], corpus: int) -> None:
    """Prints the tables."""
    console = Console(width=max(120, Console().width))
    console.print(machine())
    top = Path(tempfile.mkdtemp(prefix="pipeline-"))
    try:
        texts, model = prepared_texts(folder, top)
        console.print(f"{len(texts):,} texts of {T} tokens; seconds of wall for each stage")
        for rows in sizes:
            for cores in workers_:
                work = top / "work"
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                    usage, whole = alone.submit(run_once, texts, model, rows, cores, corpus, work).result()
                shutil.rmtree(work)
                console.print(_table(rows, cores, usage, whole))
    finally:
        shutil.rmtree(top)


def _table(rows: int, cores: int, usage: dict[str, Usage], whole: Usage) -> Table:
    table = Table(title=f"{rows:,} rows, {cores} cores", title_justify="left")
    table.add_column("")
    goal = [usage[name] for name in GOAL]
    named = {name: usage[name] for name in STAGES}
    named[" + ".join(GOAL)] = Usage(
        sum(one.wall for one in goal), sum(one.cpu for one in goal), *(max(map(kind, goal)) for kind in _PEAKS)
    )
    named["all, with Spark's start"] = whole
    for heading in ("wall s", "CPU s", "CPU us a row", "Java MiB", "driver MiB", "worker MiB", "sum MiB"):
        table.add_column(heading, justify="right")
    for name, one in named.items():
        memory = [f"{size / MIB:,.0f}" for size in (one.java, one.driver, one.worker, one.peak)]
        table.add_row(name, f"{one.wall:.1f}", f"{one.cpu:.1f}", f"{one.cpu / rows * 1e6:,.1f}", *memory)
    return table


_PEAKS = (
    lambda one: one.peak,
    lambda one: one.java,
    lambda one: one.driver,
    lambda one: one.worker,
)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder",
        nargs="?",
        type=folder_with(PYTHIA, TOKENIZER),
        help=f"a folder that holds {PYTHIA} and {TOKENIZER}; the demo's texts if left out",
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--corpus", type=int, default=0, help="tokens to count copies in (default: none)")
    options = parser.parse_args()
    main(options.folder, options.rows, options.cores, options.corpus)
