"""What the comparison asks the models once more: EL_10 of rows that have none yet, and how fluent continuations are.

Each is one job for one model and gives one number a row: for all rows of the splits that unlearning is about and for a
sample of each other split, the same rows for every model. What was computed stays beside the run after unlearning,
under a name made of everything that it depends on, so that a comparison that was interrupted doesn't pay again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.measured_run import MeasuredRun
from spark_jobs.partitions import model_tasks
from spark_jobs.pipeline import Progress
from spark_jobs.run_folder import RunFolder, settings_key
from spark_jobs.watch import run_action

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WHOLE_SPLITS = ("forget", "held_out")
_SCHEMA = pa.schema([("sequence_id", pa.int64()), ("model", pa.string()), ("value", pa.float64())])
_SPARK_SCHEMA = "sequence_id long, model string, value double"


@dataclass(frozen=True)
class Question:
    """What a model is asked about rows.

    Attributes:
        name: In the names of tables and jobs.
        sample: How many rows of each split it is asked about, beside all those of `WHOLE_SPLITS`.
        answer: model, int [N, T] tokens, P, end-of-text tokens, rows a pass -> float [N].
    """

    name: str
    sample: int
    answer: Callable[[PreTrainedModel, np.ndarray, int, tuple[int, ...], int | None], np.ndarray]

    def chosen(self) -> Column:
        """Whether a row with columns `split` and `place` is asked about."""
        return F.col("split").isin(*WHOLE_SPLITS) | (F.col("place") <= self.sample)

    def rows_each_stands_for(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Rows of each split that is not empty, divided by how many of them are asked about."""
        asked = {name: size if name in WHOLE_SPLITS else min(size, self.sample) for name, size in sizes.items()}
        return {name: size / asked[name] for name, size in sizes.items() if size}


def _el_10(
    model: PreTrainedModel,
    tokens: np.ndarray,
    prefix_tokens: int,
    eos_token_ids: tuple[int, ...],
    batch_size: int | None,
) -> np.ndarray:
    from metrics.forward_pass import score

    every = np.ones(len(tokens), bool)
    settings = {"level": ScoreLevel.FULL, "eos_token_id": eos_token_ids, "batch_size": batch_size, "el_rows": every}
    return score(model, tokens, prefix_tokens, (prefix_tokens,), **settings).extraction_likelihood


def _continuation_nll(
    model: PreTrainedModel,
    tokens: np.ndarray,
    prefix_tokens: int,
    eos_token_ids: tuple[int, ...],
    batch_size: int | None,
) -> np.ndarray:
    """Mean negative log-likelihood of the tokens after the first P, nats a token."""
    from metrics.forward_pass import score
    from metrics.likelihood import mean_nll

    # With all tokens but the last as the prompt, the pass has nothing to decode: half its cost.
    prompt = tokens.shape[1] - 1
    settings = {"level": ScoreLevel.FULL, "eos_token_id": eos_token_ids, "batch_size": batch_size}
    logprob = score(model, tokens, prompt, (prompt,), **settings).logprob
    return mean_nll(logprob[:, prefix_tokens - tokens.shape[1] :])


EL_10 = Question("el", 64, _el_10)  # 90 ms a row (1.3 million parameters, one core)
FLUENCY = Question("fluency", 128, _continuation_nll)  # 4 ms
_QUESTIONS = (EL_10, FLUENCY)


def _questions(table: DataFrame, sequences: DataFrame, prefix_tokens: int) -> DataFrame:
    """Everything to be asked: `question`, `who` (the model asked), `model` (the one it is about), id and tokens.

    A continuation that is the true suffix is not asked about: the run before holds what the original model thinks of
    it.
    """
    full = table.where("greedy_tokens is not null")
    lacking = full.where(EL_10.chosen() & F.col("el_10").isNull())
    other = full.where(FLUENCY.chosen() & ~F.col("extractable") & F.col("suffix_nll").isNotNull())
    said = F.concat(F.slice("tokens", 1, prefix_tokens), "greedy_tokens")
    parts = [
        rows.join(sequences, "sequence_id").select(
            F.lit(question.name).alias("question"), who.alias("who"), "model", "sequence_id", tokens.alias("tokens")
        )
        for question, rows, who, tokens in (
            (EL_10, lacking, F.col("model"), F.col("tokens")),
            (FLUENCY, other, F.lit("before"), said),
        )
    ]
    return parts[0].unionAll(parts[1])


def ask_models(
    spark: SparkSession, runs: Mapping[str, MeasuredRun], table: DataFrame, keep: RunFolder, progress: Progress
) -> dict[str, DataFrame | None]:
    """Asks each model what the tables of the runs don't answer.

    Args:
        spark: The session.
        runs: Model to its run, `before` first.
        table: Models and rows, as `compare_figures.joined` gives them.
        keep: The folder that answers are kept in.
        progress: Shows how far it is.

    Returns:
        Name of each question to `sequence_id`, `model`, `value` (null where there is no answer); None where nothing
        had to be asked.

    Raises:
        InputError: A model is not the one that was measured.
        ModelError: A model can't be loaded.
    """
    before = runs["before"]
    sequences = before.table(spark, "sequences").select("sequence_id", "tokens")
    questions = _questions(table, sequences, before.prefix_tokens).persist()
    answers: dict[str, list[DataFrame]] = {question.name: [] for question in _QUESTIONS}
    try:
        content = F.bit_xor(F.xxhash64("model", "sequence_id", "tokens")).alias("content")
        counted = questions.groupBy("question", "who").agg(F.count("*").alias("rows"), content)
        found = {
            (row["who"], row["question"]): (row["rows"], row["content"])
            for row in run_action(spark, "compare: what the models are to be asked", counted.collect)
        }
        done = 0
        with progress.stage("rescore", "EL_10 and fluency", sum(count for count, _ in found.values())) as shown:
            # One model after the other: a worker holds one.
            for who, question in ((who, question) for who in runs for question in _QUESTIONS):
                if (who, question.name) not in found:
                    continue
                rows = questions.where((F.col("who") == who) & (F.col("question") == question.name))
                inputs = found[who, question.name]
                answers[question.name].append(
                    _ask(
                        spark,
                        keep,
                        (who, runs[who]),
                        question,
                        rows,
                        inputs,
                        lambda count, start=done: shown.update(start + count),
                    )
                )
                done += inputs[0]
    finally:
        questions.unpersist()
    return {name: reduce(DataFrame.unionAll, frames) if frames else None for name, frames in answers.items()}


def _ask(
    spark: SparkSession,
    keep: RunFolder,
    asked: tuple[str, MeasuredRun],
    question: Question,
    rows: DataFrame,
    inputs: tuple[int, int],
    on_rows: Callable[[int], None],
) -> DataFrame:
    """The answers of one model to one question, computed unless they are kept.

    Args:
        spark: The session.
        keep: The folder that they are kept in.
        asked: The model's name in the comparison, and its run.
        question: What is asked.
        rows: `sequence_id`, `model`, `tokens`.
        inputs: Number of rows, and a hash of their contents.
        on_rows: Told how many rows are done.
    """
    who, run = asked
    depends_on = {key: run.settings[key] for key in ("model fingerprint", "dtype", "prefix_tokens")}
    name = f"comparison-{question.name}-{who}"
    kept = f"{name}-{settings_key(depends_on | {'rows': inputs})}"
    path = keep.table(kept)
    if not path.is_dir():
        tasks = model_tasks(spark, inputs[0], run.device)
        frame = (
            rows.select("sequence_id", "model", "tokens")
            .repartition(tasks, F.xxhash64("sequence_id", "model"))
            .sortWithinPartitions("model", "sequence_id")
            .mapInArrow(_answer_batches(question, run, run.eos_token_ids()), _SPARK_SCHEMA)
        )
        writing = keep.writing(kept)
        run_action(
            spark,
            f"compare: {question.name} of {inputs[0]:,} rows under the model {who}",
            lambda: frame.write.mode("overwrite").parquet(str(writing)),
            lambda share: on_rows(int(share * inputs[0])),
        )
        keep.publish(writing, kept)
        for old in set(keep.path.glob(f"{name}-*.parquet")) - {path}:
            shutil.rmtree(old)  # about other rows, or of other weights
    return spark.read.schema(_SPARK_SCHEMA).parquet(str(path))


def _answer_batches(question: Question, run: MeasuredRun, eos_token_ids: tuple[int, ...]) -> workers.ArrowFunction:
    name, revision, dtype = (run.settings[key] for key in ("model", "revision", "dtype"))
    device, prefix_tokens, batch_size = run.device, run.prefix_tokens, run.batch_size

    @workers.settled
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in workers.together(batches):
            model = workers.model(name, revision, dtype, device)
            tokens = workers.matrix(batch.column("tokens"), batch.num_rows)
            values = question.answer(model, tokens, prefix_tokens, eos_token_ids, batch_size)
            columns = [batch.column("sequence_id"), batch.column("model")]
            columns.append(workers.numbers(values.astype(np.float64)))
            yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)

    return work
