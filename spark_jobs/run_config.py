"""Every setting of a measuring run and its default, written once. The command line reads them from here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunConfig:
    """The settings of one run. `None` means: worked out from the other settings.

    Attributes:
        model: Hub id or folder of the model; None is the embedded demo model.
        revision: Branch, tag or commit of a hub model.
        tokenizer: Hub id or folder of the tokenizer; None is the model's own.
        sequences: Hub dataset id, folder, file, or `prefix.npy,suffix.npy`; None is the embedded demo corpus.
        sequences_revision: Branch, tag or commit of a hub dataset.
        split: Split of a hub dataset or of a folder that has splits.
        id_column, tokens_column, text_column: Column names, where the usual ones are not found.
        prefix_tokens: P, length of the prompt.
        suffix_tokens: S, length of what must be reproduced.
        k: Prompt lengths of the sweep, P among them.
        sample: Keep this many rows, chosen by a hash of the id and the seed.
        seed: Seed of every choice made by chance.
        scores: How much is asked of the model: the name of a `ScoreLevel`, in small letters.
        el_rows: How many rows get the extraction likelihood EL_10, the one costly metric; -1 is all of them.
        duplicates: Table with a count per `sequence_id`.
        token_counts: Table with a count per token id.
        corpus: What the model was trained on as tokens, to count both from: see `data.corpus.open_corpus`.
        include_attribution: Take personal data in licence and authorship headers for harmful, too.
        ner_model: spaCy package, Hugging Face token classifier, or a folder with either, that finds people's names.
        dtype: float32 is the reference; bfloat16 and float16 change labels on near-ties.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        batch_size: Rows per forward pass; None is chosen by model and device.
        run: Name of the run; None is made from what is measured.
        runs_dir: Folder that holds the runs.
        master: Spark master; None is `local[*]`, or what `spark-submit` was given.
        ui_port: First port tried for the Spark UI.
        keep_ui: Keep the Spark UI open after the run until Enter.
        show_text: Show personal data in the report and the terminal.
        checkpoint_rows: Rows scored between two points that an interrupted run can go on from.
    """

    model: str | None = None
    revision: str | None = None
    tokenizer: str | None = None
    sequences: str | None = None
    sequences_revision: str | None = None
    split: str | None = None
    id_column: str | None = None
    tokens_column: str | None = None
    text_column: str | None = None
    prefix_tokens: int = 32
    suffix_tokens: int = 32
    k: tuple[int, ...] = (8, 16, 32)
    sample: int | None = None
    seed: int = 0
    scores: str = "full"
    el_rows: int = 256
    duplicates: str | None = None
    token_counts: str | None = None
    corpus: str | None = None
    include_attribution: bool = False
    ner_model: str | None = None
    dtype: str = "float32"
    device: str = "auto"
    batch_size: int | None = None
    run: str | None = None
    runs_dir: Path = Path("runs")
    master: str | None = None
    ui_port: int = 4040
    keep_ui: bool = False
    show_text: bool = False
    checkpoint_rows: int = 8192
