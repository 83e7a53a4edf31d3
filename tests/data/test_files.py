"""Reading files: every kind, shards, splits, and what the user is told where a file cannot be used."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import open_sequences
from data.errors import InputError
from data.files import find_splits, open_files, read_shard
from data.source import DETAIL, RAW, REASON, ROW, Source


def rows_of(source: Source) -> list[dict]:
    return [row for shard in source.shards for batch in read_shard(shard) for row in batch.to_pylist()]


def write_parquet(path: Path, tokens: list | pa.Array, ids: list[int] | None = None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"tokens": tokens} if ids is None else {"index": ids, "tokens": tokens}
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_parquet_shards_cut_and_join_row_groups(tmp_path: Path) -> None:
    tokens = [[i, i + 1] for i in range(100)]
    small = write_parquet(tmp_path / "small.parquet", tokens, row_group_size=7)
    large = write_parquet(tmp_path / "large.parquet", tokens)
    whole = rows_of(open_files(small))
    assert [row["tokens"] for row in whole] == tokens
    assert [row[ROW] for row in whole] == list(range(100))
    for path, cuts in ((small, [(0, 21), (21, 42), (42, 63), (63, 84), (84, 100)]), (large, None)):
        source = open_files(path, shard_rows=20)
        shards = [(shard.start, shard.stop) for shard in source.shards]
        assert shards == (cuts or [(0, 25), (25, 50), (50, 75), (75, 100)])
        assert rows_of(source) == whole
        assert source.rows == 100
        assert [shard.first_row for shard in source.shards] == [start for start, _ in shards]


def test_a_row_group_is_cut_into_four_at_most(tmp_path: Path) -> None:
    tokens = [[i, i + 1] for i in range(107)]
    source = open_files(write_parquet(tmp_path / "a.parquet", tokens, row_group_size=90), shard_rows=5)
    shards = [(shard.start, shard.stop) for shard in source.shards]
    assert len([start for start, _ in shards if start < 89]) <= 4, "each decodes what lies before it in its group"
    assert shards[0][0] == 0 and shards[-1][1] == 107 and all(a[1] == b[0] for a, b in itertools.pairwise(shards))
    assert [row["tokens"] for row in rows_of(source)] == tokens


def test_large_row_group_comes_in_batches(tmp_path: Path) -> None:
    source = open_files(write_parquet(tmp_path / "a.parquet", [[1, 2]] * 10_000))
    sizes = [batch.num_rows for shard in source.shards for batch in read_shard(shard)]
    assert sizes == [4096, 4096, 1808]


def test_shards_and_sources_travel_to_workers(tmp_path: Path) -> None:
    source = open_files(write_parquet(tmp_path / "a.parquet", [[1, 2]]))
    assert pickle.loads(pickle.dumps(source)) == source
    assert rows_of(pickle.loads(pickle.dumps(source))) == rows_of(source)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson"])
def test_jsonl_sets_bad_lines_aside(tmp_path: Path, name: str) -> None:
    lines = [
        b'\xef\xbb\xbf{"id": 1, "tokens": [1, 2], "note": "a"}',
        b"",
        b'{"id": 2, "tokens": [1, 2',
        b"[1, 2]",
        b'{"id": 3, "tokens": [1, 2.5]}',
        b'{"id": 4, "tokens": [1, true]}',
        b'{"id": 5, "tokens": [3], "note": "\\ud800"}',
        b'{"id": 6, "tokens": [3], "note": "\xff"}',
        b'{"id": 7, "tokens": [1180591620717411303424]}',
        b"[" * 100_000,
        b'{"id": 8, "tokens": [null, 4], "note": null}',
    ]
    path = tmp_path / name
    data = b"\n".join(lines)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    rows = rows_of(open_files(path))
    assert [(row[ROW], row[REASON]) for row in rows] == [
        (0, None),
        (2, "malformed row"),
        (3, "malformed row"),
        (4, "wrong type"),
        (5, "wrong type"),
        (6, "malformed row"),
        (7, "malformed row"),
        (8, "wrong type"),
        (9, "malformed row"),
        (10, None),
    ]
    assert rows[0]["tokens"] == [1, 2] and rows[-1]["tokens"] == [None, 4]
    assert rows[1][DETAIL] is not None and rows[1][DETAIL].startswith("line 3: not valid JSON")
    assert json.loads(rows[1][RAW]) == '{"id": 2, "tokens": [1, 2'


def test_jsonl_ranges_give_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("w") as handle:
        for i in range(30_000):
            handle.write(json.dumps({"id": i, "text": "x" * (i % 200)}) + ("\n\n" if i % 1000 == 0 else "\n"))
    whole = open_files(path)
    cut = open_files(path, shard_rows=5_000)
    assert len(whole.shards) == 1 and len(cut.shards) > 2
    assert rows_of(cut) == rows_of(whole)
    assert len(rows_of(cut)) == 30_000
    assert [shard.first_row for shard in cut.shards] == [shard.row for shard in cut.shards]
    assert whole.rows == cut.rows == 30_030, "lines, blank ones included"


def test_jsonl_last_line_without_an_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "x"}\n{"text": "y"}')
    source = open_files(tmp_path)
    assert source.rows == 4
    assert [shard.first_row for shard in source.shards] == [0, 2]


def test_jsonl_keeps_metadata_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    values = [
        {"text": "a", "flag": True, "n": 1, "x": 1, "deep": {"k": [1]}, "name": "b"},
        {"text": "b", "flag": None, "n": 2, "x": 2.5, "deep": {}, "name": None},
    ]
    path.write_text("\n".join(json.dumps(value) for value in values))
    source = open_files(path)
    types = {column.name: column.type for column in source.columns}
    assert types == {
        "flag": pa.bool_(),
        "n": pa.int64(),
        "x": pa.float64(),
        "deep": pa.string(),
        "name": pa.string(),
    }
    assert [row["deep"] for row in rows_of(source)] == ['{"k": [1]}', "{}"]


def test_json_array_and_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "one"}, 5, {"text": "two"}]')
    (tmp_path / "b.json").write_text('{"text": "one"}\n{"text": "two"}\n')
    assert [row["text"] for row in rows_of(open_files(tmp_path / "a.json"))] == ["one", None, "two"]
    assert [row["text"] for row in rows_of(open_files(tmp_path / "b.json"))] == ["one", "two"]
    (tmp_path / "c.json").write_text('[{"text": "one"}, ')
    with pytest.raises(InputError, match="the JSON array cannot be read"):
        open_files(tmp_path / "c.json")


@pytest.mark.parametrize("packed", [False, True])
def test_csv_sets_bad_rows_aside(tmp_path: Path, packed: bool) -> None:
    data = (
        b"\xef\xbb\xbfid,text\r\n"
        b'1,"two\nlines, one ""cell"""\r\n'
        b"2,a,b\r\n"
        b"\r\n"
        b'3,"closed"too early\r\n'
        b"4,caf\xe9\r\n"
        b'5,a "quote" inside\r\n'
        b'6,"never closed\r\n7,x\r\n'
    )
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    rows = rows_of(open_files(path))
    assert [(row[ROW], row["text"], row[REASON]) for row in rows] == [
        (0, 'two\nlines, one "cell"', None),
        (1, None, "malformed row"),
        (2, None, "malformed row"),
        (3, None, "malformed row"),
        (4, 'a "quote" inside', None),
        (5, None, "malformed row"),
    ]
    assert rows[1][DETAIL] == "line 4: found 3 cells, expected 2 as in the header"
    assert json.loads(rows[5][RAW]) == '6,"never closed\r\n7,x\r\n'


def test_npy_pair_and_triple(tmp_path: Path) -> None:
    for name, width, base in (("preprefix", 3, 0), ("prefix", 2, 100), ("suffix", 2, 200)):
        np.save(tmp_path / f"{name}.npy", (base + np.arange(5 * width).reshape(5, width)).astype(np.uint16))
    pair = open_sequences(f"{tmp_path}/prefix.npy,{tmp_path}/suffix.npy")
    row = rows_of(pair)[1]
    assert (row["prefix"], row["suffix"]) == ([102, 103], [202, 203])
    triple = open_files(f"{tmp_path}/preprefix.npy, {tmp_path}/prefix.npy, {tmp_path}/suffix.npy", shard_rows=2)
    assert [shard.rows for shard in triple.shards] == [2, 3]
    assert [r["pre_prefix"] for r in rows_of(triple)][4] == [12, 13, 14]
    assert triple.roles.pre_prefix == "pre_prefix" and triple.rows == 5
    np.save(tmp_path / "short.npy", np.zeros((4, 2), np.int32))
    with pytest.raises(InputError, match=r"different numbers of rows \(prefix.npy: 5, short.npy: 4\)"):
        open_files(f"{tmp_path}/prefix.npy,{tmp_path}/short.npy")
    np.save(tmp_path / "floats.npy", np.zeros((4, 2)))
    with pytest.raises(InputError, match=r"found float64 \[4, 2\]; expected integer token ids"):
        open_files(tmp_path / "floats.npy")
    np.save(tmp_path / "objects.npy", np.array([[1], [2, 3]], object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        open_files(tmp_path / "objects.npy")


def test_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    write_parquet(tmp_path / "part-1.parquet", [[3, 4]])
    write_parquet(tmp_path / "part-0.parquet", [[1, 2], [5, 6]])
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "README.md").write_text("no rows here")
    source = open_sequences(tmp_path)
    assert [row["tokens"] for row in rows_of(source)] == [[1, 2], [5, 6], [3, 4]]
    assert [(shard.file_index, shard.first_row) for shard in source.shards] == [(0, 0), (1, 2)]


def test_rows_after_an_uncounted_file_have_no_global_number(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("text\nx\n")
    assert [shard.first_row for shard in open_files(tmp_path).shards] == [0, None]


def test_splits(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "deduped.70m-00000-of-00002-ab12.parquet", [[1, 2]])
    write_parquet(tmp_path / "data" / "deduped.70m-00001-of-00002-cd34.parquet", [[3, 4]])
    write_parquet(tmp_path / "data" / "duped.70m-00000-of-00001.parquet", [[5, 6]])
    (tmp_path / "extra.jsonl").write_text('{"tokens": [7]}')
    write_parquet(tmp_path / "held_out" / "a.parquet", [[8]])
    assert list(find_splits(tmp_path)) == ["deduped.70m", "duped.70m", "extra", "held_out"]
    for split, tokens in (
        ("deduped.70m", [[1, 2], [3, 4]]),
        ("duped.70m", [[5, 6]]),
        ("extra", [[7]]),
        ("held_out", [[8]]),
    ):
        source = open_sequences(tmp_path, split=split)
        assert [row["tokens"] for row in rows_of(source)] == tokens
        assert source.split == split
    with pytest.raises(InputError, match=r"no split 'dedupd.70m'. Did you mean 'deduped.70m'\?"):
        open_files(tmp_path, split="dedupd.70m")


def test_several_splits_need_a_choice(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train" / "a.parquet", [[1]])
    assert rows_of(open_files(tmp_path))[0]["tokens"] == [1]
    write_parquet(tmp_path / "test" / "a.parquet", [[1]])
    with pytest.raises(InputError, match=r"several splits: choose one with --split. Available: 'test', 'train'"):
        open_files(tmp_path)


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [[1]])
    before = open_files(path).fingerprint
    assert open_files(path).fingerprint == before
    write_parquet(path, [[1], [2]])
    assert open_files(path).fingerprint != before


def test_column_roles(tmp_path: Path) -> None:
    def roles(columns: dict, **named: str) -> dict:
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        chosen = open_files(tmp_path / "a.parquet", **named).roles
        return {name: value for name, value in vars(chosen).items() if value is not None}

    ids, text = [1], ["a"]
    assert roles({"Index": ids, "Tokens": [ids]}) == {"id": "Index", "tokens": "Tokens"}
    everything = {"idx": ids, "text": text, "prefix": text, "suffix": text, "input_ids": [ids]}
    assert roles(everything) == {"id": "idx", "tokens": "input_ids"}
    assert roles(everything, text_column="suffix") == {"id": "idx", "text": "suffix"}
    del everything["input_ids"]
    assert roles(everything) == {"id": "idx", "prefix": "prefix", "suffix": "suffix"}
    assert roles({"text": text, "prefix": text}) == {"text": "text"}
    assert roles({"tokens": ids, "text": text}) == {"text": "text"}, "a count of tokens is no list of tokens"
    assert roles({"id": ["a-1"], "text": text}) == {"text": "text"}, "ids of text stay as metadata"
    assert roles({"id": ["17"], "text": text}) == {"id": "id", "text": "text"}
    assert roles({"key": ids, "text": text}, id_column="key") == {"id": "key", "text": "text"}


def test_metadata_names_clash_with_nothing(tmp_path: Path) -> None:
    table = pa.table({"tokens": [[1]], "text": ["a"], "source": ["b"], "Row": [1], "copies": ["3"]})
    pq.write_table(table, tmp_path / "a.parquet")
    columns = open_files(tmp_path / "a.parquet").columns
    assert [(column.name, column.file_column) for column in columns] == [
        ("original_text", "text"),
        ("original_source", "source"),
        ("original_Row", "Row"),
        ("copies", "copies"),
    ]
    assert columns[3].type == pa.int64()


def test_integer_widths_may_differ_between_files(tmp_path: Path) -> None:
    for name, dtype in (("a", pa.list_(pa.uint16())), ("b", pa.large_list(pa.int64()))):
        pq.write_table(pa.table({"tokens": pa.array([[1, 2]], dtype)}), tmp_path / f"{name}.parquet")
    assert [row["tokens"] for row in rows_of(open_files(tmp_path))] == [[1, 2], [1, 2]]


def bad_inputs(folder: Path) -> dict[str, tuple[str, dict, str]]:
    """Name -> (what is opened, options, what the message must say)."""
    good = write_parquet(folder / "good.parquet", [[1, 2]], [1])
    (folder / "zero.csv").touch()
    (folder / "header.csv").write_text("id,text\n")
    (folder / "nothing.csv").write_text("name,age\nx,1\n")
    (folder / "twice.csv").write_text("text,text\na,b\n")
    write_parquet(folder / "no_rows.parquet", pa.array([], pa.list_(pa.int64())))
    (folder / "corrupt.parquet").write_bytes(good.read_bytes()[:-10])
    (folder / "noise.jsonl").write_bytes(b"\x00\x01\n\xff\n")
    (folder / "blank.jsonl").write_bytes(b"\n\n")
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 1000)[:-12])
    (folder / "plain.csv.gz").write_bytes(b"id,text\n")
    (folder / "table.xlsx").write_bytes(b"PK")
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "notes.txt").touch()
    mixed, schemas = folder / "mixed", folder / "schemas"
    write_parquet(mixed / "a.parquet", [[1]])
    (mixed / "b.csv").write_text("text\na\n")
    write_parquet(schemas / "a.parquet", [[1]])
    write_parquet(schemas / "b.parquet", [["a"]], [1])
    return {
        "missing": ("god.parquet", {}, r"god.parquet does not exist. Did you mean 'good.parquet'\?"),
        "missing folder": ("nowhere/deep/a.csv", {}, "there is no folder"),
        "zero bytes": ("zero.csv", {}, r"zero.csv is empty \(0 bytes\)"),
        "header only": ("header.csv", {}, "found no rows"),
        "no rows": ("no_rows.parquet", {}, "found no rows"),
        "blank lines": ("blank.jsonl", {}, "found no rows"),
        "nothing usable": ("nothing.csv", {}, r"Found 'name' \(string\), 'age' \(string\). Expected 'tokens'"),
        "same name twice": ("twice.csv", {}, "column 'text' appears twice"),
        "corrupt": ("corrupt.parquet", {}, "corrupt.parquet cannot be read, it may be damaged"),
        "noise": ("noise.jsonl", {}, r"no row could be read \(line 1: not valid JSON"),
        "cut off": ("cut.jsonl.gz", {}, "cut.jsonl.gz cannot be read, it may be damaged"),
        "not packed": ("plain.csv.gz", {}, "plain.csv.gz cannot be read"),
        "unknown kind": ("table.xlsx", {}, "cannot tell what kind of file"),
        "empty folder": ("empty", {}, "has no data files; it holds nothing"),
        "no data files": ("other", {}, "it holds 'notes.txt'. Expected parquet"),
        "kinds": ("mixed", {}, r"several kinds \(csv: 1 \(b.csv\); parquet: 1 \(a.parquet\)\)"),
        "schemas": ("schemas", {}, "b.parquet differs from a.parquet: it also has 'index'; it has 'tokens' as"),
        "split of a file": ("good.parquet", {"split": "train"}, "is one file and has no splits"),
        "unknown column": (
            "good.parquet",
            {"tokens_column": "Tokens"},
            r"no column 'Tokens' \(--tokens-column\). Did you mean 'tokens'\? Available: 'index', 'tokens'",
        ),
        "wrong column": ("good.parquet", {"text_column": "index"}, "column 'index' is int64; expected text"),
        "no token lists": ("good.parquet", {"tokens_column": "index"}, "expected lists of token ids"),
    }


def test_bad_input_is_named(tmp_path: Path) -> None:
    cases = bad_inputs(tmp_path)
    for case, (name, options, message) in cases.items():
        with pytest.raises(InputError, match=message):
            open_sequences(str(tmp_path / name), **options)
            pytest.fail(f"{case}: no error")


def test_damage_behind_the_first_batch_is_named(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [[i] * 50 for i in range(20_000)], compression="none")
    source = open_files(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(InputError, match=r"a.parquet cannot be read, it may be damaged"):
        rows_of(source)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_permission_denied(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "closed" / "a.parquet", [[1]])
    path.chmod(0)

    def message(spec: Path) -> str:
        with pytest.raises(InputError) as caught:
            open_sequences(spec)
        return str(caught.value)

    if os.geteuid() != 0:
        assert "permission denied" in message(path)
        return
    # Root may read everything, so a child that is nobody tries.
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            denied = "permission denied" in message(path) and "permission denied" in message(path.parent)
            os._exit(0 if denied else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
