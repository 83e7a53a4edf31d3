"""The logistic regressions of the predictor, all in one fit of Spark ML.

A fit of Spark ML costs a second of planning and scheduling however few its rows, and the predictor needs one for each
fold, class of the taxonomy and set of features. Models that share nothing are a single model whose inputs are
block-diagonal: a row enters once for each model that it is fitted for, with its inputs in that model's block and
zeros elsewhere. With each model's rows weighted to sum to 1 the objective is the mean of theirs, so the minimum is
theirs, too; a test compares it with separate fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Interaction, OneHotEncoder, VectorAssembler
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

PENALTY = 1e-3
"""L2, on coefficients per standard deviation: mean loss + PENALTY / 2 |w|^2. Weak: it is there so that a feature which
separates the outcomes keeps a finite coefficient."""
_CONSTANT = 10.0  # the input that carries the intercept; its coefficient is penalised a hundredth as much
_MAX_ITERATIONS = 300
_TOLERANCE = 1e-5
_ROWS_PER_PARTITION = 100_000


@dataclass(frozen=True)
class Linear:
    """Log-odds = inputs @ weights + intercept.

    Attributes:
        weights: float64 [D]; 0 for inputs that the model was not given.
        intercept: In nats.
    """

    weights: np.ndarray
    intercept: float

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Inputs float64 [N, D] -> log-odds float64 [N]."""
        return inputs @ self.weights + self.intercept


@dataclass(frozen=True)
class Task:
    """One model to be fitted.

    Attributes:
        rows: bool [N], those that it is fitted on.
        inputs: bool [D], those that it is given.
    """

    rows: np.ndarray
    inputs: np.ndarray


def fit_all(spark: SparkSession, inputs: np.ndarray, outcome: np.ndarray, tasks: Sequence[Task]) -> list[Linear]:
    """The model of each task.

    Args:
        spark: The session.
        inputs: float64 [N, D], standardised; not changed by scaling again.
        outcome: bool [N].
        tasks: What to fit; the rows of each have both outcomes.
    """
    frame = _block_diagonal(spark, inputs, outcome, tasks)
    regression = LogisticRegression(
        featuresCol="block_inputs",
        labelCol="label",
        weightCol="weight",
        regParam=PENALTY / len(tasks),  # the objective is a mean over the models
        elasticNetParam=0.0,
        fitIntercept=False,
        standardization=False,
        maxIter=_MAX_ITERATIONS,
        tol=_TOLERANCE,
    )
    try:
        blocks = regression.fit(frame).coefficients.toArray().reshape(len(tasks), -1)
    finally:
        frame.unpersist()
    return [Linear(block[:-1].copy(), float(block[-1] * _CONSTANT)) for block in blocks]


def _block_diagonal(spark: SparkSession, inputs: np.ndarray, outcome: np.ndarray, tasks: Sequence[Task]) -> DataFrame:
    """`label`, `weight`, `block_inputs`: each row once for each task that has it."""
    names = [f"input_{place}" for place in range(inputs.shape[1])]
    of_row = np.array([task.rows for task in tasks]).T
    table = pa.table(
        {
            "label": outcome.astype(np.float64),
            "blocks": pa.array([np.flatnonzero(wanted).astype(np.int32) for wanted in of_row], pa.list_(pa.int32())),
            **dict(zip(names, inputs.T, strict=True)),
        }
    )
    frame = spark.createDataFrame(table).withColumn("block", F.explode("blocks"))
    weights = F.array(*[F.lit(1.0 / int(task.rows.sum())) for task in tasks])
    frame = frame.withColumns({"weight": weights[F.col("block")], "constant": F.lit(_CONSTANT)})
    for place, name in enumerate(names):
        without = [block for block, task in enumerate(tasks) if not task.inputs[place]]
        if without:
            frame = frame.withColumn(name, F.when(F.col("block").isin(without), 0.0).otherwise(F.col(name)))
    frame = VectorAssembler(inputCols=[*names, "constant"], outputCol="inputs").transform(frame)
    frame = OneHotEncoder(inputCol="block", outputCol="hot_block", dropLast=False).fit(frame).transform(frame)
    frame = Interaction(inputCols=["hot_block", "inputs"], outputCol="block_inputs").transform(frame)
    partitions = -(-int(of_row.sum()) // _ROWS_PER_PARTITION)
    return frame.select("label", "weight", "block_inputs").coalesce(partitions).cache()
