"""How well memorization can be predicted from what kind of row it is: a finished run, or the labelled Pythia rows.

    python benchmarks/predictor.py runs/demo-acd9941d ../shared/data

A run folder needs tables `metrics` and `labels`. A folder of labelled files needs `pythia70m_labelled.csv` (columns
`text`, `perplexity`, `memorized`) and `pythia_tokenizer.json`; there the target is `memorized`, numbers of copies and
token frequencies are unknown, and the one perplexity is that of the whole sequence.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.labelled_files import PYTHIA, TOKENIZER, folder_with
from data.cache import cache_dir
from metrics.categories import label
from metrics.compression import huffman_code_length
from metrics.taxonomy import taxonomy
from spark_jobs.near_duplicates import near_duplicates
from spark_jobs.predict import predict
from spark_jobs.session import start

FIGURES = ("auroc", "average_precision", "log_loss", "brier", "calibration_error")
RUN_TABLES = ("metrics.parquet", "labels.parquet")
_TOKENS = 64
_KEPT = (bool, np.bool_, int, np.integer, float, np.floating, str)


def labelled_rows(spark: SparkSession, folder: Path) -> tuple[DataFrame, DataFrame]:
    """Tables `metrics` and `labels` of the labelled Pythia rows."""
    with (folder / PYTHIA).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"] != "#ERROR!"]
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    texts = [row["text"] for row in rows]
    tokens = [(one.ids + [0] * _TOKENS)[:_TOKENS] for one in tokenizer.encode_batch(texts)]
    ids = pa.array([int(row["sequence_id"]) for row in rows], pa.int64())
    metrics = pa.table(
        {
            "sequence_id": ids,
            "extractable": pa.array([row["memorized"] == "True" for row in rows]),
            "perplexity_sequence": pa.array([float(row["perplexity"]) for row in rows]),
            "huffman_code_length": pa.array(huffman_code_length(np.array(tokens))),
        }
    )
    evidence = {
        name: pa.array(list(values))
        for name, values in label(texts).items()
        if all(value is None or isinstance(value, _KEPT) for value in values)
    }
    evidence = {name: values for name, values in evidence.items() if not pa.types.is_null(values.type)}
    kinds = evidence["repetition_kind"].to_pylist()
    labels = pa.table(
        {"sequence_id": ids, **evidence, "taxonomy": pa.array(taxonomy([None] * len(rows), kinds), pa.string())}
    )
    sequences = spark.createDataFrame(pa.table({"sequence_id": ids, "tokens": pa.array(tokens, pa.list_(pa.int32()))}))
    return spark.createDataFrame(metrics), spark.createDataFrame(labels).join(near_duplicates(sequences), "sequence_id")


def tables(spark: SparkSession, folder: Path) -> tuple[DataFrame, DataFrame]:
    """Tables `metrics` and `labels` of a run, or of the labelled rows."""
    if is_run(folder):
        return tuple(spark.read.parquet(str(folder / name)) for name in RUN_TABLES)
    return labelled_rows(spark, folder)


def is_run(folder: Path) -> bool:
    return all((folder / name).is_dir() for name in RUN_TABLES)


def run_or_files(typed: str) -> Path:
    """A `type` for argparse: a run's folder, or one of labelled files."""
    if is_run(Path(typed)):
        return Path(typed)
    try:
        return folder_with(PYTHIA, TOKENIZER)(typed)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"{str(error).rstrip('.')}, or a finished run's, with {' and '.join(RUN_TABLES)}."
        ) from error


def show(section: dict) -> None:
    """Prints the tables of a predictor's section."""
    if section["skipped"]:
        print(f"no predictor: {section['skipped']}")
        return
    print("{rows} rows, {extractable} positive, {groups} groups, {folds} folds".format(**section))
    print(f"{'features':28s}{'models':16s}" + "".join(f"{name:>28s}" for name in FIGURES))
    lines = [(row["features"], row["model"], row) for row in section["comparison"]]
    for row in section["classes"]:
        lines += [
            (f"  {row['class']} ({row['rows']})", model, found) for model, found in (row["figures"] or {}).items()
        ]
    for first, second, row in lines:
        cells = "".join("{value:.3f} ({low:.3f}-{high:.3f})".format(**row[name]).rjust(28) for name in FIGURES)
        print(f"{first:28s}{second:16s}{cells}")
        if second == "by class":
            changes = "{difference_value:+.3f} ({difference_low:+.3f} {difference_high:+.3f})"
            print(f"{'':28s}{'  - single':16s}" + "".join(changes.format(**row[name]).rjust(28) for name in FIGURES))
    for row in section["classes"]:
        if row["why_no_model"]:
            print(f"no model for {row['class']}: {row['why_no_model']}")
    print("log-odds per standard deviation, mean and range of the folds")
    for row in section["coefficients"]:
        found = (
            f"{name} {{value:+.2f}} ({{low:+.2f}} {{high:+.2f}})".format(**one) for name, one in row["models"].items()
        )
        print(f"  {row['input']:32s}" + "   ".join(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders", type=run_or_files, nargs="+", metavar="folder", help="a finished run's, or one of labelled files"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        spark = start("predictor", Path(scratch), "local[2]", 4040, cache_dir())
        spark.conf.set("spark.sql.shuffle.partitions", 4)
        for place, folder in enumerate(options.folders):
            print(f"\n{folder}")
            metrics, labels = tables(spark, folder.resolve())
            show(predict(spark, metrics, labels, Path(scratch) / f"predictions-{place}", seed=0))
        spark.stop()


if __name__ == "__main__":
    main()
