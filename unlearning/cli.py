"""The command `unlearn`: a measured run in, a checkpoint and a before/after report out. Options and wiring only."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metrics.categories import CATEGORIES
from reporting.command import GroupedCommand, exit_codes, option
from unlearning import METHODS
from unlearning.config import UnlearnConfig
from unlearning.method import Method, NonFiniteError, UnlearningError
from unlearning.options import chosen_settings, method_options

if TYPE_CHECKING:
    from rich.console import Console

    from unlearning.plan import Plan
    from unlearning.result_folder import ResultFolder
    from unlearning.trainer import Outcome

DEFAULTS = UnlearnConfig()
NAMES = tuple(category.name for category in CATEGORIES)
BENIGN = tuple(category.name for category in CATEGORIES if not category.harmful)

HELP = """Makes a model forget the harmful text that it recites, and measures it again.

\b
Examples:
  unlearn --category pii
      personal data of the run measured last; DeMem PPO; a report of before and after
  unlearn --category pii --category credentials --run mine --control
      two categories of the run `mine`, with two control runs beside it
  unlearn --category pii --method gradient-ascent --stop extractable
      another method, stopped as soon as nothing is extractable
"""

EPILOG = """
\b
Exit codes: 0 done, 1 internal error, 2 usage, 3 input, 4 environment (Java, disk, port), 130 interrupted.
An interrupted unlearning goes on where it stopped when --resume is added. Nothing happens to the model it starts from.
"""


def default(name: str) -> dict[str, Any]:
    """The default of the setting `name`, shown in the help."""
    return {"default": getattr(DEFAULTS, name), "show_default": True}


@click.command(cls=GroupedCommand, help=HELP, epilog=EPILOG)
@option(
    "What",
    "--category",
    type=click.Choice(NAMES),
    multiple=True,
    required=True,
    help="What to unlearn; repeatable. A category that harms nobody needs --yes.",
)
@option("What", "--run", metavar="NAME|FOLDER", help="The measured run; the one finished last if left out.")
@option(
    "What",
    "--runs-dir",
    type=click.Path(path_type=Path, file_okay=False),
    **default("runs_dir"),
    help="Folder that holds the runs.",
)
@option("What", "--model", metavar="ID|FOLDER", help="Model to start from; the one that was measured if left out.")
@option("What", "--revision", metavar="REV", help="Branch, tag or commit of a hub model given by --model.")
@option(
    "What",
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    **default("holdout"),
    help="Share of the rows that is not trained on, to see whether forgetting generalises.",
)
@option("What", "--yes", is_flag=True, help="Unlearn a category that harms nobody.")
@option("How", "--method", type=click.Choice(list(METHODS)), **default("method"), help="Unlearning method.")
@option(
    "How",
    "--preset",
    type=click.Choice(["auto", "paper"]),
    **default("preset"),
    help="Hyper-parameters to begin with: the best recipe known here, or the paper's setting to the letter.",
)
@option(
    "How",
    "--stop",
    type=click.Choice(["extractable", "forgotten", "steps"]),
    help="Stop when no row is extractable; when EL_10 and MA are below their mean on unseen text; or after all "
    "iterations. [demem, demem-grpo: steps; gradient-ascent: forgotten]",
)
@option(
    "How",
    "--seed",
    type=click.IntRange(-(2**63), 2**63 - 1),
    **default("seed"),
    help="Seed of every choice made by chance.",
)
@option(
    "How",
    "--control",
    is_flag=True,
    help="Run two controls of the same length beside it: a constant reward, and rewards permuted among the rollouts.",
)
@option("How", "--lora", is_flag=True, help="Train low-rank adapters, merged at the end, instead of all weights.")
@option("How", "--lora-rank", type=click.IntRange(1), **default("lora_rank"), help="Rank of the adapters.")
@method_options(METHODS.values(), leave_out=("stop",))
@option("Compute", "--device", **default("device"), help="auto, cpu, cuda or cuda:N.")
@option(
    "Compute",
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    **default("precision"),
    help="Of the training's passes; auto is bfloat16 on CUDA. Weights and measurements stay float32.",
)
@option("Compute", "--gradient-checkpointing", is_flag=True, help="Less memory, more time.")
@option("Compute", "--master", metavar="URL", help="Spark master for measuring again; the run's if left out.")
@option(
    "Compute",
    "--ui-port",
    type=click.IntRange(1024, 65535),
    **default("ui_port"),
    help="Port of the Spark UI; the next free one if it is taken.",
)
@option("Result", "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the result; in the run's.")
@option(
    "Result",
    "--save-every",
    type=click.IntRange(1),
    **default("save_every"),
    help="Iterations between two points that an interrupted run can go on from.",
)
@option("Result", "--resume", is_flag=True, help="Go on with an interrupted unlearning of the same settings.")
@option("Result", "--show-text", is_flag=True, help="Show personal data in the report instead of masking it.")
@option("Result", "--dry-run", is_flag=True, help="Print what would be done, and stop.")
@click.version_option(version="0.1.0", prog_name="unrecite")
def main(yes: bool, resume: bool, dry_run: bool, **options: Any) -> None:
    """Runs the command; see `--help`."""
    # Before torch is loaded: threads that wait spin otherwise, which on busy cores costs ten times the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    common = {name: options.pop(name) for name in list(options) if name in UnlearnConfig.__dataclass_fields__}
    if math.isnan(common["holdout"]):  # which no range refuses
        raise click.BadParameter("nan is not a share.", param_hint="--holdout")
    config = UnlearnConfig(**common | {"category": tuple(dict.fromkeys(common["category"]))})
    method = METHODS[config.method]
    benign = [name for name in config.category if name in BENIGN]
    if benign and not yes:
        raise click.UsageError(
            f"{', '.join(benign)} harms nobody: the model would lose it for nothing. Type --yes if you mean it."
        )
    from data.errors import InputError
    from metrics.loading import ModelError
    from spark_jobs.errors import MachineError, find_known_error
    from spark_jobs.plan import UsageMistakeError
    from spark_jobs.run_folder import RunConflictError
    from unlearning.disk import DiskError

    current: dict[str, Path | None] = {"folder": None}
    with exit_codes(
        usage_errors=(UsageMistakeError,),
        input_errors=(InputError, ModelError, RunConflictError, UnlearningError, NonFiniteError),
        environment_errors=(MachineError, DiskError),
        explain=find_known_error,
        after_interrupt=lambda: "What is finished is kept: add --resume to the same command to go on.",
        folder=lambda: current["folder"],
    ):
        _unlearn(config, method, chosen_settings(method, config.preset, options), resume, dry_run, current)


def _unlearn(
    config: UnlearnConfig,
    method: Method,
    settings: Any,
    resume: bool,
    dry_run: bool,
    current: dict[str, Path | None],
) -> None:
    """Plan, train, measure again, compare, report; what is finished is not done again."""
    from rich.console import Console

    from reporting.terminal import print_plan
    from reporting.unlearning_html import write_unlearning_report
    from reporting.unlearning_terminal import print_comparison
    from spark_jobs.remeasure import plan_again
    from spark_jobs.session import check_reachable
    from unlearning.plan import make_plan
    from unlearning.result_folder import ResultFolder
    from unlearning.trainer import is_interrupted

    is_main = int(os.environ.get("RANK", "0")) == 0  # of several processes that accelerate launched
    console = Console(quiet=not is_main, soft_wrap=True, highlight=False)
    _quiet()
    plan = make_plan(config, method, settings)
    if dry_run:
        print_plan(plan.overview(), console)
        return
    # Before anything is trained: can it be measured afterwards?
    plan_again(plan.run.folder, plan.model.name, plan.folder / "after")
    check_reachable(config.master or plan.run.config["master"])

    for warning in plan.warnings:
        console.print(f"Warning: {warning}", style="yellow")
    console.print(f"Unlearning {', '.join(config.category)} of run {plan.run.name} into {plan.folder}")
    folder = ResultFolder(plan.folder)
    report = plan.folder / "report.html"
    comparison = folder.finished(plan)
    if comparison:
        console.print("It was done before with the same settings; its result:")
    else:
        if not resume:
            for name in ("none", *plan.controls):
                if done := is_interrupted(folder.training(name)):
                    raise UnlearningError(
                        f"{folder.training(name)} holds an interrupted training ({done} iterations done). Type the "
                        "same command with --resume to go on with it, or name another folder with --out to begin anew."
                    )
        current["folder"] = plan.folder
        with folder.opened(plan, is_main):
            outcomes = _train(plan, folder, console, resume)
            if not is_main:
                return
            comparison = _measure(plan, folder, outcomes, console)
            folder.finish(plan, comparison)
    if is_main:
        if not report.is_file():
            write_unlearning_report(comparison, report)
        print_comparison(comparison, console, report)


def _quiet() -> None:
    """Without the bars and notes of transformers, which would stand in the midst of ours."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _train(plan: Plan, folder: ResultFolder, console: Console, resume: bool) -> dict[str, Outcome]:
    """The training and its controls, each of which is kept once it is finished."""
    from functools import partial

    from reporting.training_progress import TrainingProgress
    from unlearning.trainer import finished, train

    outcomes: dict[str, Outcome] = {}
    for name in ("none", *plan.controls):
        shown = plan.method.name if name == "none" else f"control: {name} reward"
        done = finished(folder.training(name))
        if done:
            console.print(f"{shown}: done before with the same settings ({done.iterations} iterations)")
        outcomes[name] = done or train(
            plan,
            folder.training(name),
            like=outcomes.get("none"),
            control=name,
            about=folder.about,
            watch=partial(TrainingProgress, console, name=shown),
            resume=resume,
        )
    return outcomes


def _measure(plan: Plan, folder: ResultFolder, outcomes: dict[str, Outcome], console: Console) -> dict[str, Any]:
    """The Spark jobs of the run again, on every checkpoint, and the comparison."""
    from data.cache import cache_dir
    from reporting.html import write_report
    from reporting.progress import StageProgress
    from spark_jobs.compare import compare
    from spark_jobs.remeasure import measure_again, plan_again
    from spark_jobs.session import start
    from spark_jobs.watch import interrupts_between_calls

    config, started = plan.config, time.monotonic()
    master = config.master or plan.run.config["master"]
    spark = start(f"unrecite unlearn {plan.folder.name}", plan.folder, master, config.ui_port, cache_dir())
    try:
        console.print(f"Spark UI: {spark.sparkContext.uiWebUrl}")
        after: dict[str, Path] = {}
        with StageProgress(console) as progress, interrupts_between_calls():
            for name, outcome in outcomes.items():
                label = "after" if name == "none" else name
                again = plan_again(
                    plan.run.folder,
                    str(outcome.model.resolve()),
                    folder.training(name) / "after",
                    show_text=config.show_text,
                    master=master,
                    device=config.device,
                )
                console.print(f"Measuring again: {label}")
                about = {name: folder.about[name] for name in ("created", "command", "versions")}
                summary = measure_again(spark, again, progress, about)
                write_report(summary, again.folder / "report.html")
                after[label] = again.folder
            counted = compare(
                spark,
                plan.run.folder,
                after,
                folder.split,
                show_text=config.show_text,
                seed=config.seed,
                progress=progress,
            )
    finally:
        spark.stop()
    main, *controls = outcomes.values()
    training = {
        name: {
            "iterations": outcome.iterations,
            "stopped": outcome.stopped,
            "seconds": outcome.seconds,
            "skipped": max((record.get("skipped", 0) for record in outcome.records), default=0),
            "records": outcome.records,
        }
        for name, outcome in outcomes.items()
    }
    about = folder.about
    return {
        **{name: about[name] for name in ("name", "created", "command", "versions", "categories", "method")},
        **{name: about[name] for name in ("method_title", "source", "preset", "seed", "stop", "holdout", "lora_rank")},
        "seconds": {
            "unlearning": main.seconds,
            "controls": sum(outcome.seconds for outcome in controls),
            "measuring": round(time.monotonic() - started, 1),
        },
        "before": {
            "run": plan.run.name,
            "model": plan.run.model_name,
            "path": plan.run.model,
            "parameters": plan.model.parameters,
        },
        "after": {"model": str(main.model)},
        "settings": main.settings,
        "training": training.pop("none"),
        "controls": training,
        **counted,
        "warnings": [*plan.warnings, *counted["warnings"]],
    }
