"""Measure again: the jobs of a finished run on another model, over the same rows with the same settings."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from data.errors import InputError
from spark_jobs.pipeline import Pipeline, Progress, finished_summary
from spark_jobs.plan import Plan, make_plan, plain
from spark_jobs.run_config import RunConfig
from spark_jobs.run_folder import RunFolder


def plan_again(before: Path, model: str, folder: Path, **changes: Any) -> Plan:
    """The plan of a finished run with another model.

    Args:
        before: Folder of the finished run.
        model: Folder or hub id of the other model.
        folder: The new run's folder; its parent need not exist.
        changes: Settings that do not change the rows (`device`, `master`, `ui_port`, `show_text`).

    Raises:
        InputError: The rows that the run was made from have changed or are gone.
        ModelError: The model does not fit.
    """
    state = RunFolder(before).state
    kept = {field.name: state["config"][field.name] for field in fields(RunConfig) if field.name in state["config"]}
    scored = state["stages"]["score"]["settings"]
    config = replace(
        RunConfig(**kept | {"k": tuple(kept["k"]), "runs_dir": folder.parent}),
        model=model,
        revision=scored["revision"] if model == scored["model"] else None,
        tokenizer=scored["tokenizer"],
        run=folder.name,
        keep_ui=False,
        **changes,
    )
    plan = make_plan(config)
    made = state["stages"]["label"]["settings"]
    wanted = json.loads(json.dumps(plan.settings["label"], default=str))
    # The tokenizer is named by the run; only its revision may be said in another way.
    differences = [
        f"  {name}: {made.get(name)!r} then, {wanted.get(name)!r} now"
        for name in sorted(made.keys() | wanted.keys())
        if made.get(name) != wanted.get(name) and name != "tokenizer revision"
    ]
    if differences:
        raise InputError(
            f"what {before} was measured on has changed since:\n"
            + "\n".join(differences)
            + "\nMeasure again (python calculate_metrics.py ...), then unlearn from the new run."
        )
    return plan


def measure_again(spark: SparkSession, plan: Plan, progress: Progress, about: dict[str, Any]) -> dict[str, Any]:
    """Runs every stage of `plan` that is not done.

    Args:
        spark: Any session; the plan's own settings for it are not used.
        plan: From `plan_again`.
        progress: Shows the stages.
        about: What the summary says beside the numbers.

    Returns:
        The summary of the new run.
    """
    folder = RunFolder(plan.folder)
    folder.check(plan.table_settings)
    done = finished_summary(plan, folder)
    if done:
        return done
    folder.open()
    try:
        folder.save(config=plain(plan.config), **about)
        why = "the rows were measured again; what tells a recited row from another is asked of the run before"
        return Pipeline(spark, plan, folder, progress, no_predictor=why).run(about)
    finally:
        folder.close()
