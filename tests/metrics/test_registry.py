"""All metrics together: what they declare is what they return, at every level of scores."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from metrics import METRICS, compute_all, metric_columns
from metrics.batch import ScoredBatch
from metrics.token_scores import ScoreLevel, TokenScores

ROOT = Path(__file__).parents[2]

ARROW_TYPES = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "list<bool>": pa.list_(pa.bool_()),
}


def make_batch(
    N: int, P: int = 4, S: int = 4, level: ScoreLevel = ScoreLevel.FULL, extractable: bool = False
) -> ScoredBatch:
    """A batch with consistent random scores; every row is extractable, or each differs in its last token."""
    rng = np.random.default_rng(0)
    T = P + S
    tokens = rng.integers(0, 50, (N, T)).astype(np.int32)
    greedy = tokens[:, P:].copy()
    if not extractable:
        greedy[:, -1] += 1
    logprob = -rng.exponential(1.0, (N, T - 1)).astype(np.float32)
    scores = TokenScores(
        first_mismatch=np.full((N, 2), S if extractable else S - 1, dtype=np.int32),
        min_margin=np.ones(N, dtype=np.float32),
    )
    if level >= ScoreLevel.MEMORIZATION:
        scores.greedy_tokens = greedy
    if level >= ScoreLevel.LIKELIHOOD:
        scores.logprob = logprob[:, -S:]
        scores.topk_logprob = logprob[:, -S:] / 2
    if level >= ScoreLevel.FULL:
        scores.logprob = logprob
        scores.rank = rng.integers(0, 2, (N, T - 1)).astype(np.int32)
        scores.logprob_mean = np.full((N, T - 1), -1.0, dtype=np.float32)
        scores.logprob_std = np.ones((N, T - 1), dtype=np.float32)
        scores.extraction_likelihood = np.full(N, np.nan, dtype=np.float32)
    return ScoredBatch(
        tokens=tokens,
        text=[" ".join(map(str, row)) for row in tokens.tolist()],
        prefix_tokens=P,
        k_values=(2, P),
        scores=scores,
        decode=lambda rows: [" ".join(map(str, row)) for row in rows],
    )


def test_names_are_unique():
    for names in ([metric.name for metric in METRICS], [column.name for column in metric_columns(ScoreLevel.FULL)]):
        assert len(names) == len(set(names))


def test_every_column_says_what_it_is():
    for column in metric_columns(level=ScoreLevel.FULL):
        assert column.description.endswith("."), column.name
        assert column.range and column.formula and column.source, column.name


def test_every_column_is_explained():
    explained = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [
        column.name for column in metric_columns(level=ScoreLevel.FULL) if f"`{column.name}`" not in explained
    ] == []


@pytest.mark.parametrize("level", ScoreLevel)
@pytest.mark.parametrize("N", [0, 1, 5])
@pytest.mark.parametrize("extractable", [True, False])
def test_results_are_what_the_columns_declare(level: ScoreLevel, N: int, extractable: bool):
    results = compute_all(make_batch(N, level=level, extractable=extractable), level)
    columns = metric_columns(level)
    assert list(results) == [column.name for column in columns]
    for column in columns:
        values = results[column.name]
        assert len(values) == N, column.name
        arrow_type = ARROW_TYPES[column.type]
        element_type = arrow_type.value_type if pa.types.is_list(arrow_type) else arrow_type
        assert values.dtype == element_type.to_pandas_dtype(), column.name
        assert values.ndim == (2 if pa.types.is_list(arrow_type) else 1), column.name


def test_the_label_only_run_keeps_what_the_label_and_the_tokens_give():
    assert [column.name for column in metric_columns(level=ScoreLevel.EXTRACTABLE)] == [
        "extractable",
        "first_mismatch",
        "extractable_at_k",
        "min_prefix_tokens",
        *(f"token_count_{name}" for name in ("min", "max", "mean", "median", "p25", "p75")),
        "duplicates",
        "huffman_code_length",
    ]


def test_each_level_adds_columns_and_changes_none():
    full = compute_all(make_batch(4), ScoreLevel.FULL)
    found: dict[str, np.ndarray] = {}
    for level in ScoreLevel:
        more = compute_all(make_batch(4, level=level), level)
        assert found.keys() < more.keys()
        for name, values in more.items():
            np.testing.assert_array_equal(values, full[name])
        np.testing.assert_equal(compute_all(make_batch(4), level), more)
        found = more
    assert found.keys() == full.keys()


def test_what_each_level_is_for():
    names = {level: {column.name for column in metric_columns(level)} for level in ScoreLevel}
    assert names[ScoreLevel.MEMORIZATION] - names[ScoreLevel.EXTRACTABLE] == {
        *("memorization_score", "sacrebleu", "n_sacrebleu", "edit_distance"),
    }
    assert names[ScoreLevel.LIKELIHOOD] - names[ScoreLevel.MEMORIZATION] == {
        *("log_p_z", "log_p_z_top_40", "n_p50", "n_p90", "n_p50_top_40", "n_p90_top_40", "perplexity_suffix"),
    }


def test_metrics_that_need_more_than_there_is_are_refused():
    for level in list(ScoreLevel)[:-1]:
        with pytest.raises(ValueError, match=f"--scores {level.option}.*--scores full"):
            compute_all(make_batch(2, level=level), ScoreLevel.FULL)


@pytest.mark.parametrize("size", [1, 7, 500])
def test_rows_do_not_depend_on_the_batch_they_come_in(size: int):
    """To the bit: the same input gives the same tables, however it is cut."""
    batch = make_batch(1000, P=32, S=32)
    whole = compute_all(batch, ScoreLevel.FULL)
    for start in range(0, 1000, 11 * size):
        part = slice(start, start + size)
        scores = TokenScores(**{name: values[part] for name, values in vars(batch.scores).items()})
        alone = ScoredBatch(batch.tokens[part], batch.text[part], 32, (2, 32), scores, batch.decode)
        for name, values in compute_all(alone, ScoreLevel.FULL).items():
            np.testing.assert_array_equal(values, whole[name][part], err_msg=name)


def test_extractable_rows_have_every_reproduction_score_at_its_end():
    results = compute_all(make_batch(3, extractable=True), level=ScoreLevel.FULL)
    assert results["extractable"].all()
    assert (results["memorization_score"] == 1).all()
    assert (results["n_sacrebleu"] == 0).all()
    assert (results["edit_distance"] == 0).all()


@pytest.mark.parametrize(("P", "S"), [(4, 1), (2, 1), (2, 7)])
def test_short_prompts_and_suffixes(P: int, S: int):
    results = compute_all(make_batch(3, P=P, S=S), level=ScoreLevel.FULL)
    assert np.isfinite(results["perplexity_suffix"]).all()
    assert np.isfinite(results["min_k"]).all()
    assert (results["first_mismatch"] == S - 1).all()


def test_impossible_rows_give_ends_of_ranges_and_no_nan():
    batch = make_batch(2)
    batch.scores.logprob[:] = -np.inf
    batch.scores.topk_logprob[:] = -np.inf
    results = compute_all(batch, level=ScoreLevel.FULL)
    assert (results["perplexity_sequence"] == np.inf).all()
    assert (results["n_p50"] == np.inf).all()
    assert (results["min_k_plus_plus"] == -np.inf).all()
    not_given = {"el_10", "token_count_mean", "token_count_median", "token_count_p25", "token_count_p75"}
    for name, values in results.items():
        assert name in not_given or not np.isnan(np.ma.filled(values, 0)).any(), name


def test_certain_rows():
    batch = make_batch(2, extractable=True)
    for scores in (
        batch.scores.logprob,
        batch.scores.topk_logprob,
        batch.scores.logprob_mean,
        batch.scores.logprob_std,
    ):
        scores[:] = 0
    results = compute_all(batch, level=ScoreLevel.FULL)
    assert (results["log_p_z"] == 0).all()
    assert (results["n_p90"] == 1).all()
    assert (results["perplexity_suffix"] == 1).all()
    assert (results["min_k_plus_plus"] == 0).all()


FILES = (
    *("extraction", "likelihood", "bleu", "similarity", "membership"),
    *("frequency", "duplication", "compression", "intervals"),
)


@pytest.mark.parametrize("name", FILES)
def test_examples_in_docstrings(name: str):
    assert doctest.testmod(importlib.import_module(f"metrics.{name}")).failed == 0


def test_importing_the_metrics_loads_no_model_library():
    heavy = {"torch", "transformers", "pyspark"}
    code = f"import sys, metrics; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
