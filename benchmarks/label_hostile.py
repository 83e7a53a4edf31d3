"""How much hostile text slows the labeller down, and whether a row gets lost.

    python benchmarks/label_hostile.py FOLDER [--megabytes 1] [--most 2]

FOLDER holds `pythia70m_labelled.csv`. Each bait is one row of a megabyte beside 2,000 real rows; its peer is a row as
long of the real rows' text. All are labelled once, and the slowest and their peers in turn, three times. A bait is made
for every regular expression of `metrics/categories` (what the expression matches, again and again, with an end that
fits nothing), beside a list of what commonly breaks: lines without end, NUL, marks of writing direction, lone
surrogates, nested quantifiers' food. The prefilters run in Java, as in a run; there, texts with lone surrogates cannot
occur (parquet holds none).
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

import metrics.categories
from benchmarks.labelled_files import PYTHIA, read_rows
from benchmarks.machine import machine
from data.cache import cache_dir
from metrics.categories import PREFILTERS, label

ROWS = 2_000
REPEATS = 3
SHOWN = 12
EXAMPLES = 12

COMMON: dict[str, str] = {
    "one letter": "a",
    "one capital": "A",
    "one digit": "1",
    "spaces": " ",
    "line breaks": "\n",
    "tabs and breaks": " \t\n",
    "NUL": "\0",
    "right-to-left marks": "\u200f\u202eab ",
    "lone surrogates": "\ud83d ",
    "combining marks": "a\u0301\u0302",
    "emoji": "\U0001f600",
    "at signs": "@",
    "a@": "a@",
    "a.": "a.",
    "a@a.": "a@a.",
    "digits and spaces": "12 ",
    "digits and dots": "1.1.1.",
    "digits and dashes": "1-1-",
    "open brackets": "(",
    "quotes": "\"'",
    "nested quotes": "'\"'\"",
    "slashes": "/",
    "dashes": "-",
    "capitalized words": "Aa ",
    "capitalized words and commas": "Aa, Aa ",
    "names": "Ann Bell ",
    "Dear": "Dear ",
    "From:": "From: ",
    "Re: Fw:": "Re: Fw: ",
    "password=": "password=",
    "key: ": "key: ",
    "://a:b": "://a:b",
    "eyJ": "eyJ",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
    "hexadecimal": "deadbeef01",
    "0x": "0x",
    "BEGIN": "-----BEGIN ",
    "IBAN": "GB29NWBK",
    "telephones": "+44 20 7946 1823 ",
    "tel:": "tel: ",
    "addresses": "12 Main Street ",
    "born": "born on ",
    "a counter": "1, 2, 3, ",
    "copyright": "Copyright (c) ",
}


def patterns() -> dict[str, re.Pattern[str]]:
    """Every compiled expression in the modules of `metrics.categories`, by where it stands."""
    found: dict[str, re.Pattern[str]] = {}

    def look(name: str, value: object, depth: int = 0) -> None:
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            found[name] = value
        elif isinstance(value, (tuple, list)) and depth < 3:
            for place, one in enumerate(value):
                look(f"{name}[{place}]", one, depth + 1)
        elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type) and depth < 3:
            for field in value.__dataclass_fields__:
                look(f"{name}.{field}", getattr(value, field), depth + 1)

    for module in pkgutil.iter_modules(metrics.categories.__path__):
        if not module.ispkg and not module.name.startswith("train_"):
            loaded = importlib.import_module(f"metrics.categories.{module.name}")
            for name, value in vars(loaded).items():
                look(f"{module.name}.{name}", value)
    return found | {f"prefilter {name}": re.compile(pattern) for name, pattern in PREFILTERS.items()}


def examples(pattern: re.Pattern[str]) -> list[str]:
    """A few texts that the expression matches, the same every time."""
    found: list[str] = []

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.from_regex(pattern))
    def collect(text: str) -> None:
        found.append(text[:2000])

    collect()
    return found


def baits(length: int) -> Iterator[tuple[str, str]]:
    """Name and text of each bait, `length` characters."""

    def filled(piece: str, end: str = "") -> str:
        return (piece * (length // len(piece) + 1))[: length - len(end)] + end

    for name, piece in COMMON.items():
        yield name, filled(piece)
        yield f"{name}, then !", filled(piece, "!")
    rng = random.Random(0)
    for name, pattern in patterns().items():
        texts = [text for text in examples(pattern) if text]
        if texts:
            longest = max(texts, key=len)
            yield name, filled(longest)
            # Matches cut short, so that the expression starts to match again and again and does not end.
            yield f"{name}, cut", filled("".join(text[: rng.randint(1, len(text))] for text in texts))


def seconds(texts: Sequence[str]) -> float:
    """CPU seconds of labelling."""
    started = time.process_time()
    columns = label(texts)
    spent = time.process_time() - started
    if any(len(values) != len(texts) for values in columns.values()):
        raise SystemExit("a row was lost")
    return spent


def in_java(texts: dict[str, str], ordinary: str) -> dict[str, float]:
    """Seconds that the prefilters need for each text in Spark, over those for ordinary text of the same length."""
    from pyspark.sql import functions as F

    from spark_jobs.session import start

    work = Path(tempfile.mkdtemp(prefix="label-hostile-"))
    names = list(texts)
    all_texts = [ordinary, *(text.encode("utf-8", "replace").decode() for text in texts.values())]
    for number, text in enumerate(all_texts):
        pq.write_table(pa.table({"text": [text] * 4}), work / f"{number}.parquet")
    spark = start("hostile text", work, "local[1]", 4040, cache_dir())
    spent: list[list[float]] = [[] for _ in all_texts]
    for _ in range(2):  # the first to warm up
        for number in range(len(all_texts)):
            frame = spark.read.parquet(str(work / f"{number}.parquet"))
            hits = [F.sum(F.col("text").rlike(pattern).cast("int")) for pattern in PREFILTERS.values()]
            started = time.monotonic()
            frame.agg(F.count("*"), *hits).collect()
            spent[number].append(time.monotonic() - started)
    spark.stop()
    ordinary_seconds, *others = (one[-1] for one in spent)
    return dict(zip(names, (value / ordinary_seconds for value in others), strict=True))


def main(folder: Path, length: int, most: float) -> int:
    """Prints the slowest baits; 1 if one is slower than allowed."""
    console = Console(width=max(100, Console().width))
    console.print(machine())
    rows = [row["text"] for row in read_rows(folder / PYTHIA)]
    real = (rows * (ROWS // len(rows) + 1))[:ROWS]
    text = "\n".join(rows)
    ordinary = (text * (length // len(text) + 1))[:length]
    label(real[:100])  # everything is loaded
    found = dict(baits(length))
    once = {name: seconds([*real, bait]) for name, bait in found.items()}
    ratios: dict[str, float] = {}
    for name in sorted(once, key=lambda name: -once[name])[:SHOWN]:
        spent = [(seconds([*real, found[name]]), seconds([*real, ordinary])) for _ in range(REPEATS)]
        ratios[name] = statistics.median(bad for bad, _ in spent) / statistics.median(good for _, good in spent)
    java = in_java(found, ordinary)
    table = Table(title=f"{len(found)} baits of {length:,} characters; the slowest", title_justify="left")
    for heading in ("bait", "time of its batch over its peer's", "prefilters in Java, over ordinary text's"):
        table.add_column(heading, justify="left" if heading == "bait" else "right")
    for name in sorted(ratios, key=lambda name: -ratios[name]):
        table.add_row(name, f"{ratios[name]:.2f}", f"{java[name]:.2f}")
    console.print(table)
    console.print(f"largest: {max(ratios.values()):.2f} in a batch, {max(java.values()):.2f} in Java; no row was lost")
    return int(max(ratios.values()) > most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--most", type=float, default=2.0, help="exit with 1 if a batch is slower than this")
    options = parser.parse_args()
    sys.exit(main(options.folder, int(options.megabytes * 1_000_000), options.most))
