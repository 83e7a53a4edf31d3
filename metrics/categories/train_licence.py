"""Makes `licence_words.txt`: how much each word and pair of words speaks for a licence.

Run `python -m metrics.categories.train_licence` to make it anew. Positives are windows of the licence files that come
with the installed packages and the system, negatives windows of docstrings, comments, documentation, code and
invented letters. No labelled data set is read. Everything is seeded and read in sorted order.
"""

from __future__ import annotations

import random
import re
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

from metrics.categories.licence import licence_words, plain, words_of
from metrics.categories.train_code import FOLDERS, files, fit, invented_records, python_code_and_prose, windows

TARGET = Path(__file__).with_name("licence_words.txt")
WORDS = 1500
MIN_WINDOWS = 12
L2 = 1e-3


def licence_paragraphs() -> list[str]:
    """Paragraphs of all licence files found, each text once, lists of packages and paths left out."""
    purelib = Path(sysconfig.get_path("purelib"))
    found = [*Path("/usr/share/common-licenses").glob("*")]
    for stem in ("LICENSE*", "LICENCE*", "COPYING*"):
        found += [*purelib.glob(f"*.dist-info/**/{stem}"), *purelib.glob(f"*/**/{stem}")]
    paragraphs = {}
    for path in sorted(path for path in found if path.is_file() and path.suffix != ".py"):
        for part in re.split(r"\n\s*\n", path.read_text(encoding="utf-8", errors="ignore")):
            letters = sum(character.isalpha() or character.isspace() for character in part)
            if len(part) >= 150 and letters >= 0.9 * len(part):
                paragraphs[plain(part)] = part
    return list(paragraphs.values())


def samples() -> tuple[list[str], np.ndarray]:
    """Windows and their labels (1 = licence)."""
    source = random.Random(7)
    licences = [window for part in licence_paragraphs() for window in windows(part, source)]
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    others: list[str] = []
    for path in files(roots, {".py"}, source) + files(roots, {".py"}, source) + files(roots, {".py"}, source):
        if "licens" not in path.name.lower():
            code, prose = python_code_and_prose(path)
            others += [*windows(prose, source, most=20), *windows(code, source)]
    for path in files([*roots, *FOLDERS], {".md", ".rst", ".txt"}, source):
        if "licen" not in str(path).lower() and "copying" not in path.name.lower():
            others += windows(path.read_text(encoding="utf-8", errors="ignore")[:100_000], source)
    records = invented_records(source)
    others += [window for _ in range(1500) for window in windows(next(records), source, most=1)]
    return licences + others, np.concatenate([np.ones(len(licences)), np.zeros(len(others))])


def build() -> list[tuple[str, float]]:
    """The intercept (under the name `*`) and the words with their weights, by weight."""
    texts, labels = samples()
    bags = [words_of(plain(text)) for text in texts]
    inside = Counter(word for bag, label in zip(bags, labels, strict=True) if label for word in bag)
    outside = Counter(word for bag, label in zip(bags, labels, strict=True) if not label for word in bag)
    positives, negatives = labels.sum(), len(labels) - labels.sum()

    def informativeness(word: str) -> float:
        return abs(inside[word] / positives - outside[word] / negatives)

    counted = [word for word in inside | outside if inside[word] + outside[word] >= MIN_WINDOWS]
    vocabulary = sorted(sorted(counted, key=lambda word: (-informativeness(word), word))[:WORDS])
    column = {word: index for index, word in enumerate(vocabulary)}
    features = np.zeros((len(texts), len(vocabulary)))
    for row, bag in enumerate(bags):
        features[row, [column[word] for word in bag if word in column]] = 1.0
    held_out = np.arange(len(texts)) % 5 == 0
    weights = fit(features[~held_out], labels[~held_out], L2)
    says = weights[0] + features[held_out] @ weights[1:] > 0
    truth = labels[held_out] == 1
    print(
        f"{int(positives)} licence and {int(negatives)} other windows; on the fifth held out "
        f"precision {(says & truth).sum() / says.sum():.3f}, recall {(says & truth).sum() / truth.sum():.3f}"
    )
    weights = fit(features, labels, L2)
    rounded = [(word, round(float(weight), 2)) for word, weight in zip(vocabulary, weights[1:], strict=True)]
    listed = sorted((pair for pair in rounded if pair[1]), key=lambda pair: (-pair[1], pair[0]))
    return [("*", round(float(weights[0]), 2)), *listed]


if __name__ == "__main__":
    lines = build()
    TARGET.write_text("".join(f"{word} {weight}\n" for word, weight in lines), encoding="utf-8")
    licence_words.cache_clear()
    print(f"{len(lines)} lines -> {TARGET}")
