"""The README.md of an unlearned checkpoint, as the Hugging Face hub shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

_LIMITS = """\
- **Not being extractable is not being gone.** A row counts as extractable if greedy decoding from its prefix gives the
  rest of it to the letter. One changed token ends that. Look at what is left of a row: MA, EL_10 and ln p_z in the
  table, and extraction from a longer prefix. Sampling many times, other prompts, or fine-tuning on a little of the text
  may bring more of it back.
- **Only these rows were trained on.** Others of the same kind are forgotten in part (held out), and what was never
  measured may be recited as before.
- **It costs something.** The benign rows and the perplexity in the table say what was measured of that; what was not
  measured is not known.
- This is no proof of deletion in a legal sense."""

_CONTROLS = {
    "constant": "trained with a reward that is always the same, so that whatever it forgot is noise",
    "permuted": "trained with the rewards permuted among the rollouts, so that whatever it forgot is noise",
}
_NAMES = {"before": "before", "after": "after", "constant": "constant reward", "permuted": "permuted rewards"}
_COLUMNS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("extractable", "share", lambda value: f"{100 * value:.1f} %"),
    ("from a longer prefix", "deep_share", lambda value: f"{100 * value:.1f} %"),
    ("ln p_z", "log_p_z", lambda value: f"{value:.1f}"),
    ("MA", "memorization_accuracy", lambda value: f"{value:.2f}"),
    ("EL_10", "el_10", lambda value: f"{value:.2f}"),
)


def model_card(about: Mapping[str, Any]) -> str:
    """The card.

    Args:
        about: What unlearning.json holds; see `unlearning.checkpoint.write_checkpoint`.

    Returns:
        Markdown with a YAML header.
    """
    parent = about.get("parent") or {}
    name, revision = parent.get("model"), parent.get("revision")
    categories = ", ".join(about.get("categories") or ["some rows"])
    parts = [
        f"---\n{_header(about, name if revision else None)}\n---",
        f"# {about.get('name') or 'An unlearned model'}",
        f"This is {_model(name, revision)} after it was made to forget text that it recited: "
        f"**{categories}**. It was made with unrecite.",
    ]
    if (control := about.get("control") or "none") != "none":
        parts.append(f"**It is a control, not for use:** {_CONTROLS.get(control, control)}.")
    parts += [
        "## What was unlearned",
        _what(about, categories),
        "## How",
        _how(about),
    ]
    results = about.get("results")
    parts += ["## What became of it", _results(results) if results else "It has not been measured again yet."]
    parts += [
        "## What this does not mean",
        _LIMITS,
        "## Undoing it",
        f"Nothing happened to the parent: load {_model(name, revision)} instead of this folder.",
    ]
    return "\n\n".join(parts) + "\n"


def _header(about: Mapping[str, Any], base: str | None) -> str:
    """The YAML; `base` is the parent if it is on the hub, where alone it has a revision."""
    tags = [
        "unlearning",
        "machine-unlearning",
        "memorization",
        "unrecite",
        *([about["method"]] if "method" in about else []),
    ]
    data = ModelCardData(
        base_model=base,
        base_model_relation="finetune" if base else None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=tags,
    )
    return data.to_yaml()


def _model(name: str | None, revision: str | None) -> str:
    return f"`{name}`" + (f" at revision `{revision}`" if revision else "") if name else "its parent"


def _what(about: Mapping[str, Any], categories: str) -> str:
    number = f"{len(about['forget_ids']):,} rows" if "forget_ids" in about else "Rows"
    text = f"{number} of the category {categories} that the parent reproduced word for word"
    if about.get("run"):
        text += f", found by the run `{Path(about['run']).name}`"
    text += ". Their ids are in `unlearning.json`; their text is not."
    if held := about.get("held_out_ids"):
        were = "row of that kind was" if len(held) == 1 else "rows of that kind were"
        text += f" {len(held):,} more {were} held out, to see whether forgetting generalises."
    return text


def _how(about: Mapping[str, Any]) -> str:
    text = f"Method: **{about.get('method_title') or about.get('method') or 'unknown'}**"
    if about.get("source"):
        text += f" ({about['source']})"
    if about.get("preset"):
        text += f", preset `{about['preset']}`"
    training = about.get("training") or {}
    if training.get("stopped"):
        text += f". It ended because: {training['stopped']}"
    lines = [text.rstrip(".") + ".", "", "| setting | value |", "|---|---|"]
    wanted = {name: about[name] for name in ("seed", "stop", "precision", "lora_rank") if about.get(name) is not None}
    wanted |= about.get("settings") or {}
    lines += [f"| {name} | {_cell(value)} |" for name, value in wanted.items()]
    if versions := about.get("versions"):
        lines += ["", "Made with " + ", ".join(f"{name} {number}" for name, number in versions.items()) + "."]
    return "\n".join(lines)


def _results(results: Mapping[str, Any]) -> str:
    models = [name for name in results.get("models") or ("before", "after") if name in _NAMES]
    lines = [
        "| rows | number | model | " + " | ".join(title for title, _, _ in _COLUMNS) + " |",
        "|---|---|---|" + "---|" * len(_COLUMNS),
    ]
    for split in results.get("splits") or ():
        for model in models:
            if figures := split["by"].get(model):
                cells = [_figure(figures.get(name), shown) for _, name, shown in _COLUMNS]
                first = model == models[0]
                lead = [split["title"] if first else "", f"{split['rows']:,}" if first else "", _NAMES[model]]
                lines.append(f"| {' | '.join(lead + cells)} |")
    lines += [
        "",
        "Extractable: greedy decoding from the prefix reproduces the rest of the row. ln p_z: the median over the rows "
        "of the log-probability of the suffix given the prefix, in nats. MA: share of the tokens that are greedy "
        "choices. EL_10: overlap of 10-grams of greedy continuations with the row (both Jang et al. 2023).",
    ]
    if held_out := results.get("held_out_text"):
        shown = [
            f"{_NAMES[name]} {held_out['perplexity'][name]:.2f}" for name in models if held_out["perplexity"].get(name)
        ]
        lines += ["", f"Perplexity on {held_out['what']} ({held_out['rows']:,} rows): {', '.join(shown)}."]
    lines += [f"\n{warning}" for warning in results.get("warnings") or ()]
    return "\n".join(lines)


def _figure(value: float | None, shown: Callable[[float], str]) -> str:
    return "" if value is None else shown(value)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).replace("|", "\\|")
