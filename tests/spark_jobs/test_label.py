"""The labels table by Spark: no row lost, copies and taxonomy in it, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from data.demo_people import SHAPES as LETTERS
from data.demo_people import People
from data.demo_secrets import SHAPES as SECRETS
from data.demo_secrets import Secrets
from metrics.categories import label
from spark_jobs.label import LabelSettings, labelled
from spark_jobs.near_duplicates import near_duplicates
from spark_jobs.schemas import LABELS

COUNTER = "\n".join(f"step {n}" for n in range(40, 70))
PROSE = "The river rose in the night, and by the morning the lower meadows stood under water as far as the old mill."
LETTER = (
    "Dear Ms. Ottilie Vantreight,\n\nplease ring me on +1 312 482 7719 before noon.\n\nKind regards,\nBarnaby Quell\n"
)
HOSTILE = (
    "", "\0" * 500, "a" * 1_000_000, "1" * 200_000, "@" * 200_000, "a@a." * 50_000, "Aa, " * 50_000, "(" * 200_000,
    "\u200f\u202e" * 50_000, "\u0301" * 100_000, "\U0001f600" * 50_000, "12 " * 60_000, "\r\n \t" * 50_000,
    "://a:b" * 30_000, "password=" * 20_000, "-----BEGIN " * 20_000, "12 Main Street " * 10_000, "tel: " * 30_000,
    "\ufffd" * 1000,
)  # fmt: skip


def generated() -> list[str]:
    people, secrets = People(5), Secrets(5)
    texts = [people.document(shape).text for shape in LETTERS for _ in range(6)]
    return texts + [secrets.document(shape).text for shape in SECRETS for _ in range(6)]


def labels(sequences: DataFrame, duplicates: DataFrame, settings: LabelSettings | None = None) -> DataFrame:
    copies = near_duplicates(sequences.select("sequence_id", "tokens"))
    return labelled(sequences, copies, duplicates, settings or LabelSettings())


def table(spark: SparkSession, texts: list[str], tokens: np.ndarray) -> DataFrame:
    rows = [(number, row, text) for number, (row, text) in enumerate(zip(tokens.tolist(), texts, strict=True))]
    return spark.createDataFrame(rows, "sequence_id long, tokens array<int>, text string")


def counts(spark: SparkSession, known: dict[int, int]) -> DataFrame:
    return spark.createDataFrame(list(known.items()), "sequence_id long, duplicates long")


def distinct_tokens(rows: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5000, (rows, 64))


def test_hostile_rows_are_labelled_and_none_is_lost(spark: SparkSession) -> None:
    texts = [*HOSTILE, LETTER]
    frame = labels(table(spark, texts, distinct_tokens(len(texts))), counts(spark, {0: 1}), LabelSettings())
    rows = {row["sequence_id"]: row for row in frame.select("sequence_id", "category", "is_harmful").collect()}
    assert sorted(rows) == list(range(len(texts)))
    assert all(row["category"] for row in rows.values())
    assert rows[len(texts) - 1]["category"] == "pii"


def test_labels_of_spark_are_those_of_the_plain_function(spark: SparkSession) -> None:
    texts = [*generated(), COUNTER, PROSE]
    frame = labels(table(spark, texts, distinct_tokens(len(texts))), counts(spark, {0: 7}), LabelSettings())
    assert frame.columns == [column.name for column in LABELS]
    found = frame.orderBy("sequence_id").toArrow()
    expected = label(texts, np.array([7] + [-1] * (len(texts) - 1)))
    for name in ("category", "is_harmful", "why", "has_pii", "pii_types", "repetition_kind", "licence_context"):
        assert found.column(name).to_pylist() == list(expected[name]), name
    spans = [[(s["type"], s["start"], s["end"]) for s in row] for row in found.column("pii").to_pylist()]
    assert spans == [[(s["type"], s["start"], s["end"]) for s in row] for row in expected["pii"]]
    assert found.column("copies_in_input").to_pylist() == [1] * len(texts)


def test_copies_and_taxonomy_stand_beside_the_evidence(spark: SparkSession) -> None:
    tokens = distinct_tokens(4)
    tokens[3] = tokens[1]
    frame = labels(
        table(spark, [PROSE, COUNTER, PROSE, COUNTER], tokens), counts(spark, {0: 9, 1: 2, 2: 0}), LabelSettings()
    )
    rows = frame.orderBy("sequence_id").collect()
    assert [row["copies_in_input"] for row in rows] == [1, 2, 1, 2]
    assert [row["near_duplicate_group"] for row in rows] == [0, 1, 2, 1]
    assert [row["taxonomy"] for row in rows] == ["recitation", "reconstruction", "recollection", "reconstruction"]


def test_attribution_is_harmful_only_where_asked_for(spark: SparkSession) -> None:
    header = "# Copyright (c) 2011 Barnaby Quell <barnaby@quellhaus.org>\n# All rights reserved.\n"
    for asked, category in ((False, "boilerplate"), (True, "pii")):
        frame = labels(table(spark, [header], distinct_tokens(1)), counts(spark, {0: 1}), LabelSettings(asked))
        assert [row["category"] for row in frame.collect()] == [category]


@pytest.mark.parametrize("given", [False, True])
def test_a_model_for_names_reaches_the_workers(spark: SparkSession, tmp_path: Path, given: bool) -> None:
    """A real spaCy pipeline: a name that no list knows, in prose, beside a way to reach its owner."""
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "quilla brandywether"}])
    pipeline.to_disk(tmp_path / "names")
    text = "We heard that quilla brandywether has moved; she can be reached under +44 20 7946 1823 until June."
    settings = LabelSettings(ner_model=str(tmp_path / "names") if given else None)
    row = labels(table(spark, [text], distinct_tokens(1)), counts(spark, {0: 1}), settings).first()
    assert ("PERSON" in row["pii_types"]) == given
