"""Every setting of an unlearning and its default, written once. The command line reads them from here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class UnlearnConfig:
    """The settings of one unlearning, beside the method's hyper-parameters.

    Attributes:
        category: What is to be unlearned: `pii`, `credentials`, or any other category.
        run: Name or folder of the measured run; None is the one finished last.
        runs_dir: Folder that holds the runs.
        model: Hub id or folder of the model to start from; None is the one that was measured.
        revision: Branch, tag or commit of a hub model given by `model`.
        out: Folder of the result; None is one inside the run's.
        method: Name of the method.
        preset: `auto`, the best recipe known here, or `paper`, the paper's setting to the letter.
        stop: `extractable`, `forgotten` or `steps`; None is the method's own.
        holdout: Share of the rows that is not trained on, to see whether forgetting generalises.
        seed: Seed of every choice made by chance.
        control: Also run the controls: a constant reward, and rewards permuted among the rollouts.
        lora: Train low-rank adapters, merged at the end, instead of all weights.
        lora_rank: Their rank.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        precision: `auto` is bfloat16 autocast on CUDA and float32 elsewhere. Weights stay float32.
        gradient_checkpointing: Compute activations twice instead of keeping them.
        save_every: Iterations between two saves that an interrupted run can go on from.
        master: Spark master of the jobs that measure again; None is the run's own.
        ui_port: First port tried for the Spark UI.
        show_text: Show personal data in the report instead of masking it.
    """

    category: tuple[str, ...] = ()
    run: str | None = None
    runs_dir: Path = Path("runs")
    model: str | None = None
    revision: str | None = None
    out: Path | None = None
    method: str = "demem"
    preset: str = "auto"
    stop: str | None = None
    holdout: float = 0.25
    seed: int = 0
    control: bool = False
    lora: bool = False
    lora_rank: int = 16
    device: str = "auto"
    precision: str = "auto"
    gradient_checkpointing: bool = False
    save_every: int = 1
    master: str | None = None
    ui_port: int = 4040
    show_text: bool = False
