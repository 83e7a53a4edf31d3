"""Measures what a language model has memorized: `python calculate_metrics.py --help`."""

from __future__ import annotations

import contextlib
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from metrics.token_scores import ScoreLevel
from reporting.command import GroupedCommand, exit_codes, option
from spark_jobs.run_config import RunConfig

DEFAULTS = RunConfig()

HELP = """Measures what a language model has memorized, tells what kind of text it is, and reports it.

\b
Examples:
  python calculate_metrics.py
      the embedded demo: a small model that memorized invented people, code, licences
  python calculate_metrics.py --pythia 70m-deduped --pythia 160m-deduped --sample 10000
      two Pythia models on the sequences they are known to have memorized
  python calculate_metrics.py --model ./my-model --sequences texts.jsonl --run mine
      your own model on your own text
"""

EPILOG = """
\b
Exit codes: 0 done, 1 internal error, 2 usage, 3 input, 4 environment (Java, disk, port), 130 interrupted.
An interrupted run goes on where it stopped when the same command is typed again.
"""


class NumberList(click.ParamType):
    """Whole numbers separated by commas, such as 8,16,32."""

    name = "n,n,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers as a tuple."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 8,16,32", param, ctx)


class RowCount(click.ParamType):
    """A number of rows, or `all`, or `none`."""

    name = "n|all|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; -1 is all."""
        if isinstance(value, int):
            return value
        if value in ("all", "none"):
            return -1 if value == "all" else 0
        if not str(value).isdigit():
            self.fail(f"{value!r} is neither a number of rows nor `all` nor `none`", param, ctx)
        return int(value)


def default(name: str) -> dict[str, Any]:
    """The default of the setting `name`, shown in the help."""
    return {"default": getattr(DEFAULTS, name), "show_default": True}


@click.command(cls=GroupedCommand, help=HELP, epilog=EPILOG)
@option("Model", "--model", metavar="ID|FOLDER", help="Hub id or folder of a causal language model.")
@option("Model", "--revision", metavar="REV", help="Branch, tag or commit of a hub model.")
@option("Model", "--tokenizer", metavar="ID|FOLDER", help="Tokenizer, where it is not the model's own.")
@option(
    "Model",
    "--pythia",
    multiple=True,
    metavar="SIZE",
    help="A Pythia model with its memorized sequences, such as 70m-deduped or 12b-deduped@step23000; repeatable.",
)
@option(
    "Model",
    "--pythia-source",
    type=click.Choice(["memorized", "random-sample"]),
    default="memorized",
    show_default=True,
    help="Which published sequences --pythia measures on.",
)
@option(
    "Sequences",
    "--sequences",
    metavar="ID|PATH",
    help="Hub dataset id, folder, parquet, jsonl, csv, or PREFIX.npy,SUFFIX.npy. Text is tokenized with the "
    "model's tokenizer; token ids are taken as they are.",
)
@option("Sequences", "--sequences-revision", metavar="REV", help="Branch, tag or commit of a hub dataset.")
@option("Sequences", "--split", help="Split of a hub dataset or of a folder that has splits.")
@option("Sequences", "--id-column", metavar="NAME", help="Column with the ids, if it has an unusual name.")
@option("Sequences", "--tokens-column", metavar="NAME", help="Column with lists of token ids.")
@option("Sequences", "--text-column", metavar="NAME", help="Column with text.")
@option("Sequences", "--sample", type=click.IntRange(1), metavar="N", help="Keep N rows, chosen by id and seed.")
@option("Sequences", "--seed", type=int, **default("seed"), help="Seed of every choice made by chance.")
@option(
    "Sequences",
    "--duplicates",
    metavar="FILE",
    help="Table with how often each sequence_id occurs in the training corpus.",
)
@option("Sequences", "--token-counts", metavar="FILE", help="Table with how often each token id occurs there.")
@option(
    "Sequences",
    "--corpus",
    metavar="PATH",
    help="The tokenized training corpus, to count both from: parquet or npy with a column tokens, or the pair NAME.bin "
    "and NAME.idx of Megatron-LM or GPT-NeoX.",
)
@option("Measure", "--prefix-tokens", type=int, **default("prefix_tokens"), help="Tokens of the prompt.")
@option("Measure", "--suffix-tokens", type=int, **default("suffix_tokens"), help="Tokens that must be reproduced.")
@option("Measure", "--k", type=NumberList(), **default("k"), help="Prompt lengths: same suffix, shorter prompts.")
@option(
    "Measure",
    "--scores",
    type=click.Choice([level.option for level in reversed(ScoreLevel)]),
    **default("scores"),
    help="Every metric; those of the suffix (label, memorization score, similarity, probability); the same without "
    "probabilities; or the label only. Each is faster than the one before it.",
)
@option(
    "Measure",
    "--el-rows",
    type=RowCount(),
    **default("el_rows"),
    help="How many rows get the extraction likelihood EL_10, the one costly metric; only with --scores full.",
)
@option(
    "Measure",
    "--include-attribution",
    is_flag=True,
    help="Take personal data in licence and authorship headers for harmful, too.",
)
@option(
    "Measure",
    "--ner-model",
    metavar="NAME|FOLDER",
    help="Find people's names with a spaCy pipeline or a Hugging Face token classifier, too: an installed package, a "
    "folder, or a hub id.",
)
@option(
    "Compute",
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    **default("dtype"),
    help="float32 is the reference; the others change labels on near-ties.",
)
@option("Compute", "--device", **default("device"), help="auto, cpu, cuda or cuda:N.")
@option("Compute", "--batch-size", type=click.IntRange(1), metavar="N", help="Rows per forward pass.")
@option(
    "Compute",
    "--master",
    metavar="URL",
    help="Spark master: local[*] (the default), local[2], spark://HOST:7077, yarn, k8s://...",
)
@option("Run", "--run", metavar="NAME", help="Name of the run; made from what is measured if left out.")
@option(
    "Run",
    "--runs-dir",
    type=click.Path(path_type=Path, file_okay=False),
    **default("runs_dir"),
    help="Folder that holds the runs.",
)
@option(
    "Run",
    "--ui-port",
    type=click.IntRange(1024, 65535),
    **default("ui_port"),
    help="Port of the Spark UI; the next free one if it is taken.",
)
@option(
    "Run",
    "--checkpoint-rows",
    type=click.IntRange(1),
    **default("checkpoint_rows"),
    help="Rows scored between two points that an interrupted run can go on from; there are 32 such points at most.",
)
@option("Run", "--keep-ui", is_flag=True, help="Keep the Spark UI open after the run until Enter.")
@option("Run", "--show-text", is_flag=True, help="Show personal data in the report instead of masking it.")
@option("Run", "--dry-run", is_flag=True, help="Print what would be done, and stop.")
@click.version_option(version="0.1.0", prog_name="unrecite")
def main(pythia: tuple[str, ...], pythia_source: str, dry_run: bool, **settings: Any) -> None:
    """Runs the command; see `--help`."""
    from data.errors import InputError
    from metrics.loading import ModelError
    from spark_jobs.errors import MachineError, find_known_error
    from spark_jobs.plan import UsageMistakeError
    from spark_jobs.run_folder import RunConflictError

    current: dict[str, Path | None] = {"folder": None}
    with exit_codes(
        usage_errors=(UsageMistakeError,),
        input_errors=(InputError, ModelError, RunConflictError),
        environment_errors=(MachineError,),
        explain=find_known_error,
        after_interrupt=lambda: "Finished stages are kept: type the same command again to go on.",
        folder=lambda: current["folder"],
    ):
        configs = [RunConfig(**settings)] if not pythia else _pythia_configs(pythia, pythia_source, settings)
        _measure_all(configs, dry_run, current)


def _pythia_configs(names: tuple[str, ...], source: str, settings: dict[str, Any]) -> list[RunConfig]:
    """One run for each Pythia model."""
    from data.pythia import parse

    fixed = [name for name in ("model", "sequences", "revision", "split", "run") if settings[name]]
    if set(fixed) - {"run"} or (fixed and len(names) > 1):
        raise click.UsageError(f"--pythia already says it: leave out --{fixed[0].replace('_', '-')}.")
    configs = []
    for name in names:
        target = parse(name, source)
        chosen = {
            "model": target.model,
            "revision": target.revision,
            "sequences": target.dataset,
            "split": target.split,
        }
        configs.append(RunConfig(**settings | chosen))
    return configs


def _measure_all(configs: list[RunConfig], dry_run: bool, current: dict[str, Path | None]) -> None:
    from rich.console import Console

    from data.demo_model import is_built
    from reporting.terminal import print_plan, print_runs, print_summary
    from spark_jobs.plan import make_plan

    console = Console()
    if dry_run and configs[0].model is None and configs[0].sequences is None and not is_built():
        console.print(
            "The demo model is not there yet. Without --dry-run it would be trained first (about two minutes, once), "
            f"then measured into {configs[0].runs_dir}/.",
        )
        return
    plans = [make_plan(config) for config in configs]
    if dry_run:
        for plan in plans:
            print_plan(plan.overview(), console)
        return
    summaries = []
    for plan in plans:
        for warning in plan.warnings:
            console.print(f"Warning: {warning}", style="yellow")
        current["folder"] = plan.folder
        summary = _measure(plan, console)
        print_summary(summary, console, report=plan.folder / "report.html")
        summaries.append(summary)
    if len(summaries) > 1:
        print_runs(summaries, console)


def _measure(plan: Any, console: Any) -> dict[str, Any]:
    """One run: Spark, the stages, the report."""
    from data.cache import cache_dir
    from reporting.html import write_report
    from reporting.progress import StageProgress
    from spark_jobs.pipeline import Pipeline, finished_summary
    from spark_jobs.plan import plain
    from spark_jobs.run_folder import RunFolder
    from spark_jobs.session import start
    from spark_jobs.watch import interrupts_between_calls

    config = plan.config
    folder = RunFolder(plan.folder)
    folder.check(plan.table_settings)
    console.print(f"Run {plan.run} in {plan.folder}")
    summary = None if config.keep_ui else finished_summary(plan, folder)
    if summary:
        console.print("Every stage was done before with the same settings; its result:")
        if not (plan.folder / "report.html").is_file():
            write_report(summary, plan.folder / "report.html")
        with contextlib.suppress(OSError):
            (plan.folder / "run.json").touch()  # `unlearn` takes the run that was measured or shown last
        return summary
    folder.open()
    try:
        spark = start(f"unrecite {plan.run}", plan.folder, config.master, config.ui_port, cache_dir())
        try:
            console.print(f"Spark UI: {spark.sparkContext.uiWebUrl}")
            about = {
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": _versions(spark),
                "command": shlex.join(["python", "calculate_metrics.py", *sys.argv[1:]]),
            }
            folder.save(config=plain(config), **about)
            with StageProgress(console) as progress, interrupts_between_calls():
                summary = Pipeline(spark, plan, folder, progress).run(about)
            write_report(summary, plan.folder / "report.html")
            if config.keep_ui:
                console.print(f"The Spark UI stays open at {spark.sparkContext.uiWebUrl}. Enter ends it.")
                sys.stdin.readline()
        finally:
            spark.stop()
    finally:
        folder.close()
    return summary


def _versions(spark: Any) -> dict[str, str | None]:
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    packages = ("pyspark", "torch", "transformers", "tokenizers", "pyarrow", "sacrebleu", "phonenumbers")
    java = spark.sparkContext._jvm.java.lang.System.getProperty("java.version")
    return {
        "unrecite": "0.1.0",
        "git": git.stdout.strip() or None,
        "python": platform.python_version(),
        "java": java,
        **{name: version(name) for name in packages},
    }


if __name__ == "__main__":
    main(prog_name="python calculate_metrics.py")
