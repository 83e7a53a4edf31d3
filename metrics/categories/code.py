"""Source code, markup and tables of symbols against natural language, by the signs and pairs of signs they use.

A text is reduced to 64 symbols: the small letters, one symbol for all capitals, one for all digits, line break, space,
each ASCII sign, one for control characters and one for everything else. How often each symbol and each pair of
neighbours occurs is what a logistic regression weighs: `_`, ` =`, `</` and `eA` speak for code, ` A`, `. ` and `n ` for
prose. The table of weights, `code_weights.txt`, can be read; `train_code.py` makes it. Comments and docstrings count as
prose there, so a licence header in a comment is not code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np

from metrics.categories.chunks import chunks
from metrics.categories.evidence import Category, Evidence, Rows
from metrics.metric import Column

THRESHOLD = 0.45  # cross-validation chooses 0.24 to 0.46; F1 hardly moves in between
WEIGHTS_FILE = "code_weights.txt"

SYMBOLS = "abcdefghijklmnopqrstuvwxyzA0\n !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\0é"
GRAMS = 64 * 64 + 64  # all pairs, then the symbols alone
_FIRST_SIGN = SYMBOLS.index(
    "\n"
)  # a run of these counts as two at most: a ruler or an indent of any length is the same
_SIGNS_OF_ONE_CHUNK = 1 << 16  # so that the arrays stay in the processor's cache: half the time of 1 << 20
_TEXT = 20_000  # characters; enough to tell code from prose, and bounds the time of a very long row


def _symbol_of_byte() -> bytes:
    table = bytearray([SYMBOLS.index("é")] * 256)
    table[:32] = bytes([SYMBOLS.index("\0")] * 32)
    for character in map(chr, range(32, 127)):
        shape = "A" if character.isupper() else "0" if character.isdigit() else character
        table[ord(character)] = SYMBOLS.index(shape)
    table[127] = SYMBOLS.index("\0")
    table[ord("\n")] = SYMBOLS.index("\n")
    for blank in b"\t\r":
        table[blank] = SYMBOLS.index(" ")
    return bytes(table)


_SYMBOL_OF_BYTE = _symbol_of_byte()


def gram(text: str) -> int:
    """The number of a pair of symbols or of a single one; `aA` is any small a before any capital."""
    numbers = [SYMBOLS.index(symbol) for symbol in text]
    return numbers[0] * 64 + numbers[1] if len(numbers) == 2 else 64 * 64 + numbers[0]


def grams(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much of each text is each symbol and each pair of symbols.

    Args:
        texts: N strings; only the first 20,000 characters of a text are read.

    Returns:
        Row, gram and value of each different gram of each text, sorted by row and gram; int64, int64, float64 [M]. The
        value is the square root of the gram's count over the text's number of symbols, in (0, 1]: the first bracket in
        a window says more than the 20th. Signs that repeat count as two, so `----` has the one pair `--`.
    """
    encoded = [text[:_TEXT].encode("utf-8", "surrogatepass").translate(_SYMBOL_OF_BYTE) for text in texts]
    symbols = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    rows = np.repeat(np.arange(len(texts), dtype=np.int32), [len(one) for one in encoded])
    if len(symbols) > 2:
        again = (symbols[2:] == symbols[1:-1]) & (symbols[2:] == symbols[:-2]) & (symbols[2:] >= _FIRST_SIGN)
        kept = np.append([True, True], ~(again & (rows[2:] == rows[:-2])))
        symbols, rows = symbols[kept], rows[kept]
    keys = rows * np.int32(GRAMS)
    pairs = keys[:-1] + (symbols[:-1] * np.int32(64) + symbols[1:])
    everything = np.concatenate([pairs[rows[1:] == rows[:-1]], keys + (64 * 64 + symbols.astype(np.int32))])
    everything.sort()
    first = np.flatnonzero(np.append(True, everything[1:] != everything[:-1])) if len(everything) else everything
    row, which = np.divmod(everything[first].astype(np.int64), GRAMS)
    lengths = np.bincount(rows, minlength=len(texts))
    return row, which, np.sqrt(np.diff(first, append=len(everything)) / lengths[row])


@cache
def weights() -> tuple[float, np.ndarray]:
    """The bias, and float64 [GRAMS]: the weight of each gram, 0 for those that are not in the file."""
    table = np.zeros(GRAMS)
    bias = 0.0
    for line in resources.files("metrics.categories").joinpath(WEIGHTS_FILE).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        weight, name = line.split(" ", 1)
        if name == "bias":
            bias = float(weight)
        else:
            table[gram(json.loads(name))] = float(weight)
    return bias, table


def code_probability(texts: Sequence[str]) -> np.ndarray:
    """Probability that each text is code, markup or a table of symbols rather than natural language.

    Args:
        texts: N strings.

    Returns:
        float64 [N] in [0, 1]: 1 / (1 + exp(-(bias + sum of weight x value of its grams))); 0 for a blank text.
    """
    bias, table = weights()
    logits = np.full(len(texts), bias)
    for start, chunk in chunks(texts, _SIGNS_OF_ONE_CHUNK, _TEXT):
        rows, which, values = grams(chunk)
        logits[start : start + len(chunk)] += np.bincount(rows, weights=table[which] * values, minlength=len(chunk))
    probability = 1.0 / (1.0 + np.exp(-np.clip(logits, -40, 40)))
    return np.where([bool(text) and not text.isspace() for text in texts], probability, 0.0)


def find(rows: Rows) -> Evidence:
    """Evidence of code in each row."""
    probability = code_probability(rows.texts)
    holds = (probability >= THRESHOLD).tolist()
    return Evidence(
        holds=holds,
        columns={"code_probability": probability.astype(np.float32)},
        why=[
            f"code probability {value:.2f} by its signs and pairs of signs" if hold else ""
            for hold, value in zip(holds, probability.tolist(), strict=True)
        ],
    )


CATEGORY = Category(
    name="code",
    harmful=False,
    description="Source code, markup, LaTeX, stack traces or tables of symbols.",
    columns=(
        Column(
            "code_probability",
            "float32",
            f"Probability that the text is code, markup or a table of symbols; {THRESHOLD} is enough.",
            unit="probability",
            range="[0, 1]",
            formula="1 / (1 + exp(-(b + w . x))), x the square roots of the shares of signs and pairs of signs",
        ),
    ),
    find=find,
)
