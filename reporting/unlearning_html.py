"""The report of an unlearning: one HTML file that opens anywhere, offline, without a script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reporting import unlearning_plots as plots
from reporting.comparison import how_it_ended, kept_rows, n_rows, pair_of
from reporting.example_text import pieces
from reporting.numbers import change, count, duration, interval, number, percent
from reporting.page import grouped, render_page, write_page
from reporting.palette import looks, model_look
from reporting.unlearning_findings import findings

_MASK = re.compile(r"<([A-Z][A-Z0-9_]*)>")
_HIDDEN = re.compile(r"<[A-Z][A-Z0-9_]*>|Xxxx|xxxx|XXXX|#")
"""Whatever `metrics.redaction` puts in the place of text."""
_RECITED = "the true suffix"
_HARM = {"pii": "personal data", "credentials": "credentials"}


def write_unlearning_report(comparison: Mapping[str, Any], path: Path) -> None:
    """Writes the report; the file is there whole or not at all.

    Args:
        comparison: What `comparison.json` holds.
        path: The file to write; its folder must exist.

    Raises:
        OSError: The file can't be written. A report that was there before stays.
    """
    write_page(unlearning_page(comparison), path)


def unlearning_page(comparison: Mapping[str, Any]) -> str:
    """The report as one HTML document.

    Args:
        comparison: What `comparison.json` holds.
    """
    by_category = comparison["categories_by_split"]
    drawings = {
        "share": plots.by_split(comparison, plots.EXTRACTABLE, "share", "Extractable share before and after"),
        "deep": plots.by_split(comparison, plots.DEEP, "deep", "Extractable from the longer prompt, before and after"),
        "accuracy": plots.by_split(comparison, plots.ACCURACY, "accuracy", "Memorization accuracy before and after"),
        "likelihood": plots.by_split(comparison, plots.LIKELIHOOD, "likelihood", "ln p_z before and after"),
    }
    return render_page(
        "unlearning.html.jinja",
        c=comparison,
        look=looks({row["category"]: row for row in by_category}.values()),
        model_look={model: model_look(model) for model in comparison["models"]},
        headline=headline(comparison),
        findings=findings(comparison),
        facts=facts(comparison),
        ended=how_it_ended(comparison["training"]),
        titles={entry["split"]: entry["title"] for entry in comparison["splits"]},
        by_category=grouped(by_category, "category"),
        times={name: duration(seconds) for name, seconds in comparison["seconds"].items()},
        plots=drawings,
        curves=plots.curves(comparison),
        records=_records(comparison),
        examples=_examples(comparison),
        has_scores=any(
            row["memorization_accuracy"] is not None or row["log_p_z"] is not None or row["fluency"] is not None
            for entry in comparison["splits"]
            for row in entry["by"].values()
        ),
    )


def headline(comparison: Mapping[str, Any]) -> str:
    """One sentence that says what was forgotten and what it cost.

    Args:
        comparison: What `comparison.json` holds.

    Returns:
        For example `Of 39 sequences with personal data that demo recited word for word, it still recites none; of 204
        benign ones, 197.`
    """
    pair = pair_of(comparison, "forget")
    if pair is None:
        return "Nothing was unlearned: the forget set is empty."
    kinds = " or ".join(_HARM.get(category, category) for category in comparison["categories"])
    before, after = pair
    sequences = "sequence" if before["extractable"] == 1 else "sequences"
    sentence = (
        f"Of {count(before['extractable'])} {sequences} with {kinds} that {comparison['before']['model']} recited word "
        f"for word, it still recites {_none(kept_rows(after))}"
    )
    benign = [pair[1] for split in ("retain", "other_benign") if (pair := pair_of(comparison, split))]
    was = sum(row["was_extractable"] for row in benign)
    if was == 0:
        return f"{sentence}."
    return f"{sentence}; of {count(was)} benign {'one' if was == 1 else 'ones'}, {_none(sum(map(kept_rows, benign)))}."


def facts(comparison: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The numbers at the top: what each is, the number, and a detail."""
    result = []
    for split, label in (("forget", "Forget set, recited"), ("held_out", "Held out, recited")):
        if pair := pair_of(comparison, split):
            before, after = pair
            detail = f"{n_rows(after['rows'])}, {interval(after['low'], after['high'])}"
            result.append((label, f"{percent(before['share'])} → {percent(after['share'])}", detail))
    kept = [
        (percent(pair[1]["kept"]), where)
        for split, where in (("other_benign", "outside the retain set"), ("retain", "in the retain set"))
        if (pair := pair_of(comparison, split)) and pair[1]["kept"] is not None
    ]
    if kept:
        (value, where), *more = kept
        result.append(("Benign, still recited", value, "; ".join([where, *(" ".join(other) for other in more)])))
    if text := comparison["held_out_text"]:
        before, after = (text["perplexity"].get(model) for model in ("before", "after"))
        result.append(("Perplexity, held-out text", change(before, after), f"{number(before)} → {number(after)}"))
    return result


def _none(rows: int) -> str:
    return count(rows) if rows else "none"


def _records(comparison: Mapping[str, Any]) -> dict[str, tuple[list[str], list[Mapping[str, Any]]]]:
    """For each training: the figures that it recorded, in order, and its records."""
    runs = {"after": comparison["training"]["records"]}
    runs |= {name: control["records"] for name, control in comparison["controls"].items()}
    return {
        name: (list(dict.fromkeys(figure for record in records for figure in record)), records)
        for name, records in runs.items()
        if records
    }


def _examples(comparison: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Examples by split, their texts cut into pieces: what differs from the true suffix, what is masked."""
    cut = [_example(example, comparison["models"]) for example in comparison["examples"]]
    groups = grouped(cut, "split")
    order = list(dict.fromkeys([*(entry["split"] for entry in comparison["splits"]), *groups]))
    return [(split, groups[split]) for split in order if split in groups]


def _example(example: Mapping[str, Any], models: Sequence[str]) -> dict[str, Any]:
    suffix = example["suffix"]
    texts = {model: example.get(model) for model in models}
    shown = [example["prefix"], suffix, *(text for text in texts.values() if text is not None)]
    types = {mask for text in shown for mask in _MASK.findall(text)} if example["masked"] else set()
    verdicts = {model: _verdict(example, model) for model in models}
    return {
        **example,
        "prefix": pieces(example["prefix"], None, types),
        "suffix": pieces(suffix, None, types),
        "texts": {model: None if text is None else pieces(text, suffix, types) for model, text in texts.items()},
        "verdicts": verdicts,
        "recited_before": verdicts["before"] == _RECITED,
    }


def _verdict(example: Mapping[str, Any], model: str) -> str:
    """What equal texts mean: two addresses look the same once they are masked."""
    if example.get(model) != example["suffix"]:
        return ""
    by_choice = model == "before" and example["split"] in ("forget", "held_out")  # these were chosen for being recited
    extractable = (example.get("extractable") or {}).get(model, by_choice or None)
    if extractable or (extractable is None and not _masks(example)):
        return _RECITED
    if extractable is None:
        return "no difference outside the masks"
    return "differs only in what is masked or in how the same text is cut into tokens"


def _masks(example: Mapping[str, Any]) -> bool:
    """Whether something is hidden in the suffix."""
    return example["masked"] and _HIDDEN.search(example["suffix"]) is not None
