"""Speed and memory of the whole labeller in Spark, from tokens to category.

    python benchmarks/label_speed.py FOLDER [--rows 100000 1000000] [--cores 2] [--repeats 3]

FOLDER holds `pythia70m_labelled.csv` and `pythia_tokenizer.json`. Its real rows are tokenized (the first 64 tokens; a
row of fewer goes on with the next) and repeated until there are enough, with ids of their own; then, timed: decode,
prefilters, every piece of evidence, near-duplicates, taxonomy, category, and the table written. Rows/s a core is rows /
(wall seconds x cores); the CPU seconds are those of this process, Java and the workers together, and memory is the
largest sum of their resident sets, seen four times a second.

The peer, in turn with it, is Presidio without the labeller around it: the recognizers that the labeller calls on
candidates, and that of telephone numbers, on the whole of every text, in one process. That is a part of the evidence
for one of the categories.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from transformers import PreTrainedTokenizerFast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.labelled_files import PYTHIA, TOKENIZER, folder_with, read_rows
from benchmarks.machine import machine
from benchmarks.usage import Usage, measured
from data.cache import cache_dir
from metrics.categories.presidio_numbers import recognizers
from spark_jobs import workers
from spark_jobs.label import LabelSettings, labelled
from spark_jobs.near_duplicates import near_duplicates
from spark_jobs.partitions import set_shuffle_partitions
from spark_jobs.session import start

FILE_ROWS = 50_000
TOKENS = 64
PEER_ROWS = 1000


def windows(rows: list[list[int]]) -> list[list[int]]:
    """The first 64 tokens of each row; a row of fewer goes on with the next, the last with the first."""
    stream = [token for row in [*rows, *rows[:TOKENS]] for token in row]
    starts = np.cumsum([0, *map(len, rows[:-1])])
    return [stream[start : start + TOKENS] for start in starts]


def write_rows(folder: Path, tokens: list[list[int]], rows: int) -> None:
    """Parquet files with `rows` rows: the token lists again and again, ids from 0."""
    folder.mkdir()
    lists = pa.array(tokens, pa.list_(pa.int32()))
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        ids = np.arange(first, min(rows, first + FILE_ROWS))
        table = pa.table({"sequence_id": ids, "tokens": lists.take(pa.array(ids % len(tokens)))})
        pq.write_table(table, folder / f"part-{number:05d}.parquet")


def decoded(spark: SparkSession, folder: Path, tokenizer: str):
    """The rows with their text, as the stage `prepare` leaves them."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        decode = workers.decoder(tokenizer, None)
        for batch in batches:
            text = pa.array(decode(batch.column("tokens").to_pylist()), pa.string())
            yield pa.RecordBatch.from_arrays([batch.column("sequence_id"), text], names=["sequence_id", "text"])

    frame = spark.read.parquet(str(folder))
    return frame.mapInArrow(run, "sequence_id long, text string")


def by_presidio(texts: list[str]) -> None:
    """What the labeller asks Presidio of a candidate, asked of the whole of every text; telephone numbers besides."""
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    telephone = PhoneRecognizer()
    for text in texts:
        for recognizer in recognizers().values():
            recognizer.analyze(text, [], None)
        telephone.analyze(text, ["PHONE_NUMBER"], None)


def by_spark(spark: SparkSession, rows: Path, tokenizer: str, target: Path) -> None:
    """The whole labeller."""
    copies = near_duplicates(spark.read.parquet(str(rows)))
    unknown = spark.createDataFrame([], "sequence_id long, duplicates long")
    labels = labelled(decoded(spark, rows, tokenizer), copies, unknown, LabelSettings())
    labels.write.mode("overwrite").parquet(str(target))


def main(folder: Path, sizes: list[int], cores: int, repeats: int) -> None:
    """Prints the table."""
    console = Console(width=max(110, Console().width))
    console.print(machine())
    work = Path(tempfile.mkdtemp(prefix="label-speed-"))
    try:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / TOKENIZER))
        tokenizer.save_pretrained(work / "tokenizer")
        texts = [row["text"] for row in read_rows(folder / PYTHIA)]
        tokens = windows(tokenizer(texts)["input_ids"])
        spark = start("label speed", work, f"local[{cores}]", 4040, cache_dir())
        sample = tokenizer.batch_decode(tokens)[:PEER_ROWS]

        def one(rows: int) -> Usage:
            with measured() as usage:
                by_spark(spark, work / f"rows{rows}", str(work / "tokenizer"), work / "labels")
            return usage

        def peer() -> Usage:
            with measured() as usage:
                by_presidio(sample)
            return usage

        for rows in {FILE_ROWS, *sizes}:
            write_rows(work / f"rows{rows}", tokens, rows)
        set_shuffle_partitions(spark, FILE_ROWS)  # as the pipeline does
        one(FILE_ROWS)  # Java and the workers warm up
        by_presidio(sample[:1])
        ours: dict[int, list[Usage]] = {rows: [] for rows in sizes}
        theirs: list[Usage] = []
        for _ in range(repeats):
            for rows in sizes:
                set_shuffle_partitions(spark, rows)
                ours[rows].append(one(rows))
                theirs.append(peer())
        table = Table()
        for heading in ("", "rows", "wall s", "CPU s", "rows/s a core", "CPU us a row", "peak memory, MiB"):
            table.add_column(heading, justify="right")
        described = [("the labeller", rows, cores, usages) for rows, usages in ours.items()]
        for name, rows, used, usages in [*described, ("Presidio on every row", len(sample), 1, theirs)]:
            wall, cpu = (median(getattr(usage, key) for usage in usages) for key in ("wall", "cpu"))
            table.add_row(
                name,
                f"{rows:,}",
                f"{wall:.1f}",
                f"{cpu:.1f}",
                f"{rows / wall / used:,.0f}",
                f"{cpu / rows * 1e6:,.0f}",
                f"{max(usage.peak for usage in usages) / 2**20:,.0f}" if name == "the labeller" else "",
            )
        console.print(f"{len(tokens):,} real rows of {TOKENS} tokens, repeated; {cores} cores; medians of {repeats}")
        console.print(table)
        spark.stop()
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=folder_with(PYTHIA, TOKENIZER), help=f"a folder that holds {PYTHIA} and {TOKENIZER}"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    main(options.folder, options.rows, options.cores, options.repeats)
