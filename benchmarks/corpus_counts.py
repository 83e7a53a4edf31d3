"""Speed of counting windows of sequences in a tokenized corpus, beside two plain ways to do it, in one run.

    python benchmarks/corpus_counts.py [--tokens 400000000] [--targets 100000] [--cores 2] [--repeats 3]

The corpus is drawn from a Zipf distribution, in documents of 2,049 tokens as Pythia saw them; the targets are 64 of its
tokens each, half of them from the corpus and half not. Prefixes, suffixes and wholes are counted, and every token, once
from token files and once from parquet; all counts must be equal. The peers see a hundredth of the corpus, as they would
take hours, and targets of which half are from there: a dictionary of byte strings that is asked at every place, and
Spark's own functions (every place its window, then a join). Their counts must be equal to ours on that part. All ways
take turns.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

from benchmarks.machine import machine
from benchmarks.usage import measured
from data.cache import cache_dir
from data.corpus import open_corpus
from spark_jobs.duplicates import count_in_corpus
from spark_jobs.session import start

VOCABULARY = 50304
DOCUMENT = 2049
T, P = 64, 32
SLICES = {"whole": slice(0, T), "prefix": slice(0, P), "suffix": slice(P, T)}
PEERS_SHARE = 100
_WRITTEN = 2**24  # tokens drawn at once


def write_pair(path: Path, documents: Iterable[np.ndarray], dtype: str = "<u2") -> Path:
    """Writes `path`.bin and `path`.idx as Megatron-LM does; returns the first."""
    codes = {"u1": 1, "i1": 2, "<i2": 3, "<i4": 4, "<i8": 5, "<u2": 8}
    sizes = []
    with path.with_name(f"{path.name}.bin").open("wb") as file:
        for document in documents:
            file.write(np.asarray(document, dtype).tobytes())
            sizes.append(len(document))
    pointers = np.cumsum([0, *sizes[:-1]]) * np.dtype(dtype).itemsize
    with path.with_name(f"{path.name}.idx").open("wb") as file:
        file.write(struct.pack("<9sQBQQ", b"MMIDIDX\0\0", 1, codes[dtype], len(sizes), len(sizes) + 1))
        for array, kind in ((sizes, "<i4"), (pointers, "<i8"), (np.arange(len(sizes) + 1), "<i8")):
            file.write(np.asarray(array, kind).tobytes())
    return path.with_name(f"{path.name}.bin")


def write_corpus(folder: Path, tokens: int) -> None:
    """`corpus.bin`/`.idx` and `corpus.parquet`: the same documents; and `part.*`, the first hundredth of them."""
    rng = np.random.default_rng(0)
    drawn = [
        (rng.zipf(1.3, min(_WRITTEN, tokens - at)) % VOCABULARY).astype(np.uint16) for at in range(0, tokens, _WRITTEN)
    ]
    stream = np.concatenate(drawn)
    for name, count in (("corpus", tokens), ("part", tokens // PEERS_SHARE)):
        begins = range(0, count, DOCUMENT)
        write_pair(folder / name, (stream[begin : min(begin + DOCUMENT, count)] for begin in begins))
        ends = pa.array([*begins, count], pa.int64())
        rows = pa.LargeListArray.from_arrays(ends, pa.array(stream[:count].astype(np.int32)))
        table = pa.table({"tokens": rows.cast(pa.list_(pa.int32())) if count < 2**31 else rows})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=4096, compression="zstd")


def draw_targets(corpus: Path, count: int) -> np.ndarray:
    """int32 [count, T]: half from anywhere in a token file, half by chance."""
    rng = np.random.default_rng(1)
    stream = np.memmap(corpus, "<u2", "r")
    begins = rng.integers(0, len(stream) - T, count // 2)
    return np.concatenate(
        [stream[begins[:, None] + np.arange(T)], rng.integers(0, VOCABULARY, (count - len(begins), T))]
    ).astype(np.int32)


def by_dictionary(targets: np.ndarray, corpus: Path) -> dict[str, np.ndarray]:
    """The counts by a look-up of every window's bytes, document by document."""
    stream = np.fromfile(corpus, "<u2")
    targets = targets.astype("<u2")
    seen: dict[int, Counter[bytes]] = {}
    for length in {part.stop - part.start for part in SLICES.values()}:
        wanted = {
            row[part].tobytes() for part in SLICES.values() if part.stop - part.start == length for row in targets
        }
        seen[length] = Counter()
        for begin in range(0, len(stream), DOCUMENT):
            document = stream[begin : begin + DOCUMENT].tobytes()
            for place in range(0, len(document) - 2 * length + 1, 2):
                window = document[place : place + 2 * length]
                if window in wanted:
                    seen[length][window] += 1
    return {
        name: np.array([seen[part.stop - part.start][row[part].tobytes()] for row in targets])
        for name, part in SLICES.items()
    }


def by_spark_functions(spark: SparkSession, targets: np.ndarray, corpus: Path) -> dict[str, np.ndarray]:
    """The counts by Spark SQL: a row for every place, joined with the windows that are wanted."""
    documents = spark.read.parquet(str(corpus)).select("tokens")
    counts = {}
    for name, part in SLICES.items():
        length = part.stop - part.start
        rows = pa.table({"target": np.arange(len(targets)), "window": list(targets[:, part])})
        places = F.sequence(F.lit(1), F.size("tokens") - length + 1)
        windows = documents.where(F.size("tokens") >= length).select("tokens", F.explode(places).alias("place"))
        windows = windows.select(F.slice("tokens", F.col("place"), length).alias("window"))
        joined = windows.join(F.broadcast(spark.createDataFrame(rows)), "window").groupBy("target").count().toArrow()
        counts[name] = np.zeros(len(targets), np.int64)
        counts[name][joined.column("target").to_numpy()] = joined.column("count").to_numpy()
    return counts


def main(tokens: int, targets: int, cores: int, repeats: int) -> None:
    """Prints the table."""
    console = Console(width=max(110, Console().width))
    console.print(machine(), highlight=False)
    work = Path(tempfile.mkdtemp(prefix="corpus-counts-"))
    try:
        write_corpus(work, tokens)
        part = tokens // PEERS_SHARE
        wanted, wanted_of_part = (draw_targets(work / f"{name}.bin", targets) for name in ("corpus", "part"))
        spark = start("corpus counts", work, f"local[{cores}]", 4040, cache_dir())

        def ours(name: str, wanted: np.ndarray = wanted) -> dict[str, np.ndarray]:
            counts, token_counts = count_in_corpus(
                spark, wanted, SLICES, open_corpus(work / name), VOCABULARY, work / "windows"
            )
            return counts | {"tokens": token_counts}

        variants = {
            "ours, .bin and .idx": (tokens, lambda: ours("corpus.bin")),
            "ours, parquet": (tokens, lambda: ours("corpus.parquet")),
            "a dictionary of windows, one process": (part, lambda: by_dictionary(wanted_of_part, work / "part.bin")),
            "Spark's explode, slice and join": (
                part,
                lambda: by_spark_functions(spark, wanted_of_part, work / "part.parquet"),
            ),
        }
        expected = {part: ours("part.bin", wanted_of_part)}  # and Java warms up
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
        for _ in range(repeats):
            for name, (count, run) in variants.items():
                with measured() as usage:
                    found = run()
                seconds[name].append((usage.wall, usage.cpu))
                first = expected.setdefault(count, found)
                if any((first[one] != counts).any() for one, counts in found.items()):
                    raise SystemExit(f"{name} counts otherwise than ours")
        spark.stop()
        table = Table("way", "tokens", "wall s", "CPU s", "million tokens/s", "times the last")
        rates = {name: variants[name][0] / statistics.median(w for w, _ in seconds[name]) / 1e6 for name in variants}
        for name, taken in seconds.items():
            wall, cpu = (statistics.median(values) for values in zip(*taken, strict=True))
            ratio = rates[name] / rates[list(variants)[-1]]
            table.add_row(
                name, f"{variants[name][0]:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{rates[name]:.2f}", f"{ratio:.0f}"
            )
        console.print(
            f"{targets:,} targets of {P} + {T - P} tokens; {cores} cores; medians of {repeats}", highlight=False
        )
        console.print(table)
        for count, counts in sorted(expected.items()):
            windows = ", ".join(f"{int(counts[name].sum()):,} {name}" for name in SLICES)
            console.print(f"equal counts in {count:,} tokens: {windows} occurrences", highlight=False)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=400_000_000)
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    main(options.tokens, options.targets, options.cores, options.repeats)
