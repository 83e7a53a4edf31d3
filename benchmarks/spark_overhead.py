"""What Spark costs beside a plain pool of processes, on the same scoring job.

    python benchmarks/spark_overhead.py [--shape 14m] [--rows 40000] [--cores 2] [--scores extractable] [--repeats 3]
    python benchmarks/spark_overhead.py --repeats 0 --shape 70m --rows 512 --scores full --el-rows 16

Both read the same parquet file of sequences, run the same pass of the same model over rows in tasks of the same size,
one torch thread a process, and write the scores as parquet. The pool is `concurrent.futures` with as many processes as
Spark has cores. Both have started and have loaded the model before the clock runs, and they take turns; a short job
before each one sees to that, since Spark ends workers that were idle for a minute. Half of the sequences are memorized.
The last line is the largest worker's memory, the model's included, in a run of its own: its share of all memory
(Linux's proportional set size, in which a page of n processes counts 1/n), what is its alone, and what it has resident,
pages that it shares with the other workers included (what was imported before they were forked, torch's libraries, the
model's file). With --repeats 0 it is all there is.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from benchmarks.scoring import PREFIX, SUFFIX, with_share
from benchmarks.shapes import SHAPES, untrained
from benchmarks.usage import measured, processes
from data.cache import cache_dir
from metrics.forward_pass import score
from metrics.packed_linear import pack_linears
from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.partitions import set_shuffle_partitions
from spark_jobs.run_folder import RunFolder
from spark_jobs.score import ScoreSettings, score_table
from spark_jobs.session import WORKER_ENVIRONMENT, start

TASK_ROWS = 1024  # as Spark's tasks
DISTINCT = 512


def write_sequences(path: Path, shape: str, rows: int) -> None:
    """A model of that shape, and parquet with so many rows, half of them memorized by it."""
    model = untrained(shape)
    model.save_pretrained(path / "model")
    pack_linears(model)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, SHAPES[shape].vocabulary, (DISTINCT, PREFIX + SUFFIX))
    greedy = score(model, tokens, PREFIX, (PREFIX,), level=ScoreLevel.MEMORIZATION, eos_token_id=0).greedy_tokens
    tokens = rng.permutation(with_share(tokens, greedy, 0.5))  # as they come, not every other one
    table = pa.table(
        {
            "sequence_id": np.arange(rows),
            "tokens": pa.array(list(tokens.astype(np.int32)), pa.list_(pa.int32())).take(
                pa.array(np.arange(rows) % DISTINCT)
            ),
        }
    )
    for run, part in (("run", table), ("short", table[:DISTINCT])):
        folder = path / run / "sequences.parquet"
        folder.mkdir(parents=True)
        pq.write_table(part, folder / "part-00000.parquet", row_group_size=TASK_ROWS if run == "run" else 64)


def score_group(settings: ScoreSettings, source: Path, target: Path, group: int) -> int:
    """One task of the pool: reads a row group, scores it, writes the result."""
    table = pq.ParquetFile(source).read_row_group(group)
    scores = score(
        workers.model(settings.model, settings.revision, settings.dtype, settings.device),
        workers.matrix(table.column("tokens"), table.num_rows),
        settings.prefix_tokens,
        settings.k_values,
        level=settings.level,
        eos_token_id=settings.eos_token_ids,
    )
    values = {name: value for name, value in vars(scores).items() if value is not None}
    columns = {n: workers.lists(value) if value.ndim == 2 else workers.numbers(value) for n, value in values.items()}
    pq.write_table(pa.table({"sequence_id": table.column("sequence_id")} | columns), target / f"{group:05d}.parquet")
    return table.num_rows


MEMORY = {"Pss": "its share", "Private": "its alone", "Rss": "resident"}


@contextmanager
def worker_memory() -> Iterator[dict[str, int]]:
    """Peaks of the largest of Spark's Python workers, in bytes, by the keys of MEMORY."""
    peaks, stop = dict.fromkeys(MEMORY, 0), threading.Event()

    def look() -> None:
        for process in processes(os.getpid())[1:]:
            try:
                words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
                if "-m" not in words or not words[words.index("-m") + 1].endswith("daemon"):
                    continue
                lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
            except OSError:
                continue
            values = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":") for line in lines)}
            values["Private"] = values["Private_Clean"] + values["Private_Dirty"]
            for name in peaks:
                peaks[name] = max(peaks[name], values[name])

    def watch() -> None:
        while not stop.wait(0.2):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        stop.set()
        thread.join()


def speeds(options: argparse.Namespace, seconds: dict[str, list[float]], cpu: dict[str, list[float]]) -> Table:
    """The medians by job, beside those of the first."""
    table = Table(title=f"pythia-{options.shape} shape, {options.rows:,} rows, --scores {options.scores}")
    for heading in ("", "wall s", "CPU s", "rows/s", "of the pool's speed", "by CPU"):
        table.add_column(heading, justify="right")
    peer, peer_cpu = (statistics.median(next(iter(values.values()))) for values in (seconds, cpu))
    for name in seconds:
        wall, spent = statistics.median(seconds[name]), statistics.median(cpu[name])
        table.add_row(
            name,
            f"{wall:.1f}",
            f"{spent:.1f}",
            f"{options.rows / wall:,.0f}",
            f"{peer / wall:.3f}",
            f"{peer_cpu / spent:.3f}",
        )
    return table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="14m")
    parser.add_argument("--rows", type=int, default=40_000, help="enough for a minute (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--scores", choices=[level.option for level in ScoreLevel], default="extractable")
    parser.add_argument("--el-rows", type=int, default=0, help="only of Spark, and with --scores full")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (default: %(default)s)")
    options = parser.parse_args()
    if options.el_rows and options.repeats:
        parser.error("the pool of processes has no EL: give --repeats 0 to see a worker's memory with it")
    os.environ |= WORKER_ENVIRONMENT  # of the pool's processes; Spark's have it from the session
    console = Console(width=max(100, Console().width))
    console.print(machine(), highlight=False)
    work = Path(tempfile.mkdtemp(prefix="spark-overhead-"))
    try:
        write_sequences(work, options.shape, options.rows)
        settings = ScoreSettings(
            model=str(work / "model"),
            revision=None,
            dtype="float32",
            device="cpu",
            prefix_tokens=PREFIX,
            k_values=(PREFIX,),
            level=ScoreLevel.of(options.scores),
            eos_token_ids=(0,),
            batch_size=None,
            checkpoint_rows=1_000_000,
        )
        pool = ProcessPoolExecutor(options.cores, mp_context=get_context("spawn"))
        spark = start("spark overhead", work, f"local[{options.cores}]", 4040, cache_dir())
        set_shuffle_partitions(spark, options.rows)

        def by_spark(run: str) -> None:
            rows = pq.read_metadata(work / run / "sequences.parquet" / "part-00000.parquet").num_rows
            score_table(spark, RunFolder(work / run), settings, rows, options.el_rows, 0, lambda rows: None)

        def by_pool(run: str) -> None:
            shutil.rmtree(work / "pool", ignore_errors=True)
            (work / "pool").mkdir()
            source = work / run / "sequences.parquet" / "part-00000.parquet"
            task = functools.partial(score_group, settings, source, work / "pool")
            list(pool.map(task, range(pq.ParquetFile(source).num_row_groups)))

        jobs: dict[str, Callable[[str], None]] = {
            "pool of processes": by_pool,
            f"Spark local[{options.cores}]": by_spark,
        }
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        cpu: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(options.repeats):
            for name, job in jobs.items():
                job("short")
                with measured() as usage:
                    job("run")
                seconds[name].append(usage.wall)
                cpu[name].append(usage.cpu)
        pool.shutdown()
        with worker_memory() as memory:  # in a run of its own: counting pages takes the workers' time
            by_spark("run")
        spark.stop()
        if options.repeats:
            assert pq.read_table(work / "pool").num_rows == options.rows
            assert pq.read_table(work / "run" / "scores.parquet").num_rows == options.rows
            console.print(speeds(options, seconds, cpu))
        weights = sum(file.stat().st_size for file in (work / "model").glob("*.safetensors"))
        held = ", ".join(f"{memory[name] / 1e6:,.0f} MB {what}" for name, what in MEMORY.items())
        console.print(f"largest worker: {held}; the model's weights are {weights / 1e6:,.0f} MB", highlight=False)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
