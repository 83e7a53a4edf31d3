"""Makes `licence_words.txt`: how much a listed phrase, and each run of one to three words, speaks for a licence.

Run `python -m metrics.categories.train_licence` to make it anew; with the pinned packages the same file results
anywhere. Positives are windows of the packages' licences and notices and of the headers of their source files;
negatives windows of the rest of these files and of their comments, docstrings and read-me texts, and of invented code,
letters and prose. No labelled data set is read. Only runs that speak for a licence are listed: what a licence does not
say is endless.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np

from metrics.categories.licence import NOTICE_STEP, NOTICES, PHRASE_STEPS, PHRASES, WEIGHTS_FILE
from metrics.categories.phrases import Phrases, plain
from metrics.categories.training.files import TextFile, provenance
from metrics.categories.training.invented_code import invented_code
from metrics.categories.training.invented_prose import invented_prose
from metrics.categories.training.logistic import Sparse, f1, fit
from metrics.categories.training.samples import Samples, files_by_kind
from metrics.categories.training.windows import code_and_prose, head_end, windows

TARGET = Path(__file__).with_name(WEIGHTS_FILE)
SEED = 7
FILES_PER_KIND = 200
HEADERS_ALIKE = 3  # thousands of files have the same
INVENTED = 4000
LONGEST_RUN = 3  # words
RUNS = 3000
LEAST_WINDOWS = 5
L2 = 0.0003
_LICENCE_WORD = re.compile(r"licen[cs]|warrant|copyright", re.IGNORECASE)
HEADER = """\
# How much phrases and runs of one to three words speak for a licence; read by metrics/categories/licence.py, which
# lists the phrases. Each counts once for a text; of phrases the first three.
# made by: python -m metrics.categories.train_licence
# packages: {packages}
# read: {files}
# trained on: {licence} windows of licences and {other} of other text, seed {seed}
# F1 {f1:.3f} on a fifth of the files held out
"""


def _paragraphs(file: TextFile) -> list[str]:
    """Those of a licence file that are prose: no tables of packages or paths."""
    paragraphs = re.split(r"\n\s*\n", file.read())
    return [
        part
        for part in paragraphs
        if len(part) >= 60 and sum(one.isalpha() or one.isspace() for one in part) >= 0.85 * len(part)
    ]


def samples() -> Samples:
    """Windows of licences (1) and of other text (0)."""
    found = Samples()
    seen: Counter[str] = Counter()
    for kind, files in files_by_kind():
        source = random.Random(f"{SEED} {kind}")
        for file in files if kind == "licence" else source.sample(files, min(FILES_PER_KIND, len(files))):
            found.read.append(file)
            if kind == "licence":
                for part in _paragraphs(file):
                    seen[plain(part)] += 1
                    if seen[plain(part)] == 1:
                        found.add([window for _, window in windows(part, source, 4)], 1)
                continue
            text = file.read()
            head = text[: head_end(text, kind)]
            if _LICENCE_WORD.search(head):
                seen[plain(head)] += 1
                if seen[plain(head)] <= HEADERS_ALIKE:
                    # Windows may run on into the code, as they do in a corpus.
                    found.add([window for _, window in windows(text[: len(head) + 80], source, 3)], 1)
            code, prose = code_and_prose(file, source)
            found.add([window for window in (*code, *prose) if window[:60] not in head], 0)
    found.add_invented(invented_code, 0, INVENTED, random.Random(f"{SEED} invented code"))
    found.add_invented(invented_prose, 0, INVENTED, random.Random(f"{SEED} invented prose"))
    return found


def telling_runs(texts: list[str], labels: np.ndarray) -> list[str]:
    """The runs of one to three words that occur far more often in licences, the most telling first."""
    inside: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    for text, label in zip(texts, labels, strict=True):
        words = plain(text).split()
        shifted = [words[skip:] for skip in range(LONGEST_RUN)]
        runs = {" ".join(run) for length in range(LONGEST_RUN) for run in zip(*shifted[: length + 1], strict=False)}
        (inside if label else outside).update(runs)
    licences, others = labels.sum(), (1 - labels).sum()
    excess = {run: inside[run] / licences - outside[run] / others for run in inside if inside[run] >= LEAST_WINDOWS}
    listed = {*PHRASES, *NOTICES}  # a phrase already has its weight
    return sorted((run for run in excess if excess[run] > 0 and run not in listed), key=lambda r: (-excess[r], r))[
        :RUNS
    ]


def features(texts: list[str], runs: list[str]) -> tuple[Sparse, list[str]]:
    """Each text's runs of words, phrases and notices; and the names of the columns."""
    rows, columns = Phrases(runs).found(texts)
    phrase_rows, numbers = Phrases((*PHRASES, *NOTICES)).found(texts)
    phrases = np.bincount(phrase_rows[numbers < len(PHRASES)], minlength=len(texts))
    notices = np.bincount(phrase_rows[numbers >= len(PHRASES)], minlength=len(texts))
    for step, holds in enumerate((phrases > 0, phrases > 1, phrases > 2, notices > 0)):
        rows = np.append(rows, np.flatnonzero(holds))
        columns = np.append(columns, np.full(holds.sum(), len(runs) + step))
    names = [*runs, *PHRASE_STEPS, NOTICE_STEP]
    return Sparse(rows, columns, np.ones(len(rows)), (len(texts), len(names))), names


def build() -> str:
    """The file's contents."""
    found = samples()
    labels = np.array(found.labels)
    everything, names = features(found.texts, telling_runs(found.texts, labels))
    fifth, of_files = found.held_out()
    bias, weights = fit(everything, labels, L2, importance=1.0 * ~fifth, positive=True)
    quality = f1((everything.times(weights) + bias >= 0)[of_files], labels[of_files])
    bias, weights = fit(everything, labels, L2, importance=np.ones(len(labels)), positive=True)
    packages, files = provenance(found.read)
    header = HEADER.format(
        packages=packages, files=files, licence=labels.sum(), other=(1 - labels).sum(), seed=SEED, f1=quality
    )
    special = {*PHRASE_STEPS, NOTICE_STEP}
    rounded = [(round(float(weight), 2), name) for weight, name in zip(weights, names, strict=True)]
    listed = sorted(
        ((weight, name) for weight, name in rounded if weight or name in special),
        key=lambda pair: (pair[1] not in special, -pair[0], pair[1]),
    )
    return f"{header}{bias:.2f} bias\n" + "".join(f"{weight:.2f} {name}\n" for weight, name in listed)


if __name__ == "__main__":
    contents = build()
    TARGET.write_text(contents, encoding="utf-8")
    print("\n".join(line for line in contents.splitlines() if line.startswith("# ")))
    print(f"{len(contents):,} bytes -> {TARGET.name}")
