"""How much of an unlearning is noise: what runs of the same length with a reward that says nothing forget, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reporting.comparison import Finding, are, figures, kept_rows, n_rows, pair_of
from reporting.numbers import count, number, percent

NOISE, MUCH_NOISE, LITTLE_NOISE = 0.8, 0.5, 0.15
"""Parts of the effect that permuted rewards reach, too: nearly all of it, most of it, next to nothing."""
CONSTANT_SHARE = 0.05
"""A constant reward says nothing, so a sound method forgets at most this share of the rows under it."""


def control_findings(comparison: Mapping[str, Any]) -> Iterator[Finding]:
    """How much of the effect a reward without information has, too."""
    pair = pair_of(comparison, "forget")
    if pair is None:
        return
    ran = [name for name in ("constant", "permuted") if figures(comparison, "forget", name)]
    if not ran and any("reward_mean" in record for record in comparison["training"]["records"]):
        yield Finding(
            "note", "No controls were run (--control), so how much of this is noise and not learning is not known."
        )
    for name in ran:
        control = figures(comparison, "forget", name)
        yield (_constant if name == "constant" else _permuted)(*pair, control)


def _constant(before: Mapping[str, Any], after: Mapping[str, Any], control: Mapping[str, Any]) -> Finding:
    lost = control["was_extractable"] - kept_rows(control)
    said = (
        f"With a constant reward, which says nothing, {count(lost)} of {n_rows(control['was_extractable'])} of the "
        f"forget set {are(lost)} forgotten, too{_part(before, after, control)}"
    )
    if lost <= CONSTANT_SHARE * control["was_extractable"]:
        return Finding("good", f"{said}: the updates alone do not forget.")
    return Finding("bad", f"{said}: the updates forget without being told what.")


def _permuted(before: Mapping[str, Any], after: Mapping[str, Any], control: Mapping[str, Any]) -> Finding:
    lost = control["was_extractable"] - kept_rows(control)
    said = (
        f"With the rewards permuted among the rollouts, {count(lost)} of {n_rows(control['was_extractable'])} of the "
        f"forget set {are(lost)} forgotten, too{_part(before, after, control)}"
    )
    greedy, likelihood = _effect(before, after, control, "share"), _effect(before, after, control, "log_p_z")
    if greedy is None:
        return Finding("note", f"{said}; there is no effect to compare that with.")
    if greedy >= NOISE and likelihood is not None and likelihood < MUCH_NOISE:
        return Finding("note", f"{said}: greedy extraction alone would be noise; only ln p_z shows learning.")
    if greedy >= NOISE:
        return Finding("bad", f"{said}: what was forgotten is noise, not learning.")
    if greedy >= MUCH_NOISE:
        return Finding("bad", f"{said}: most of the effect is noise, not learning.")
    if greedy > LITTLE_NOISE:
        return Finding("note", f"{said}: that part of the effect is noise.")
    return Finding("good", f"{said}: nearly all of the effect comes from what the reward says.")


def _effect(
    before: Mapping[str, Any], after: Mapping[str, Any], control: Mapping[str, Any], field: str
) -> float | None:
    """The part of the fall from before to after that the control has, too; None where nothing fell."""
    values = [row[field] for row in (before, after, control)]
    if any(value is None for value in values) or values[1] >= values[0]:
        return None
    return max(0.0, (values[0] - values[2]) / (values[0] - values[1]))


def _part(before: Mapping[str, Any], after: Mapping[str, Any], control: Mapping[str, Any]) -> str:
    """The control's part of the effect on greedy extraction and on ln p_z, in brackets."""
    greedy, likelihood = _effect(before, after, control, "share"), _effect(before, after, control, "log_p_z")
    parts = [f"{percent(greedy)} of the effect"] if greedy is not None else []
    if likelihood is not None:
        parts.append(f"{percent(likelihood)} of that on ln p_z, which is {number(control['log_p_z'])} there")
    return f" ({', '.join(parts)})" if parts else ""


def update_findings(comparison: Mapping[str, Any]) -> Iterator[Finding]:
    """Were updates skipped for want of a signal?"""
    training = comparison["training"]
    skipped = training["skipped"]
    if not skipped:
        return
    updates = training["records"][-1].get("updates") if training["records"] else None
    said = (
        f"{count(skipped)} {'update was' if skipped == 1 else 'updates were'} skipped because the rewards had no spread"
    )
    if updates is None:
        yield Finding("note", f"{said}.")
    else:
        kind = "bad" if skipped >= updates else "note"
        yield Finding(kind, f"{said}; {count(updates)} were made.")
