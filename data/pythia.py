"""The Pythia suite (Biderman et al. 2023): sizes, schemes, checkpoints, and what they are called on the hub.

Written from knowledge of the suite's README and data set cards, not checked against the hub by any test.

Well known:

* Models are `EleutherAI/pythia-<size>` (scheme *duped*: trained on the Pile) and
  `EleutherAI/pythia-<size>-deduped`; checkpoints are branches `step0`, `step1`, `step2`, `step4`, ...
  `step512`, `step1000`, ... `step143000`, the last equal to `main`.
* `EleutherAI/pythia-memorized-evals` has, for the final checkpoint of each size from 70m to 12b, a split
  `<scheme>.<size>` of 32-extractable sequences, columns `index`, `tokens`.
* `EleutherAI/pile-deduped-pythia-random-sampled` has sequences sampled from the training data, columns `Index`,
  `Tokens`.

Less sure: what splits of intermediate checkpoints are called, that the random sample has the one split `train`
and a `duped` sibling, and that 14m and 31m exist under the bare name only. Where a split is not there, the error
lists those that are; `--model`, `--sequences` and `--split` name anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from data.errors import InputError, did_you_mean

SIZES = ("14m", "31m", "70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b")
UNSCHEMED_SIZES = ("14m", "31m")
SCHEMES = ("duped", "deduped")
SOURCES = ("memorized", "random-sample")
FINAL_STEP = 143_000
STEPS = (0, *(2**power for power in range(10)), *range(1000, FINAL_STEP + 1, 1000))

MODEL = "EleutherAI/pythia-{size}{suffix}"
MEMORIZED_DATASET = "EleutherAI/pythia-memorized-evals"
MEMORIZED_SPLIT = "{scheme}.{size}"
MEMORIZED_STEP_SPLIT = "{scheme}.{size}.{step}"
RANDOM_DATASET = "EleutherAI/pile-{scheme}-pythia-random-sampled"
RANDOM_SPLIT = "train"

_SPEC = re.compile(r"(?P<size>[^-@]+)(?:-(?P<scheme>[^@]+))?(?:@(?P<step>.+))?")


@dataclass(frozen=True)
class PythiaTarget:
    """A checkpoint and the sequences to measure it on.

    Attributes:
        size: One of `SIZES`.
        scheme: `duped` or `deduped`.
        step: Training step; None is the final one.
        model: Hub id.
        revision: Branch of the model; None is its default, the final checkpoint.
        dataset: Hub id.
        split: Split of the data set.
    """

    size: str
    scheme: str
    step: int | None
    model: str
    revision: str | None
    dataset: str
    split: str


def parse(spec: str, source: str = "memorized") -> PythiaTarget:
    """Reads `70m`, `70m-deduped` or `12b-deduped@step23000`.

    Args:
        spec: Size, scheme (`duped` where none is given, as in the models' names), step.
        source: `memorized`, sequences this very checkpoint recites; `random-sample`, sequences it was
            trained on.

    Raises:
        InputError: An unknown size, scheme, step or source, or a model that was not published; with the
            nearest.

    >>> parse("70m-deduped").split
    'deduped.70m'
    >>> parse("12b-deduped@step23000").revision
    'step23000'
    """
    if source not in SOURCES:
        raise InputError(f"Unknown --pythia-source {source!r}. {did_you_mean(source, SOURCES)}")
    match = _SPEC.fullmatch(spec.strip().lower().removeprefix("eleutherai/").removeprefix("pythia-"))
    if match is None:
        raise InputError(f"--pythia {spec!r} is no Pythia model. Type for example 70m-deduped or 12b@step23000.")
    size, scheme = match["size"], match["scheme"] or "duped"
    if size not in SIZES:
        near = _nearest_size(size)
        hint = f"Did you mean {near!r}? " if near else ""
        raise InputError(f"--pythia {spec!r}: unknown size {size!r}. {hint}Available: {', '.join(SIZES)}.")
    if scheme not in SCHEMES:
        raise InputError(f"--pythia {spec!r}: unknown scheme {scheme!r}. {did_you_mean(scheme, SCHEMES)}")
    if size in UNSCHEMED_SIZES and scheme == "deduped":
        raise InputError(
            f"--pythia {spec!r}: {size} is published as {MODEL.format(size=size, suffix='')} only. "
            f"Type {size}, or name another model with --model."
        )
    if size in UNSCHEMED_SIZES and source == "memorized":
        raise InputError(
            f"--pythia {spec!r}: {MEMORIZED_DATASET} has no sequences for {size}; it begins at 70m. Add "
            "--pythia-source random-sample."
        )
    step = None if match["step"] is None else _step(spec, match["step"])
    if source == "random-sample":
        dataset, split = RANDOM_DATASET.format(scheme=scheme), RANDOM_SPLIT
    else:
        final = step in (None, FINAL_STEP)
        template = MEMORIZED_SPLIT if final else MEMORIZED_STEP_SPLIT
        dataset, split = MEMORIZED_DATASET, template.format(scheme=scheme, size=size, step=step)
    return PythiaTarget(
        size=size,
        scheme=scheme,
        step=step,
        model=MODEL.format(size=size, suffix="-deduped" if scheme == "deduped" else ""),
        revision=None if step is None else f"step{step}",
        dataset=dataset,
        split=split,
    )


def _nearest_size(text: str) -> str | None:
    """The published size with the nearest number of parameters; older names counted otherwise (13b is 12b)."""

    def parameters(size: str) -> float | None:
        match = re.fullmatch(r"(\d+\.?\d*)([mb])", size)
        return None if match is None else float(match[1]) * {"m": 1e6, "b": 1e9}[match[2]]

    asked = parameters(text)
    return min(SIZES, key=lambda size: abs(parameters(size) - asked)) if asked is not None else None


def _step(spec: str, text: str) -> int:
    digits = text.removeprefix("step")
    if not (digits.isascii() and digits.isdigit()):
        raise InputError(f"--pythia {spec!r}: found {text!r} after the @; expected a step such as step23000.")
    step = int(digits)
    if step not in STEPS:
        below = max((other for other in STEPS if other < step), default=0)
        above = min((other for other in STEPS if other > step), default=FINAL_STEP)
        near = " and ".join(f"step{other}" for other in dict.fromkeys((below, above)))
        raise InputError(
            f"--pythia {spec!r}: there is no checkpoint at step {step}; the nearest: {near}. There are "
            "step0, step1, step2, step4, ... step512, step1000, step2000, ... step143000."
        )
    return step
