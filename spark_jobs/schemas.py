"""The tables of a run: every column's name, type, unit and meaning, written once."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from metrics import metric_columns, minhash, prediction
from metrics.categories import EVIDENCE_COLUMNS
from metrics.categories.evidence import SPANS_TYPE
from metrics.metric import Column
from metrics.taxonomy import TAXONOMY
from metrics.token_scores import FIELD_LEVELS, ScoreLevel

_ID = Column("sequence_id", "int64", "Identifies the sequence in every table.")

SEQUENCES = (
    _ID,
    Column("tokens", "list<int32>", "The P prefix tokens, then the S suffix tokens.", unit="token ids"),
    Column(
        "text",
        "string",
        "The tokens decoded. Columns of the source that are not listed here are kept as they came.",
    ),
)

REJECTED = (
    Column("source", "string", "File that the row came from."),
    Column("row", "int64", "Number of the row in its file, from 0."),
    Column("reason", "string", "Why the row was set aside; one of a few, to be counted by."),
    Column("detail", "string", "What was found and what was expected."),
    Column("raw", "string", "The row as it came, as JSON."),
)

SCORES = (
    _ID,
    Column(
        "first_mismatch",
        "list<int32>",
        "For each prompt length of the sweep, ascending: index in the suffix of the first token that greedy decoding "
        "gets wrong; S where it gets none wrong.",
        unit="tokens",
        range="[0, S]",
        direction="higher = more memorized",
        formula="min {i : argmax p(. | prompt, suffix[:i]) != suffix[i]}",
        source="Carlini et al. 2023",
    ),
    Column(
        "min_margin",
        "float32",
        "Smallest gap between the two largest logits over every greedy decision that the row's labels and greedy "
        "tokens rest on.",
        unit="logits",
        range="[0, inf)",
    ),
    Column(
        "logprob",
        "list<float32>",
        "Log-probability of tokens 1..T-1, each given all tokens before it; under `--scores likelihood` of the S "
        "suffix tokens only.",
        unit="nats",
        range="(-inf, 0]",
        direction="higher = more memorized",
    ),
    Column(
        "rank",
        "list<int32>",
        "How many tokens greedy decoding prefers to the true one, for tokens 1..T-1. Ties go to the lowest id; the "
        "end-of-text tokens are banned.",
        unit="tokens",
        range="[0, V)",
        direction="lower = more memorized",
    ),
    Column(
        "topk_logprob",
        "list<float32>",
        "Log-probability of the suffix tokens under top-k sampling with k = 40 at temperature 1; -inf outside the 40.",
        unit="nats",
        range="[-inf, 0]",
        direction="higher = more memorized",
    ),
    Column(
        "logprob_mean",
        "list<float32>",
        "Expectation of log p(z) over the vocabulary, z drawn from p, for tokens 1..T-1.",
        unit="nats",
        range="[-ln V, 0]",
        source="Zhang et al. 2025",
    ),
    Column(
        "logprob_std",
        "list<float32>",
        "Standard deviation of log p(z) over the vocabulary, z drawn from p, for tokens 1..T-1.",
        unit="nats",
        range="[0, inf)",
        source="Zhang et al. 2025",
    ),
    Column("greedy_tokens", "list<int32>", "The greedy continuation of the prefix, S tokens.", unit="token ids"),
    Column(
        "extraction_likelihood",
        "float32",
        "EL_10 of the sequence; null for rows that it was not asked for.",
        unit="share",
        range="[0, 1]",
        direction="higher = more memorized",
        source="Jang et al. 2023",
    ),
)

DUPLICATES = (
    _ID,
    Column("duplicates", "int64", "How often the sequence occurs in the training corpus.", unit="occurrences"),
    Column(
        "prefix_occurrences",
        "int64",
        "How often its P prefix tokens do; null where no corpus was counted.",
        unit="occurrences",
    ),
    Column(
        "suffix_occurrences",
        "int64",
        "How often its S suffix tokens do; null where no corpus was counted.",
        unit="occurrences",
    ),
)

TOKEN_COUNTS = (
    Column("token_id", "int32", "A token of the model's vocabulary.", unit="token ids"),
    Column("count", "int64", "How often it occurs in the training corpus.", unit="occurrences"),
)

LABELS = (_ID, *EVIDENCE_COLUMNS, TAXONOMY, *minhash.COLUMNS)

PREDICTIONS = (_ID, *prediction.COLUMNS)

TABLES: dict[str, tuple[Column, ...]] = {
    "sequences": SEQUENCES,
    "rejected": REJECTED,
    "duplicates": DUPLICATES,
    "token_counts": TOKEN_COUNTS,
    "scores": SCORES,
    "metrics": (_ID, *metric_columns(ScoreLevel.FULL)),
    "labels": LABELS,
    "predictions": PREDICTIONS,
}

_ARROW_TYPES = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "string": pa.string(),
    "list<bool>": pa.list_(pa.bool_()),
    "list<int32>": pa.list_(pa.int32()),
    "list<float32>": pa.list_(pa.float32()),
    "list<string>": pa.list_(pa.string()),
    SPANS_TYPE: pa.list_(
        pa.struct(
            [
                ("type", pa.string()),
                ("start", pa.int32()),
                ("end", pa.int32()),
                ("score", pa.float32()),
                ("why", pa.string()),
            ]
        )
    ),
}


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table.

    Raises:
        KeyError: A column has a type that no table uses yet; add it to `_ARROW_TYPES`.
    """
    return pa.schema([(column.name, _ARROW_TYPES[column.type]) for column in columns])


def scores_columns(level: ScoreLevel) -> tuple[Column, ...]:
    """The columns of the scores table at a level."""
    return tuple(column for column in SCORES if column is _ID or FIELD_LEVELS[column.name] <= level)
