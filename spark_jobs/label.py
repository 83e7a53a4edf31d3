"""Label: the evidence for every category and the label that follows from it, in one Arrow pass over the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from metrics.categories import label
from metrics.categories.ner import load_ner
from metrics.taxonomy import taxonomy
from spark_jobs import workers
from spark_jobs.measure import to_arrow
from spark_jobs.schemas import LABELS, arrow_schema


@dataclass(frozen=True)
class LabelSettings:
    """What a worker needs to know to label a batch.

    Attributes:
        include_attribution: Take personal data in licence and authorship headers for harmful, too.
        ner_model: spaCy package or Hugging Face token classifier that finds people's names, or None.
    """

    include_attribution: bool = False
    ner_model: str | None = None


def _label_batches(settings: LabelSettings) -> workers.ArrowFunction:
    schema = arrow_schema(LABELS)

    @workers.settled
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        names = load_ner(settings.ner_model) if settings.ner_model else None
        for batch in workers.together(batches):  # the prefilters' expressions are compiled for each
            duplicates = batch.column("duplicates").fill_null(-1).to_numpy().astype(np.int64)
            texts = batch.column("text").to_pylist()
            values = label(texts, duplicates, settings.include_attribution, names)
            values["taxonomy"] = taxonomy(duplicates.tolist(), values["repetition_kind"])
            columns = [
                to_arrow(values[field.name], field.type) if field.name in values else batch.column(field.name)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return run


def labelled(sequences: DataFrame, copies: DataFrame, duplicates: DataFrame, settings: LabelSettings) -> DataFrame:
    """Table `labels`.

    Args:
        sequences: `sequence_id`, `text`.
        copies: What `near_duplicates` says of each of them.
        duplicates: `sequence_id`, `duplicates`; rows that are missing there have an unknown count.
        settings: See there.
    """
    texts = sequences.select("sequence_id", "text")
    # Numbers are hashed and texts pass by them: sorting both, as Spark would, costs several times as much.
    joined = texts.join(copies.hint("shuffle_hash"), "sequence_id")
    joined = joined.join(duplicates.hint("shuffle_hash"), "sequence_id", "left")
    return joined.mapInArrow(_label_batches(settings), from_arrow_schema(arrow_schema(LABELS)))
