"""Levels of scores, as Spark's tables have them: the lower ones hold fewer columns, with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.demo_model import Demo
from metrics.token_scores import FIELD_LEVELS, ScoreLevel
from spark_jobs.counts import duplicates_table
from spark_jobs.measure import MeasureSettings, measured
from spark_jobs.run_folder import RunFolder
from spark_jobs.score import ScoreSettings, score_table

ROWS = 90


@pytest.mark.parametrize("level", [ScoreLevel.EXTRACTABLE, ScoreLevel.MEMORIZATION, ScoreLevel.LIKELIHOOD])
def test_a_lower_level_leaves_columns_out_and_changes_none(
    spark, demo_run: Path, demo: Demo, tmp_path: Path, level: ScoreLevel
) -> None:
    sequences = pd.read_parquet(demo_run / "sequences.parquet").sort_values("sequence_id")[:: 1490 // ROWS]
    expected = {
        name: pd.read_parquet(demo_run / f"{name}.parquet").set_index("sequence_id").loc[sequences.sequence_id]
        for name in ("scores", "metrics")
    }
    folder = RunFolder(tmp_path)
    folder.table("sequences").mkdir()
    sequences.to_parquet(folder.table("sequences") / "part-0.parquet")
    settings = ScoreSettings(
        model=str(demo.model),
        revision=None,
        dtype="float32",
        device="cpu",
        prefix_tokens=32,
        k_values=(8, 16, 32),
        level=level,
        eos_token_id=0,
        batch_size=None,
        checkpoint_rows=1000,
    )
    score_table(spark, folder, settings, len(sequences), el_rows=10, seed=0, on_rows=lambda rows: None)
    scores = spark.read.parquet(str(folder.table("scores")))
    measuring = MeasureSettings(str(demo.model), None, 4096, 32, (8, 16, 32), level)
    metrics = measured(spark.read.parquet(str(folder.table("sequences"))), scores,
                       duplicates_table(spark, RunFolder(demo_run)), measuring, None)  # fmt: skip
    found = {"scores": scores.toPandas(), "metrics": metrics.toPandas()}

    assert set(found["scores"].columns) - {"sequence_id"} == {
        n for n, needed in FIELD_LEVELS.items() if needed <= level
    }
    for name, table in found.items():
        table = table.set_index("sequence_id").loc[sequences.sequence_id]
        for column in table.columns:
            if column.startswith("token_count") or column == "min_margin":
                continue  # not counted here; of fewer decisions where less is decoded
            ours, theirs = table[column].to_numpy(), expected[name][column].to_numpy()
            if isinstance(ours[0], np.ndarray):
                ours = np.stack(ours)
                theirs = np.stack(theirs)[:, -ours.shape[1] :]  # of the suffix only
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=f"{name}.{column}")
    kept = table["extractable"].sum()
    assert 0 < kept < len(sequences)
