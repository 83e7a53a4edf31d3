"""Score: one teacher-forced pass of the model over every sequence, in chunks that survive an interruption."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from metrics.token_scores import ScoreLevel
from spark_jobs import workers
from spark_jobs.draw import is_drawn
from spark_jobs.partitions import model_tasks
from spark_jobs.run_folder import RunFolder
from spark_jobs.schemas import arrow_schema, scores_columns
from spark_jobs.watch import run_action

# Each chunk reads all sequences to find its own.
_MOST_CHUNKS = 32


@dataclass(frozen=True)
class ScoreSettings:
    """What a worker needs to know to score a batch."""

    model: str
    revision: str | None
    dtype: str
    device: str
    prefix_tokens: int
    k_values: tuple[int, ...]
    level: ScoreLevel
    eos_token_ids: tuple[int, ...]
    batch_size: int | None
    checkpoint_rows: int


def _score_batches(settings: ScoreSettings) -> workers.ArrowFunction:
    schema = arrow_schema(scores_columns(settings.level))

    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from metrics.forward_pass import score
        from metrics.memory import give_back_freed

        for batch in workers.together(batches):
            model = workers.model(settings.model, settings.revision, settings.dtype, settings.device)
            scores = score(
                model,
                workers.matrix(batch.column("tokens"), batch.num_rows),
                settings.prefix_tokens,
                settings.k_values,
                level=settings.level,
                eos_token_id=settings.eos_token_ids,
                batch_size=settings.batch_size,
                el_rows=workers.flags(batch.column("wants_el")) if settings.level == ScoreLevel.FULL else None,
            )
            columns = [batch.column("sequence_id")]
            for field in list(schema)[1:]:
                values = getattr(scores, field.name)
                columns.append(workers.lists(values) if values.ndim == 2 else workers.numbers(values))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            give_back_freed()

    return run


def _with_el_choice(sequences: DataFrame, rows: int, el_rows: int, seed: int) -> DataFrame:
    """Marks the `el_rows` rows with the smallest hash of id and seed; the same whatever the partitioning."""
    if el_rows < 0 or el_rows >= rows:
        return sequences.withColumn("wants_el", F.lit(True))
    if el_rows == 0:
        return sequences.withColumn("wants_el", F.lit(False))
    return sequences.withColumn("wants_el", is_drawn(sequences, el_rows, seed))


def score_table(
    spark: SparkSession,
    folder: RunFolder,
    settings: ScoreSettings,
    rows: int,
    el_rows: int,
    seed: int,
    on_rows: Callable[[int], None],
) -> None:
    """Writes table `scores`; chunks that an interrupted run finished are kept."""
    parts = folder.partial("scores")
    parts.mkdir(exist_ok=True)
    sequences = spark.read.parquet(str(folder.table("sequences"))).select("sequence_id", "tokens")
    if settings.level == ScoreLevel.FULL:
        sequences = run_action(
            spark, "score: choose the rows for EL", lambda: _with_el_choice(sequences, rows, el_rows, seed)
        )
    chunks = min(_MOST_CHUNKS, max(1, math.ceil(rows / settings.checkpoint_rows)))
    output = from_arrow_schema(arrow_schema(scores_columns(settings.level)))
    per_chunk = rows / chunks
    done = 0
    for number in range(chunks):
        name = f"chunk-{number:05d}"
        marker = parts / f"_{name}.done"
        if marker.is_file():
            done += int(marker.read_text())
            on_rows(done)
            continue
        for stale in parts.glob(f"{name}-*"):
            stale.unlink()
        in_chunk = F.pmod(F.xxhash64("sequence_id"), F.lit(chunks)) == number
        tasks = model_tasks(spark, math.ceil(per_chunk), settings.device)
        writing = folder.writing(f"scores-{name}")
        frame = (
            sequences.where(in_chunk)
            .repartition(tasks, F.xxhash64("sequence_id", F.lit(1)))
            .sortWithinPartitions("sequence_id")  # the same batches every time: the same floats to the last bit
            .mapInArrow(_score_batches(settings), output)
        )
        run_action(
            spark,
            f"score: chunk {number + 1} of {chunks}",
            lambda frame=frame, writing=writing: frame.write.parquet(str(writing)),
            lambda share, start=done: on_rows(start + int(share * per_chunk)),
        )
        files = sorted(writing.glob("part-*.parquet"))
        count = 0
        for index, file in enumerate(files):
            count += pq.read_metadata(file).num_rows
            file.rename(parts / f"{name}-{index:05d}.parquet")
        marker.write_text(str(count))
        shutil.rmtree(writing)
        done += count
        on_rows(done)
    for marker in parts.glob("_*.done"):
        marker.unlink()
    folder.publish(parts, "scores")
