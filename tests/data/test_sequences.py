"""Preparing rows: windows, ids, metadata, and every reason to set a row aside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from data import open_sequences
from data.files import open_files, read_shard
from data.sequences import REASONS, output_schema, prepare
from data.source import Source

SHARED = Path(__file__).resolve().parents[3] / "shared"
LETTERS = "abcdefghijklmnopqrstuvwxyz "


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character: a is 0, b is 1, ..., the space is 26; `ab` is merged to 27; bytes follow."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {("Ġ" if letter == " " else letter): i for i, letter in enumerate(LETTERS)} | {"ab": 27}
    for symbol in alphabet:
        vocab.setdefault(symbol, len(vocab))
    vocab["<|endoftext|>"] = len(vocab)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("a", "b")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # A tokenizer that would put a token before the text, if it were asked to.
    end = "<|endoftext|>"
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{end} $A", special_tokens=[(end, vocab[end])])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


TOKENIZER = make_tokenizer()
VOCABULARY = 400


def prepared(source: Source, prefix: int = 2, suffix: int = 2, vocabulary: int = VOCABULARY) -> list[dict]:
    rows = []
    for shard in source.shards:
        for batch in read_shard(shard):
            out = prepare(
                batch,
                source,
                shard,
                TOKENIZER,
                prefix_tokens=prefix,
                suffix_tokens=suffix,
                vocab_size=vocabulary,
            )
            out.validate(full=True)
            assert out.schema == output_schema(source)
            assert out.num_rows == batch.num_rows
            rows += out.to_pylist()
    return rows


def from_columns(tmp_path: Path, columns: dict, **options) -> list[dict]:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    return prepared(open_files(tmp_path / "a.parquet"), **options)


def reasons(rows: list[dict]) -> list[str | None]:
    return [row["reason"] for row in rows]


@pytest.mark.parametrize(
    "dtype",
    [
        pa.list_(pa.uint16()),
        pa.list_(pa.int64(), 5),
        pa.large_list(pa.uint64()),
        pa.list_(pa.float32()),
        pa.list_view(pa.int8()),
    ],
)
def test_first_tokens_of_any_integer_list(tmp_path: Path, dtype: pa.DataType) -> None:
    tokens = pa.array([[0, 1, 2, 3, 4], [25, 26, 0, 1, 2]], dtype)
    rows = from_columns(tmp_path, {"index": [7, 8], "tokens": tokens})
    assert [row["sequence_id"] for row in rows] == [7, 8]
    assert [row["tokens"] for row in rows] == [[0, 1, 2, 3], [25, 26, 0, 1]]
    assert [row["text"] for row in rows] == ["abcd", "z ab"]
    assert reasons(rows) == [None, None]
    assert [row["raw"] for row in rows] == [None, None]


def test_why_token_rows_are_set_aside(tmp_path: Path) -> None:
    lists = [[0, 1, 2], [0, 1, 2, 400], [0, -1, 2, 3], None, [0, None, 2, 3], [0, 1, 2, 3, 999], []]
    ids = [1, 2, 3, 4, 5, 6, None]
    rows = from_columns(tmp_path, {"sequence_id": ids, "tokens": lists})
    assert reasons(rows) == [
        "too short",
        "token id out of vocabulary",
        "token id out of vocabulary",
        "no tokens",
        "no tokens",
        None,
        "no sequence_id",
    ]
    assert rows[0]["detail"] == "found 3 tokens, needs 2 + 2 = 4"
    assert rows[1]["detail"] == "token 400 at position 3; the model's vocabulary has 400"
    assert rows[4]["detail"] == "no token at position 1"
    assert json.loads(rows[1]["raw"]) == {"sequence_id": 2, "tokens": [0, 1, 2, 400]}
    assert all(row["tokens"] is None and row["text"] is None for row in rows if row["reason"])
    assert {row["reason"] for row in rows} - {None} < set(REASONS)


def test_fractions_are_no_tokens(tmp_path: Path) -> None:
    rows = from_columns(tmp_path, {"tokens": [[0.0, 1.0, 2.0, 3.0], [0.0, 1.5, 2.0, 3.0]]})
    assert reasons(rows) == [None, "wrong type"]
    assert rows[0]["tokens"] == [0, 1, 2, 3]


def test_ids(tmp_path: Path) -> None:
    tokens = [[0, 1, 2, 3]] * 4
    rows = from_columns(tmp_path, {"id": [1.0, float("nan"), 1.5, -3.0], "tokens": tokens})
    assert reasons(rows) == [None, "no sequence_id", "wrong type", "negative sequence_id"]
    rows = from_columns(tmp_path, {"id": pa.array([2**64 - 1, 5, 0, None], pa.uint64()), "tokens": tokens})
    assert reasons(rows) == ["wrong type", None, None, "no sequence_id"]
    assert [row["sequence_id"] for row in rows] == [None, 5, 0, None]
    rows = from_columns(tmp_path, {"id": ["4", "x", "", "6"], "tokens": tokens})
    assert reasons(rows) == [None, "wrong type", "no sequence_id", None]
    assert [row["sequence_id"] for row in rows] == [4, None, None, 6]


def test_rows_without_integer_ids_are_numbered_over_the_input(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table = pa.table({"id": [f"{name}-0", f"{name}-1"], "tokens": [[0, 1, 2, 3]] * 2})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    rows = prepared(open_files(tmp_path))
    assert [row["sequence_id"] for row in rows] == [0, 1, 2, 3]
    assert [row["id"] for row in rows] == ["a-0", "a-1", "b-0", "b-1"]
    assert [row["input_order"] for row in rows] == [0, 1, 2**40, 2**40 + 1]
    assert [(row["source"], row["row"]) for row in rows] == [
        ("a.parquet", 0),
        ("a.parquet", 1),
        ("b.parquet", 0),
        ("b.parquet", 1),
    ]


def test_text_becomes_the_tokens_the_model_sees(tmp_path: Path) -> None:
    rows = from_columns(tmp_path, {"text": ["abcdefgh", "abc", None, "é b", "a<|endoftext|>bc d"]})
    # ab is one token; é is two bytes.
    assert rows[0]["tokens"] == [27, 2, 3, 4] and rows[0]["text"] == "abcde"
    assert rows[1]["reason"] == "too short" and rows[1]["detail"] == "found 2 tokens, needs 2 + 2 = 4"
    assert rows[2]["reason"] == "no text"
    assert rows[3]["text"] == "é b"
    assert rows[4]["text"] == "a<|endoftext|>bc", "special tokens are kept"


def test_text_that_is_not_unicode_is_set_aside(tmp_path: Path) -> None:
    text = pa.array([b"abcdef", b"abc\xff\xfe", b"ab\xed\xa0\x80cd"]).view(pa.string())
    note = pa.array([b"fine", b"fine", b"fine"]).view(pa.string())
    rows = from_columns(tmp_path, {"text": text, "note": note})
    assert reasons(rows) == [None, "malformed row", "malformed row"]
    assert json.loads(rows[1]["raw"])["text"] == "abc\\xff\\xfe"
    bad_note = pa.array([b"\xff", b"fine", b"fine"]).view(pa.string())
    rows = from_columns(tmp_path, {"text": ["abcdef"] * 3, "note": bad_note})
    assert reasons(rows) == ["malformed row", None, None]
    assert [row["note"] for row in rows] == [None, "fine", "fine"]


def test_prefix_and_suffix_are_tokenized_apart(tmp_path: Path) -> None:
    rows = from_columns(tmp_path, {"prefix": ["xyza", "x", "xy"], "suffix": ["bcdef", "bcd", "b"]})
    # Jointly, a and b would be the one token 27 across the border.
    assert rows[0]["tokens"] == [25, 0, 1, 2]
    assert rows[0]["text"] == "zabc"
    assert [row["detail"] for row in rows[1:]] == [
        "found 1 tokens in the prefix, needs 2",
        "found 1 tokens in the suffix, needs 2",
    ]


def test_pre_prefix_lengthens_the_prefix(tmp_path: Path) -> None:
    columns = {"pre_prefix": ["wxa", None], "prefix": ["b", "yz"], "suffix": ["cd", "cd"]}
    rows = from_columns(tmp_path, columns)
    assert [row["tokens"] for row in rows] == [[23, 27, 2, 3], [24, 25, 2, 3]]
    lists = {"pre_prefix": [[5, 6]], "prefix": [[7]], "suffix": [[8, 9, 10]]}
    assert from_columns(tmp_path, lists)[0]["tokens"] == [6, 7, 8, 9]


def test_npy_triple(tmp_path: Path) -> None:
    for name, values in (("pre", [[1, 2]]), ("prefix", [[3, 4]]), ("suffix", [[5, 6]])):
        np.save(tmp_path / f"{name}.npy", np.array(values, np.uint16))
    source = open_sequences(",".join(str(tmp_path / f"{name}.npy") for name in ("pre", "prefix", "suffix")))
    assert prepared(source, prefix=3)[0]["tokens"] == [2, 3, 4, 5, 6]
    assert prepared(source, prefix=1, suffix=1)[0]["tokens"] == [4, 5]


def test_csv_token_lists_and_typed_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "sequence_id,tokens,is_member,copies,note\n"
        '1,"[0, 1, 2, 3]",True,3,x\n'
        "2,[0 1 2 3],0,,\n"
        '3,"[0, 1, ..., 3]",1,4,x\n'
        '4,"[0, 1, 2, 3]",maybe,4,x\n'
        '5,"[0, 1, 2, 3]",no,1.5,x\n'
        "6,,no,1,x\n"
        "7,0 1 2 3,no\n"
    )
    rows = prepared(open_files(path))
    assert reasons(rows) == [
        None,
        None,
        "wrong type",
        "wrong type",
        "wrong type",
        "no tokens",
        "malformed row",
    ]
    assert [(row["is_member"], row["copies"], row["note"]) for row in rows[:2]] == [
        (True, 3, "x"),
        (False, None, ""),
    ]
    assert rows[1]["tokens"] == [0, 1, 2, 3]
    assert json.loads(rows[6]["raw"]) == "7,0 1 2 3,no\n"


def test_metadata_keeps_its_values(tmp_path: Path) -> None:
    rows = from_columns(
        tmp_path,
        {
            "tokens": [[0, 1, 2, 3]],
            "70M": [0.25],
            "small": pa.array([65535], pa.uint16()),
            "huge": pa.array([2**64 - 1], pa.uint64()),
            "category": pa.array(["x"]).dictionary_encode(),
            "nested": [{"a": [1]}],
            "tags": pa.array([["p", "q"]], pa.large_list(pa.large_string())),
            "none": [None],
            "is_member": pa.array([1], pa.int8()),
        },
    )
    names = ("70M", "small", "huge", "category", "nested", "tags", "none", "is_member")
    expected = (0.25, 65535, "18446744073709551615", "x", '{"a": [1]}', ["p", "q"], None, True)
    assert tuple(rows[0][name] for name in names) == expected


def test_truth_values_are_no_counts(tmp_path: Path) -> None:
    rows = from_columns(tmp_path, {"tokens": [[0, 1, 2, 3]], "copies": [True]})
    assert reasons(rows) == ["wrong type"] and rows[0]["copies"] is None


def test_the_same_rows_however_the_input_is_cut(tmp_path: Path) -> None:
    lists = [[i % 27] * (3 + i % 3) for i in range(500)]
    pq.write_table(pa.table({"tokens": lists}), tmp_path / "a.parquet", row_group_size=90)
    whole = prepared(open_files(tmp_path / "a.parquet"))
    for shard_rows in (1, 64, 100):
        assert prepared(open_files(tmp_path / "a.parquet", shard_rows=shard_rows)) == whole
    assert [row["input_order"] for row in whole] == list(range(500))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8),  # lone surrogates, too
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)
token_like = st.lists(st.integers(-5, 450) | st.none(), max_size=7) | anything


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["id", "tokens", "note", "copies", "is_member"]), token_like, max_size=5)
        | anything,
        max_size=8,
    ),
    noise=st.lists(st.binary(max_size=20), max_size=3),
)
def test_rows_in_are_accepted_or_rejected_jsonl(tmp_path: Path, rows: list, noise: list[bytes]) -> None:
    lines = [b'{"id": 0, "tokens": [0, 1, 2, 3]}']
    lines += [json.dumps(row).encode() for row in rows] + [line.replace(b"\n", b"") for line in noise]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    out = prepared(open_files(path, tokens_column="tokens")) if _votes_for_lists(rows) else []
    if out:
        assert len(out) == sum(bool(line.strip()) for line in lines)
        assert_each_is_accepted_or_rejected(out)


def _votes_for_lists(rows: list) -> bool:
    """Whether most token values are integer lists; else the source as a whole is refused."""
    values = [row["tokens"] for row in rows if isinstance(row, dict) and row.get("tokens") is not None]
    lists = [
        value
        for value in values
        if isinstance(value, list) and all(item is None or type(item) is int for item in value)
    ]
    return len(values) - len(lists) <= len(lists)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | st.text(alphabet='01a,"\r\n\0é', max_size=60).map(str.encode))
def test_rows_in_are_accepted_or_rejected_csv(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,abcde\n" + data)
    out = prepared(open_files(path))
    assert out[0]["tokens"] == [27, 2, 3, 4]
    assert_each_is_accepted_or_rejected(out)


def assert_each_is_accepted_or_rejected(rows: list[dict]) -> None:
    orders = [row["input_order"] for row in rows]
    assert orders == sorted(set(orders))
    for row in rows:
        if row["reason"] is None:
            assert row["raw"] is None and row["detail"] is None
            assert len(row["tokens"]) == 4 and all(0 <= token < VOCABULARY for token in row["tokens"])
            assert row["sequence_id"] >= 0 and row["text"] is not None
        else:
            assert row["reason"] in REASONS and row["detail"]
            json.loads(row["raw"])
            assert row["tokens"] is None and row["text"] is None


@pytest.fixture(scope="module")
def pythia_tokenizer() -> PreTrainedTokenizerFast:
    path = SHARED / "data" / "pythia_tokenizer.json"
    if not path.is_file():
        pytest.skip(f"the real Pythia tokenizer is not at {path}")
    return PreTrainedTokenizerFast(tokenizer_file=str(path))


@pytest.mark.parametrize(
    ("files", "accepted", "rejected"),
    [
        ("data/pythia70m_labelled.csv", 552, 669),
        ("data/demem_prefix_suffix.csv", 761, 14),
        ("data/lm_extraction_by_domain.csv", 441, 0),
        ("data/lm_extraction_val_prefix.npy,data/lm_extraction_val_suffix.npy", 1000, 0),
        ("subject/sequences.parquet", 3969, 0),
    ],
)
def test_real_files(pythia_tokenizer: PreTrainedTokenizerFast, files: str, accepted: int, rejected: int) -> None:
    paths = [SHARED / name for name in files.split(",")]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"real data is not at {paths[0]}")
    source = open_sequences(",".join(map(str, paths)))
    kept = set_aside = 0
    for shard in source.shards:
        for batch in read_shard(shard):
            out = prepare(
                batch,
                source,
                shard,
                pythia_tokenizer,
                prefix_tokens=32,
                suffix_tokens=32,
                vocab_size=50_304,
            )
            out.validate(full=True)
            tokens = out.column("tokens").drop_null()
            decoded = out.column("text").drop_null().to_pylist()
            assert set(pa.compute.list_value_length(tokens).to_pylist()) <= {64}
            assert decoded[:5] == [pythia_tokenizer.decode(row) for row in tokens.to_pylist()[:5]]
            kept += len(tokens)
            set_aside += out.column("reason").drop_null().to_pylist().count("too short")
    assert (kept, set_aside) == (accepted, rejected)
