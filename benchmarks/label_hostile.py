"""How much hostile text slows the labeller down, and whether a row gets lost.

    python benchmarks/label_hostile.py FOLDER [--megabytes 1] [--most 2]

FOLDER holds `pythia70m_labelled.csv`. Each bait is one row of a megabyte, and its peer a row as long of that file's
text; both are labelled alone, since other rows beside them would hide how slow a bait is. All baits are labelled once,
the slowest and the peer five times in turn; medians are compared. The prefilters are a part of it, and are measured
alone in the same way, but their peer is the file's rows, as many characters: in one row of them a search would end at
the first finding.

A bait is made for every regular expression of `metrics/categories` (what the expression matches, again and again, with
an end that fits nothing), beside a list of what commonly breaks: lines without end, NUL, marks of writing direction,
lone surrogates, nested quantifiers' food, and hundreds of findings far apart, around which detectors look for words.

Exits with 1 if a bait takes more than `--most` times as long as its peer.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.markup import escape
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, from anywhere

import metrics.categories
from benchmarks.labelled_files import PYTHIA, folder_with, read_rows
from benchmarks.machine import machine
from metrics.categories import PREFILTERS, label
from metrics.categories.prefilters import passing

REPEATS = 5
SHOWN = 12
PEER = "real text"
WINDOW = 200  # characters of a row, about 64 tokens
EXAMPLES = 15
LONGEST_EXAMPLE = 2000

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

# What is found by the hundred in one text, and what lies between: words that the detectors look for near a finding.
FAR_APART = 400
FINDINGS: dict[str, str] = {
    "mail addresses": "z.oduya{}@harrowgate.net ",
    "names": "Zephrine Oduya{} ",
    "senders": "From: Zephrine Oduya <zo{}@harrowgate.net>\n",
    "telephones": "call +44 20 7946 1{:03d} ",
    "streets": "418{} Larkspur Lane, ",
    "passwords": "password = 'tr4cKt0r!{}'\n",
}
FILLERS: dict[str, str] = {
    "employers": "employer x ",
    "fields": "employer: x\n",
    "companies": "Mill Inc. ",
    "telephones": "tel: ",
    "copyrights": "copyright x\n",
    "spaces": " ",
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
    return found


def examples(pattern: re.Pattern[str]) -> list[str]:
    """Texts that an expression matches, with anything before and after the match; the same every time."""
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
        found.append(text)

    collect()
    return found


def baits(length: int) -> Iterator[tuple[str, str]]:
    """Name and text of each bait, `length` characters."""

    def filled(piece: str, end: str = "") -> str:
        return (piece * (length // len(piece) + 1))[: length - len(end)] + end

    for name, piece in COMMON.items():
        yield name, filled(piece)
        yield f"{name}, then !", filled(piece, "!")
    for name, finding in FINDINGS.items():
        for between, filler in FILLERS.items():
            yield f"{name} among {between}", far_apart(finding, filler, length)
    rng = random.Random(0)
    for name, pattern in patterns().items():
        texts = [text[:LONGEST_EXAMPLE] for text in examples(pattern) if text]
        if texts:
            longest = max(texts, key=len)
            yield name, filled(longest)
            # Matches cut short, so that the expression starts to match again and again and does not end.
            yield f"{name}, cut", filled("".join(text[: rng.randint(1, len(text))] for text in texts))


def far_apart(finding: str, filler: str, length: int) -> str:
    """`FAR_APART` findings, each with a number of its own, evenly in a text of `length` characters of filler."""
    share = length // FAR_APART
    gap = filler * (share // len(filler) + 1)
    pieces = (finding.format(number) for number in range(FAR_APART))
    return "".join((piece + gap)[:share] for piece in pieces).ljust(length)


def seconds(texts: Sequence[str]) -> float:
    """CPU seconds of labelling."""
    started = time.process_time()
    columns = label(texts)
    spent = time.process_time() - started
    if any(len(values) != len(texts) for values in columns.values()):
        raise SystemExit("a row was lost")
    return spent


def slowest(names: Sequence[str], measure: Callable[[str], float], peer: str) -> dict[str, float]:
    """The slowest of many texts over their peer.

    Args:
        names: The texts' names.
        measure: Seconds that the text of this name takes.
        peer: The peer's name.

    Returns:
        The ratio of the medians for each of the `SHOWN` slowest, the slowest first.
    """
    measure(peer)  # everything is loaded
    once = {name: measure(name) for name in names}
    shown = sorted(names, key=lambda name: -once[name])[:SHOWN]
    rounds = [{name: measure(name) for name in (peer, *shown)} for _ in range(REPEATS)]
    medians = {name: statistics.median(spent[name] for spent in rounds) for name in rounds[0]}
    return {name: medians[name] / medians[peer] for name in sorted(shown, key=lambda name: -medians[name])}


def prefiltered(texts: Sequence[str]) -> float:
    """CPU seconds of the prefilters; halves of surrogate pairs, which no parquet file holds, are replaced before."""
    texts = [text.encode(errors="replace").decode() for text in texts]
    started = time.process_time()
    passing(texts, PREFILTERS)
    return time.process_time() - started


def main(folder: Path, length: int, most: float) -> int:
    """Prints the slowest baits; 1 if one is slower than allowed."""
    console = Console(width=max(100, Console().width))
    console.print(machine())
    real = [row["text"] for row in read_rows(folder / PYTHIA)]
    times = length // sum(map(len, real)) + 1
    text, found = ("\n".join(real * times))[:length], dict(baits(length))
    rows = [text[at : at + WINDOW] for at in range(0, length, WINDOW)]
    largest = 0.0
    for what, ratios in (
        ("labelled", slowest(list(found), lambda name: seconds([text if name == PEER else found[name]]), PEER)),
        ("prefilters", slowest(list(found), lambda name: prefiltered(rows if name == PEER else [found[name]]), PEER)),
    ):
        table = Table(title=f"{len(found)} baits, {what}; the slowest", title_justify="left")
        table.add_column("bait")
        table.add_column("time over its peer's", justify="right")
        for name, ratio in ratios.items():
            table.add_row(escape(name), f"{ratio:.2f}{' too slow' if ratio > most else ''}")
        console.print(table)
        largest = max(largest, *ratios.values())
    console.print(f"largest: {largest:.2f} (at most {most:g} is allowed); no row was lost")
    return int(largest > most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=folder_with(PYTHIA), help=f"a folder that holds {PYTHIA}")
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--most", type=float, default=2.0, help="exit with 1 if a bait is slower than this")
    options = parser.parse_args()
    sys.exit(main(options.folder, int(options.megabytes * 1_000_000), options.most))
