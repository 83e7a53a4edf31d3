"""The training corpus in pieces: no document is lost or seen twice, and what cannot be read is said in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.corpus_counts import write_pair
from data.corpus import TokenRange, corpus_files, open_corpus, read_corpus
from data.errors import InputError

DOCUMENTS = [np.arange(size) for size in (3, 0, 1, 40, 2, 7, 0)]


def documents(pieces: tuple) -> list[list[int]]:
    """All documents of all pieces, in order."""
    found = []
    for piece in pieces:
        for tokens, ends in read_corpus(piece):
            assert ends[-1] == len(tokens)
            found += [part.tolist() for part in np.split(tokens, ends[:-1])]
    return found


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", "<u2", "<i4", "<i8"])
@pytest.mark.parametrize("piece_bytes", [1, 7, 10**9])
def test_each_sequence_of_a_token_file_once(tmp_path: Path, dtype: str, piece_bytes: int) -> None:
    file = write_pair(tmp_path / "c", DOCUMENTS, dtype)
    pieces = open_corpus(file, piece_bytes)
    assert all(isinstance(piece, TokenRange) for piece in pieces)
    found = documents(pieces)
    assert [one for one in found if one] == [one.tolist() for one in DOCUMENTS if len(one)]


def test_blocks_end_between_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.corpus._BLOCK_TOKENS", 4)
    (piece,) = open_corpus(write_pair(tmp_path / "c", DOCUMENTS))
    blocks = list(read_corpus(piece))
    assert [len(tokens) for tokens, _ in blocks] == [4, 40, 2, 7]
    assert documents((piece,)) == [one.tolist() for one in DOCUMENTS[:-1]], "the last is empty and begins nowhere"


def test_either_file_or_their_common_name(tmp_path: Path) -> None:
    file = write_pair(tmp_path / "v1.2", DOCUMENTS)
    for name in ("v1.2.bin", "v1.2.idx", "v1.2"):
        assert open_corpus(tmp_path / name) == open_corpus(file)
        assert corpus_files(tmp_path / name) == (tmp_path / "v1.2.bin", tmp_path / "v1.2.idx")


def test_missing_rows_and_tokens_of_a_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"tokens": [[1, None, 2], None, [], [3]]}), tmp_path / "c.parquet")
    assert documents(open_corpus(tmp_path / "c.parquet")) == [[1, -1, 2], [], [3]]


@pytest.mark.parametrize("of", ["uint8", "uint16", "uint32", "uint64", "int16"])
def test_token_types_of_a_table(tmp_path: Path, of: str) -> None:
    top = min(50_000, 2 ** pa.type_for_alias(of).bit_width // 2 - 1)
    column = pa.array([[1, None, top], None, [3]], pa.list_(pa.type_for_alias(of)))
    pq.write_table(pa.table({"tokens": column}), tmp_path / "c.parquet")
    assert documents(open_corpus(tmp_path / "c.parquet")) == [[1, -1, top], [3]]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("c.idx", lambda raw: b"nothing of the kind" * 9, "expected it to begin with MMIDIDX"),
        ("c.idx", lambda raw: raw[:20], "expected it to begin with MMIDIDX"),
        ("c.idx", lambda raw: raw[:-1], "It may be cut off"),
        ("c.idx", lambda raw: raw[:9] + b"\x02" + raw[10:], "found version 2"),
        ("c.idx", lambda raw: raw[:17] + b"\x06" + raw[18:], "token type 6"),
        ("c.bin", lambda raw: raw[:-1], "Is it whole"),
        ("c.bin", None, "c.idx needs it beside itself"),
        ("c.idx", None, "c.bin needs it beside itself"),
    ],
)
def test_a_pair_that_cannot_be_read(tmp_path: Path, name: str, change: object, message: str) -> None:
    write_pair(tmp_path / "c", DOCUMENTS)
    file = tmp_path / name
    if change is None:
        file.unlink()
    else:
        file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError, match=message):
        open_corpus(tmp_path / "c")


def test_sequences_that_leave_gaps(tmp_path: Path) -> None:
    file = write_pair(tmp_path / "c", DOCUMENTS)
    raw = bytearray((tmp_path / "c.idx").read_bytes())
    second_size = 34 + 4
    raw[second_size : second_size + 4] = np.array(1, "<i4").tobytes()
    (tmp_path / "c.idx").write_bytes(raw)
    (piece,) = open_corpus(file)
    with pytest.raises(InputError, match="do not follow one another"):
        list(read_corpus(piece))


def test_tables_that_are_no_corpus(tmp_path: Path) -> None:
    pq.write_table(pa.table({"token": [[1]]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"column `tokens`.*Did you mean 'token'\?"):
        open_corpus(tmp_path / "a.parquet")
    pq.write_table(pa.table({"tokens": ["1 2"]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match="expected lists of token ids"):
        open_corpus(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="nowhere"):
        open_corpus(tmp_path / "nowhere")
