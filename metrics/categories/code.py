"""Source code, markup and data literals against natural language, from 17 statistics of the text's syntax.

A logistic regression on shares of characters and words: transparent (each coefficient has a name), and fast (the
character counts of a whole batch are one numpy pass). `train_code.py` fits the coefficients on source files and
prose found on the machine that runs it; comments and docstrings count there as prose, so a licence header in a
comment is not code.
"""

# ruff: noqa: SIM905 (a word list reads better as text)

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from metrics.categories.evidence import Category, Evidence, Rows
from metrics.metric import Column

THRESHOLD = 0.5

# Character classes, in the order of the first 13 features; each byte belongs to at most one.
_CLASSES: tuple[tuple[str, bytes], ...] = (
    ("letters", b"abcdefghijklmnopqrstuvwxyz"),
    ("capitals", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("digits", b"0123456789"),
    ("line_breaks", b"\n"),
    ("other_space", b" \t\r"),
    ("brackets", b"()[]"),
    ("braces_semicolons", b"{};"),
    ("equals_operators", b"=+*&|!%^~"),
    ("angles", b"<>"),
    ("underscores_dollars", b"_$\\#@"),
    ("quotes", b"\"'`"),
    ("slashes_colons", b"/:"),
    ("sentence_marks", b".,?"),
)
_FUNCTION_WORDS = frozenset(
    """the of and to a in is that it was for on as with be by are this have from or at which but not you we his her
    they an will would can has had were been their your our i my he she""".split()
)
_SYNTAX = re.compile(
    r"\w\.\w|\w\(|\w\[|->|=>|::|==|!=|&&|\|\||\+=|\);|\]\)|\)\)|</|/>|\\[a-z]+\{|\w_\w|[a-z][A-Z]|\$\w|0x[0-9A-Fa-f]|"
    r"[,({\[]\n|\"[:,\]]|'[:,\]]|\w="
)
_KEYWORD = re.compile(
    r"\b(?:def |class |return\b|import |self\b|const |static |void |int |public |private |function\b|var |let |"
    r"if \(|for \(|else\b|elif |None\b|True\b|False\b|null\b|true\b|false\b|nullptr\b|struct |typedef |include |"
    r"raise |except\b|try:|lambda |assert |isinstance\(|len\(|str\b|bool\b|float\b|double |char |namespace |template)"
)
_CODE_LINE_END = re.compile(r"[;{},(:\\\])>=][ \t]{0,4}\n")
FEATURES = (*(name for name, _ in _CLASSES), "function_words", "syntax", "keywords", "code_line_ends")

# Fitted by `python -m metrics.categories.train_code`, which prints these lines.
INTERCEPT = -0.652
COEFFICIENTS: dict[str, float] = {
    "letters": -1.058,
    "capitals": -0.922,
    "digits": -0.697,
    "line_breaks": -0.602,
    "other_space": -0.327,
    "brackets": 4.181,
    "braces_semicolons": 3.085,
    "equals_operators": 1.393,
    "angles": 3.705,
    "underscores_dollars": 4.505,
    "quotes": 2.347,
    "slashes_colons": 2.179,
    "sentence_marks": -2.319,
    "function_words": -1.973,
    "syntax": 4.356,
    "keywords": 3.044,
    "code_line_ends": 5.069,
}

# Signs that prose has, too: rulers, (c), the addresses of mailboxes and pages, the marks that lead comment lines.
_MAIL = re.compile(r"<?[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}>?")
_NEUTRAL = re.compile(
    r"([^\w\s])\1{3,}|<?\bhttps?://[^\s<>\"']{1,200}>?|\([cC]\)|"
    r"(?m:^[ \t]{0,40}(?:#|//|/?\*{1,2}|;;?|--)(?=[ \t]|$))"
)
_TEXT_BYTES = 20_000  # enough to tell code from prose; bounds the time of a very long row


def statistics(texts: Sequence[str]) -> np.ndarray:
    """The features of each text.

    Args:
        texts: N strings; only the first 20,000 bytes of a text are read.

    Returns:
        float64 [N, 17]: square roots of shares of the text's bytes (characters) or of counts per byte (words,
        syntax), in the order of `FEATURES`. Square roots, since one bracket in a window says more than the 20th.
    """
    texts = [_NEUTRAL.sub("", _without_mail(text[:_TEXT_BYTES])) for text in texts]
    encoded = [text.encode("utf-8", "replace") for text in texts]
    lengths = np.array([max(1, len(one)) for one in encoded], dtype=np.float64)
    counts = np.zeros((len(texts), len(FEATURES)))
    if any(encoded):
        codes = _class_of_byte()[np.frombuffer(b"".join(encoded), dtype=np.uint8)].astype(np.int64)
        row_of_byte = np.repeat(np.arange(len(texts)), [len(one) for one in encoded])
        width = len(_CLASSES) + 1
        tally = np.bincount(row_of_byte * width + codes, minlength=len(texts) * width)
        counts[:, : len(_CLASSES)] = tally.reshape(len(texts), width)[:, : len(_CLASSES)]
    for row, text in enumerate(texts):
        counts[row, len(_CLASSES) :] = (
            sum(word in _FUNCTION_WORDS for word in text.lower().split()),
            len(_SYNTAX.findall(text)),
            len(_KEYWORD.findall(text)),
            len(_CODE_LINE_END.findall(text)),
        )
    return np.sqrt(counts / lengths[:, None])


def code_probability(texts: Sequence[str]) -> np.ndarray:
    """Probability that each text is code, markup or data literals rather than natural language.

    Args:
        texts: N strings.

    Returns:
        float64 [N] in [0, 1]: 1 / (1 + exp(-(intercept + features . coefficients))); 0 for an empty text.
    """
    weights = np.array([COEFFICIENTS[name] for name in FEATURES])
    logit = INTERCEPT + statistics(texts) @ weights
    probability = 1.0 / (1.0 + np.exp(-np.clip(logit, -40, 40)))
    return np.where([bool(text.strip()) for text in texts], probability, 0.0)


def _without_mail(text: str) -> str:
    return _MAIL.sub("", text) if "@" in text else text


def _class_of_byte() -> np.ndarray:
    table = np.full(256, len(_CLASSES), dtype=np.uint8)
    for index, (_, members) in enumerate(_CLASSES):
        table[list(members)] = index
    return table


def find(rows: Rows) -> Evidence:
    """Evidence of code in each row."""
    probability = code_probability(rows.texts)
    return Evidence(
        holds=(probability >= THRESHOLD).tolist(),
        columns={"code_probability": probability.astype(np.float32)},
        why=[f"code probability {value:.2f} from {len(FEATURES)} syntax statistics" for value in probability],
    )


CODE = Category(
    name="code",
    harmful=False,
    description="Source code, markup or data literals.",
    columns=(
        Column(
            "code_probability",
            "float32",
            "Probability that the text is code, markup or data literals.",
            unit="probability",
            range="[0, 1]",
            formula="1 / (1 + exp(-(b + w . x))), x the square roots of 17 syntax statistics",
        ),
    ),
    find=find,
)
