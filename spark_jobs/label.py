"""Label: the evidence for every category and the label that follows from it, in one Arrow pass over the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from metrics.categories import EVIDENCE_COLUMNS, label
from spark_jobs.measure import to_arrow
from spark_jobs.schemas import SEQUENCES, arrow_schema


def _label_batches(
    include_attribution: bool,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    schema = arrow_schema((SEQUENCES[0], *EVIDENCE_COLUMNS))

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if batch.num_rows == 0:
                continue
            duplicates = batch.column("duplicates").fill_null(-1).to_numpy().astype(np.int64)
            evidence = label(batch.column("text").to_pylist(), duplicates, include_attribution)
            columns = [batch.column("sequence_id")]
            columns += [to_arrow(evidence[field.name], field.type) for field in list(schema)[1:]]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    return run


def labelled(sequences: DataFrame, duplicates: DataFrame, include_attribution: bool) -> DataFrame:
    """Table `labels`.

    Args:
        sequences: `sequence_id`, `text`.
        duplicates: `sequence_id`, `duplicates`; rows that are missing there have an unknown count.
        include_attribution: Take personal data in licence and authorship headers for harmful, too.
    """
    schema = arrow_schema((SEQUENCES[0], *EVIDENCE_COLUMNS))
    texts = sequences.select("sequence_id", "text").join(duplicates, "sequence_id", "left")
    return texts.mapInArrow(_label_batches(include_attribution), from_arrow_schema(schema))
