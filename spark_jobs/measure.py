"""Measure: every metric from tokens, text and token scores, in one Arrow pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from metrics import compute_all, metric_columns
from metrics.batch import ScoredBatch
from metrics.token_bytes import TokenBytes, token_bytes
from metrics.token_scores import ScoreLevel, TokenScores
from spark_jobs import workers
from spark_jobs.schemas import SEQUENCES, arrow_schema, scores_columns


@dataclass(frozen=True)
class MeasureSettings:
    """What a worker needs to know to measure a batch."""

    tokenizer: str
    tokenizer_revision: str | None
    vocab_size: int
    prefix_tokens: int
    k_values: tuple[int, ...]
    level: ScoreLevel


def token_scores(batch: pa.RecordBatch, level: ScoreLevel) -> TokenScores:
    """The score columns of a batch as arrays."""
    arrays = {}
    for column in scores_columns(level)[1:]:
        values = batch.column(column.name)
        is_list = column.type.startswith("list")
        arrays[column.name] = (
            workers.matrix(values, batch.num_rows) if is_list else values.to_numpy(zero_copy_only=False)
        )
    return TokenScores(**arrays)


def scored_batch(
    batch: pa.RecordBatch,
    settings: MeasureSettings,
    token_counts: np.ndarray | None,
    decode: Callable[[np.ndarray], list[str]],
) -> ScoredBatch:
    """A joined batch of sequences, scores and duplicate counts, as the metrics take it."""
    return ScoredBatch(
        tokens=workers.matrix(batch.column("tokens"), batch.num_rows),
        text=batch.column("text").to_pylist(),
        prefix_tokens=settings.prefix_tokens,
        k_values=settings.k_values,
        scores=token_scores(batch, settings.level),
        decode=decode,
        token_counts=token_counts,
        duplicates=batch.column("duplicates").fill_null(-1).to_numpy(),
    )


def _measure_batches(
    settings: MeasureSettings, token_counts: np.ndarray | None, look_up: TokenBytes | None
) -> workers.ArrowFunction:
    schema = arrow_schema((SEQUENCES[0], *metric_columns(settings.level)))

    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        decode = look_up or _decoder(settings)
        for batch in batches:
            if batch.num_rows == 0:
                continue
            values = compute_all(scored_batch(batch, settings, token_counts, decode), settings.level)
            columns = [batch.column("sequence_id")]
            columns += [to_arrow(values[field.name], field.type) for field in list(schema)[1:]]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return run


def _decoder(settings: MeasureSettings) -> Callable[[np.ndarray], list[str]]:
    decode = workers.decoder(settings.tokenizer, settings.tokenizer_revision)
    return lambda tokens: decode(tokens.tolist())


def to_arrow(values: np.ndarray | list, kind: pa.DataType) -> pa.Array:
    """A metric's values as a column: NaN and masked values are null, rows of a matrix are lists."""
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(values.data, mask=np.ma.getmaskarray(values)).cast(kind)
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return workers.lists(values).cast(kind)
    if isinstance(values, np.ndarray):
        return workers.numbers(values).cast(kind)
    return pa.array(values, kind)


def measured(
    sequences: DataFrame,
    scores: DataFrame,
    duplicates: DataFrame,
    settings: MeasureSettings,
    token_counts: np.ndarray | None,
) -> DataFrame:
    """Table `metrics`.

    Args:
        sequences: `sequence_id`, `tokens`, `text`.
        scores: The scores table.
        duplicates: `sequence_id`, `duplicates`; rows that are missing there have an unknown count.
        settings: See there.
        token_counts: int64 [V], occurrences of each token id in the training corpus, or None.
    """
    # The driver's tokenizer spares the workers theirs.
    look_up = token_bytes(workers.tokenizer(settings.tokenizer, settings.tokenizer_revision), settings.vocab_size)
    texts = sequences.select("sequence_id", "tokens", "text")
    # The smaller tables are hashed and the scores pass by them: sorting all, as Spark would, costs more.
    joined = scores.join(texts.hint("shuffle_hash"), "sequence_id")
    joined = joined.join(duplicates.hint("shuffle_hash"), "sequence_id", "left")
    schema = arrow_schema((SEQUENCES[0], *metric_columns(settings.level)))
    return joined.mapInArrow(_measure_batches(settings, token_counts, look_up), from_arrow_schema(schema))
