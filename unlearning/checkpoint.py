"""The finished checkpoint: a folder that `from_pretrained` loads and that says what was done to it.

Beside the merged weights and the tokenizer it holds `unlearning.json`, everything that made it, for programs, and
`README.md`, a model card for people. Weights are stored in float32, whatever the parent's were: an unlearning is many
small steps, and bfloat16, with its 8 bits of precision, would round a good part of them away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from unlearning.disk import write_folder, write_json, write_text, writing
from unlearning.model_card import model_card
from unlearning.policy import Policy

_ABOUT, _CARD = "unlearning.json", "README.md"
# Of a comparison, what the checkpoint keeps: figures only, no text of anybody.
_RESULTS = ("models", "splits", "categories_by_split", "overall", "held_out_text", "warnings")


def write_checkpoint(
    policy: Policy, tokenizer: PreTrainedTokenizerBase, folder: Path, about: Mapping[str, Any]
) -> None:
    """Writes the checkpoint, whole or not at all; one of that name is replaced. Every process has to call it.

    Args:
        policy: The unlearned model; adapters are merged.
        tokenizer: The tokenizer that the sequences were made with.
        folder: The checkpoint's.
        about: What made it, as JSON holds it: `name`, `created`, `command`, `parent` (`model`, `revision`,
            `fingerprint`), `run`, `categories`, `forget_ids`, `held_out_ids`, `method`, `method_title`, `source`,
            `preset`, `settings`, `stop`, `seed`, `training` (`iterations`, `stopped`, `seconds`), `versions`, and
            `results`, a comparison. Whatever is missing the model card leaves out; whatever else there is
            unlearning.json holds, too. Numbers that are not finite become null.

    Raises:
        DiskError: The disk does not take it; what was there before stays.
    """

    def fill(fresh: Path) -> None:
        policy.merged().save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        text = _plain(about) | {"results": _results(about.get("results"))}
        write_json(fresh / _ABOUT, text)
        write_text(fresh / _CARD, model_card(text))

    def write() -> None:
        with writing("the checkpoint", folder, "What was trained is kept, and --resume goes on from there."):
            write_folder(folder, fill)

    policy.on_main(write)


def update_results(folder: Path, comparison: Mapping[str, Any]) -> None:
    """Tells a checkpoint what became of it, once it was measured.

    Args:
        folder: The checkpoint's.
        comparison: As comparison.json holds it; only its figures are taken over, no text.

    Raises:
        DiskError: The disk does not take it.
    """
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    about["results"] = _results(comparison)
    with writing("the checkpoint's model card", folder):
        write_json(folder / _ABOUT, about)
        write_text(folder / _CARD, model_card(about))


def _results(comparison: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return _plain({name: comparison[name] for name in _RESULTS if name in comparison}) if comparison else None


def _plain(value: Any) -> Any:
    """`value` as JSON holds it."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
