"""Fits the coefficients of `code.py` on source files and prose found on this machine.

Run `python -m metrics.categories.train_code` and paste what it prints into `code.py`. Positives are windows of
source files (Python, C, JavaScript, CSS, HTML, Perl, shell, ... of the standard library, the installed packages and
the folders below) without comments and docstrings; negatives are windows of docstrings, comments, licences, read-me
texts, the language reference, and invented letters, contact records, counters and tables, so that digits and short
lines alone do not look like code. No labelled data set is read. Everything is seeded and read in sorted order.
"""

from __future__ import annotations

import ast
import io
import random
import re
import sys
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from metrics.categories.code import FEATURES, statistics

FOLDERS = (Path("/usr/include"), Path("/usr/share/perl"), Path("/usr/lib/node_modules"), Path("/usr/share/doc"))
SOURCE_SUFFIXES = {".h", ".hpp", ".c", ".js", ".css", ".html", ".pl", ".pm", ".sh", ".sql", ".xml", ".json", ".cuh"}
PROSE_SUFFIXES = {".txt", ".md", ".rst"}
FILES_PER_KIND = 150
WINDOWS_PER_KIND = 320
INVENTED = 1500
L2 = 1e-3
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/|<!--.*?-->", re.DOTALL)
_LINE_COMMENT = re.compile(r"(?m)(?<![:\"'])//[^\n]*$|^[ \t]*#(?!include|define|if|endif|else|undef|pragma)[^\n]*$")


def windows(text: str, source: random.Random, most: int = 6) -> Iterator[str]:
    """Up to `most` windows of 80 to 280 characters, cut anywhere."""
    for _ in range(min(most, len(text) // 300 + 1)):
        length = source.randint(80, 280)
        start = source.randint(0, max(0, len(text) - length))
        window = text[start : start + length]
        if len(window.strip()) >= 60:
            yield window


def python_code_and_prose(path: Path) -> tuple[str, str]:
    """A Python file's code without comments and docstrings, and those comments and docstrings."""
    data = path.read_bytes()
    try:
        tree = ast.parse(data)
        tokens = list(tokenize.tokenize(io.BytesIO(data).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return "", ""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    dropped = {line for node in docstrings for line in range(node.lineno, node.end_lineno + 1)}
    prose = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented)]
    lines = data.decode("utf-8", "ignore").splitlines()
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            prose.append(token.string)
            lines[row - 1] = lines[row - 1][:column].rstrip()
    code = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped and line.strip())
    # Paragraphs only: examples and parameter tables inside docstrings are neither one thing nor the other.
    paragraphs = [part for text in prose for part in re.split(r"\n\s*\n", text) if _is_prose(part)]
    return code, "\n\n".join(paragraphs)


def _is_prose(paragraph: str) -> bool:
    return ">>>" not in paragraph and "::" not in paragraph and len(re.findall(r"[()\[\]{}=_`]", paragraph)) <= 4


def files(roots: Iterable[Path], suffixes: set[str], source: random.Random) -> list[Path]:
    """A seeded choice of files with the suffixes below the roots."""
    found = sorted(
        path
        for root in roots
        if root.is_dir()
        for path in root.rglob("*")
        if path.suffix in suffixes and path.is_file()
    )
    return source.sample(found, min(FILES_PER_KIND, len(found)))


def invented_records(source: random.Random) -> Iterator[str]:
    """Letters, contact records, counters and tables: not code, though full of digits, colons and short lines."""
    from faker import Faker

    fake = Faker(["en_US", "en_GB"])
    fake.seed_instance(source.randint(0, 2**31))
    while True:
        yield f"Dear {fake.name()},\n\n{fake.paragraph(5)}\n\nSincerely,\n{fake.name()}\n{fake.phone_number()}"
        yield (
            f"Name: {fake.name()}\nPhone: {fake.phone_number()}\nEmail: {fake.email()}\nAddress: {fake.address()}\n" * 2
        )
        yield f"From: {fake.name()} <{fake.email()}>\nTo: {fake.email()}\nSubject: {fake.sentence()}\n{fake.text()}"
        label = source.choice(("", "", "Item ", "Page ", "row ", "Chapter ", "Figure ", "line ", "- "))
        joint = source.choice(("\n", ", ", " ", "; ", ".\n", " | ", "\t"))
        start, step = source.randint(0, 9999), source.choice((1, 2, 5, 10, 100))
        form = source.choice(("{}", "{}", "{:05d}", "0x{:04x}", "{:04X}"))
        yield joint.join(label + form.format(start + step * index) for index in range(90))
        word = fake.word()
        yield joint.join(f"{word} {fake.word() if source.random() < 0.1 else word}" for _ in range(60))
        yield "\n".join([joint.join(str(source.randint(0, 99) / 10) for _ in range(source.randint(1, 8)))] * 40)
        yield "\n".join(f"{fake.city()}  {source.randint(1, 999)}  {source.random():.2f}" for _ in range(20))
        yield "\n".join(f"| {fake.word()} | {source.randint(1, 999)} | {source.randint(1, 999)} |" for _ in range(20))
        yield "\n".join(f"{fake.date()}{source.choice((' ', ', '))}{source.randint(1, 99)}" for _ in range(20))
        yield "\n".join([source.choice("-=*#~+") * source.randint(5, 40), fake.word()] * 30)
        yield fake.paragraph(8).upper()
        yield fake.paragraph(8)


def samples() -> tuple[list[str], np.ndarray]:
    """Windows and their labels (1 = code)."""
    source = random.Random(20)
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib")), *FOLDERS]
    code: list[str] = []
    prose: list[str] = []
    for path in files(roots[:2], {".py"}, source) + files(roots[:2], {".py"}, source):
        python, comments = python_code_and_prose(path)
        code.extend(windows(python, source))
        prose.extend(windows(comments, source))
    for suffix in sorted(SOURCE_SUFFIXES):
        kind: list[str] = []
        for path in files(roots, {suffix}, source):
            text = path.read_text(encoding="utf-8", errors="ignore")[:200_000]
            if suffix not in {".json", ".html", ".xml"}:
                text = _LINE_COMMENT.sub("", _BLOCK_COMMENT.sub("", text))
            kind.extend(windows(re.sub(r"\n\s*\n+", "\n", text), source))
        code.extend(kind[:WINDOWS_PER_KIND])
    for path in files([*roots, Path("/usr/share/common-licenses")], PROSE_SUFFIXES, source):
        text = path.read_text(encoding="utf-8", errors="ignore")[:200_000]
        paragraphs = [part for part in re.split(r"\n\s*\n", text) if _is_prose(part) and len(part) > 100]
        prose.extend(windows("\n\n".join(paragraphs), source))
    prose.extend([text.upper() for text in prose[::10]])
    records = invented_records(source)
    for _ in range(INVENTED):
        prose.extend(windows(next(records), source, most=1))
    labels = np.concatenate([np.ones(len(code)), np.zeros(len(prose))])
    return code + prose, labels


def fit(features: np.ndarray, labels: np.ndarray, l2: float) -> np.ndarray:
    """L2-regularised logistic regression by Newton's method, classes weighted alike: [1 + F], intercept first."""
    inputs = np.hstack([np.ones((len(features), 1)), features])
    share = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    weights = np.zeros(inputs.shape[1])
    penalty = np.full(inputs.shape[1], l2 * len(inputs))
    penalty[0] = 0.0
    for _ in range(30):
        predicted = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (share * (predicted - labels)) + penalty * weights
        hessian = (inputs * (share * predicted * (1 - predicted))[:, None]).T @ inputs + np.diag(penalty)
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """F1 of the class 1."""
    hits = float((predicted & (labels == 1)).sum())
    return 2 * hits / max(1.0, predicted.sum() + labels.sum())


if __name__ == "__main__":
    texts, labels = samples()
    features = statistics(texts)
    held_out = np.arange(len(texts)) % 5 == 0
    weights = fit(features[~held_out], labels[~held_out], L2)
    predicted = weights[0] + features[held_out] @ weights[1:] > 0
    print(
        f"# {int(labels.sum())} code and {int((1 - labels).sum())} other windows; "
        f"F1 {f1(predicted, labels[held_out]):.3f} on the fifth held out",
        file=sys.stderr,
    )
    weights = fit(features, labels, L2)
    print(f"INTERCEPT = {weights[0]:.3f}")
    print("COEFFICIENTS: dict[str, float] = {")
    for name, weight in zip(FEATURES, weights[1:], strict=True):
        print(f'    "{name}": {weight:.3f},')
    print("}")
