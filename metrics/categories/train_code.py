"""Makes `code_weights.txt`: how much each sign and pair of signs speaks for code.

Run `python -m metrics.categories.train_code` to make it anew; with the pinned packages the same file results anywhere.
Code are windows of the packages' source files (Python, C, C++, JavaScript, CSS, XML, schemas, protocol buffers, ...)
outside comments, and pieces from templates of other languages, LaTeX and tables of symbols. The others are windows of
comments, docstrings, read-me texts and licences, and invented letters, records, judgments, references, lists and prose,
foreign prose too, so that digits, brackets and short lines alone do not look like code. No labelled data set is read.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import numpy as np

from metrics.categories.code import GRAMS, SYMBOLS, WEIGHTS_FILE, grams
from metrics.categories.training.files import provenance
from metrics.categories.training.invented_code import invented_code
from metrics.categories.training.invented_prose import invented_prose
from metrics.categories.training.logistic import Sparse, balanced, f1, fit
from metrics.categories.training.samples import Samples, files_by_kind
from metrics.categories.training.windows import code_and_prose, windows

TARGET = Path(__file__).with_name(WEIGHTS_FILE)
SEED = 20
FILES_PER_KIND = 150
WINDOWS_PER_KIND = 400
INVENTED = 4000
LEAST_WINDOWS = 8  # a gram that occurs in fewer gets no weight
L2 = 0.003
_SCALE = 7.0  # brings the values near 1, so that the penalty means the same for bias and weights
HEADER = """\
# How much each sign, and each pair of neighbouring signs, speaks for code; read by metrics/categories/code.py.
# A stands for any capital, 0 for any digit, a blank for any space but the line break, \\u0000 for control characters,
# \\u00e9 for all that is not ASCII. Weights are for the square root of a gram's share of the text.
# made by: python -m metrics.categories.train_code
# packages: {packages}
# read: {files}
# trained on: {code} windows of code and {other} of other text, seed {seed}
# F1 {f1:.3f} on a fifth of the files held out
"""


def samples() -> Samples:
    """Windows of code (1) and of other text (0)."""
    found = Samples()
    for kind, files in files_by_kind():
        source = random.Random(f"{SEED} {kind}")
        room = [WINDOWS_PER_KIND, WINDOWS_PER_KIND]
        for file in source.sample(files, min(FILES_PER_KIND, len(files))):
            found.read.append(file)
            if kind == "licence":
                code, prose = [], [window for _, window in windows(file.read(), source, 4)]
            else:
                code, prose = code_and_prose(file, source)
            for label, drawn in ((1, code), (0, prose)):
                found.add(drawn[: room[label]], label)
                room[label] -= len(drawn[: room[label]])
    found.add_invented(invented_code, 1, INVENTED, random.Random(f"{SEED} invented code"))
    found.add_invented(invented_prose, 0, INVENTED, random.Random(f"{SEED} invented prose"))
    source = random.Random(f"{SEED} spaces")
    found.texts = [_spaced(text, source) for text in found.texts]
    return found


def _spaced(text: str, source: random.Random) -> str:
    """Half of the texts as they are, a quarter without line breaks, a quarter without runs of spaces: corpora that
    went through other hands often lack them."""
    match source.randint(0, 3):
        case 0:
            return text.replace("\n", " ")
        case 1:
            return re.sub(r"[ \t]+", " ", text)
        case _:
            return text


def features(texts: list[str]) -> Sparse:
    """The grams of each text."""
    rows, which, values = grams(texts)
    return Sparse(rows, which, values * _SCALE, (len(texts), GRAMS))


def build() -> str:
    """The file's contents."""
    found = samples()
    labels = np.array(found.labels)
    everything = features(found.texts)
    frequent = np.bincount(everything.columns, minlength=GRAMS) >= LEAST_WINDOWS
    kept = frequent[everything.columns]
    everything = Sparse(everything.rows[kept], everything.columns[kept], everything.values[kept], everything.shape)
    fifth, of_files = found.held_out()
    bias, weights = fit(everything, labels, L2, importance=balanced(labels) * ~fifth)
    quality = f1((everything.times(weights) + bias >= 0)[of_files], labels[of_files])
    bias, weights = fit(everything, labels, L2, importance=balanced(labels))
    packages, files = provenance(found.read)
    names = [first + second for first in SYMBOLS for second in SYMBOLS] + list(SYMBOLS)
    rounded = [(round(float(weight) * _SCALE, 2), name) for weight, name in zip(weights, names, strict=True)]
    listed = sorted(((weight, name) for weight, name in rounded if weight), key=lambda pair: (-pair[0], pair[1]))
    header = HEADER.format(
        packages=packages, files=files, code=labels.sum(), other=(1 - labels).sum(), seed=SEED, f1=quality
    )
    return f"{header}{bias:.2f} bias\n" + "".join(f"{weight:.2f} {json.dumps(name)}\n" for weight, name in listed)


if __name__ == "__main__":
    contents = build()
    TARGET.write_text(contents, encoding="utf-8")
    print("\n".join(line for line in contents.splitlines() if line.startswith("# ")))
    print(f"{len(contents):,} bytes -> {TARGET.name}")
