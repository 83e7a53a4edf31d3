"""Hub data sets: local copies, a small server that speaks the hub's protocol, and no connection at all."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import open_sequences
from data.errors import InputError
from data.files import read_shard
from data.hub import open_dataset

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: default
  data_files:
  - split: deduped.70m
    path: data/deduped.70m-*
  - split: duped.70m
    path: data/duped.70m-*
---
# Sequences
"""


def memorized_evals(folder: Path) -> Path:
    """A folder with the file names and columns of EleutherAI/pythia-memorized-evals."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / ".gitattributes").write_text("*.parquet filter=lfs\n")
    tokens = pa.list_(pa.int32())
    for name, ids in (
        ("deduped.70m-00000-of-00001-1c2d3e4f.parquet", [11, 12]),
        ("duped.70m-00000-of-00001-5a6b7c8d.parquet", [21]),
    ):
        lists = pa.array([[i] * 64 for i in ids], tokens)
        pq.write_table(pa.table({"index": pa.array(ids, pa.int32()), "tokens": lists}), folder / "data" / name)
    return folder


def ids_of(source) -> list[int]:
    batches = (batch for shard in source.shards for batch in read_shard(shard))
    return [value for batch in batches for value in batch.column(source.roles.id).to_pylist()]


def test_local_copy_with_a_card(tmp_path: Path) -> None:
    folder = memorized_evals(tmp_path / "pythia-memorized-evals")
    for opened in (open_dataset, open_sequences):
        source = opened(str(folder), split="deduped.70m")
        assert ids_of(source) == [11, 12]
        assert (source.split, source.revision, source.rows) == ("deduped.70m", None, 2)
        assert (source.roles.id, source.roles.tokens) == ("index", "tokens")
    with pytest.raises(InputError, match=r"no split 'deduped.70'. Did you mean 'deduped.70m'\?"):
        open_sequences(folder, split="deduped.70")
    with pytest.raises(InputError, match=r"several splits.*'deduped.70m', 'duped.70m'"):
        open_sequences(folder)


def test_card_that_names_files_elsewhere(tmp_path: Path) -> None:
    folder = memorized_evals(tmp_path / "a")
    (folder / "data").rename(folder / "seventy")
    (folder / "README.md").write_text(CARD.replace("data/", "seventy/"))
    assert ids_of(open_sequences(folder, split="duped.70m")) == [21]


def test_copy_of_one_split_only(tmp_path: Path) -> None:
    folder = memorized_evals(tmp_path / "a")
    next((folder / "data").glob("duped*")).unlink()
    assert ids_of(open_sequences(folder, split="deduped.70m")) == [11, 12]
    with pytest.raises(InputError, match=r"no split 'duped.70m'"):
        open_sequences(folder, split="duped.70m")


def test_copy_without_a_card(tmp_path: Path) -> None:
    folder = memorized_evals(tmp_path / "a")
    (folder / "README.md").unlink()
    assert ids_of(open_sequences(folder, split="deduped.70m")) == [11, 12]
    assert ids_of(open_dataset(str(folder), split="deduped.70m")) == [11, 12]


def test_random_sample(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    columns = {
        "Index": pa.array([5, 6], pa.int64()),
        "70M": pa.array([0.5, 1.0]),
        "Tokens": pa.array([[1] * 64, [2] * 64], pa.list_(pa.uint16())),
    }
    pq.write_table(pa.table(columns), tmp_path / "data" / "train-00000-of-00001-ab.parquet")
    source = open_dataset(str(tmp_path), split="train")
    assert ids_of(source) == [5, 6]
    assert source.roles.tokens == "Tokens"
    assert [column.name for column in source.columns] == ["70M"]
    assert ids_of(open_dataset(str(tmp_path))) == [5, 6], "the only split needs no name"


class HubHandler(BaseHTTPRequestHandler):
    """Serves the folder `root` as the data set `org/evals` with the one commit `COMMIT`."""

    root: Path
    requests: list[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes = b"") -> None:
        path = unquote(self.path.split("?")[0]).strip("/")
        self.requests.append(f"{self.command} {path}")
        api, files = "api/datasets/org/evals", "datasets/org/evals/resolve/"
        if path.startswith(files):
            revision, name = path.removeprefix(files).split("/", 1)
            if revision not in ("main", COMMIT):
                return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            file = self.root / name
            if not file.is_file():
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            data = file.read_bytes()
            tag = f'"{hashlib.sha256(data).hexdigest()}"'
            return self._send(200, data, {"ETag": tag, "X-Repo-Commit": COMMIT})
        if path.startswith(f"{api}/paths-info/"):
            names = [name for name in _form(body) if (self.root / name).exists()]
            return self._json([self._entry(self.root / name) for name in names])
        if path.startswith(f"{api}/tree/"):
            inside = self.root / "/".join(path.removeprefix(f"{api}/tree/").split("/")[1:])
            found = inside.rglob("*") if "recursive=True" in self.path.title() else inside.iterdir()
            return self._json([self._entry(item) for item in sorted(found)])
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            siblings = [
                {"rfilename": str(file.relative_to(self.root))}
                for file in sorted(self.root.rglob("*"))
                if file.is_file()
            ]
            return self._json({"id": "org/evals", "sha": COMMIT, "siblings": siblings, "tags": []})
        code = "RevisionNotFound" if path.startswith(f"{api}/revision/") else "RepoNotFound"
        return self._send(404, b"", {"X-Error-Code": code})

    def _entry(self, path: Path) -> dict:
        name = str(path.relative_to(self.root))
        oid = hashlib.sha1(name.encode()).hexdigest()
        if path.is_dir():
            return {"type": "directory", "path": name, "oid": oid, "size": 0}
        return {"type": "file", "path": name, "oid": oid, "size": path.stat().st_size}

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _form(body: bytes) -> list[str]:
    """The `paths` of a paths-info request, sent as JSON or as a form."""
    text = body.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else paths
    return [unquote(part.split("=", 1)[1].replace("+", " ")) for part in text.split("&") if part[:5] == "paths"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    root = memorized_evals(tmp_path / "hub")
    handler = type("Handler", (HubHandler,), {"root": root, "requests": requests})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", requests
    server.shutdown()
    server.server_close()


SCRIPT = """
import json, sys
from data import open_sequences
from data.errors import InputError
from data.files import read_shard
answers = []
for arguments in json.loads(sys.argv[1]):
    try:
        source = open_sequences(**arguments)
        ids = [i for s in source.shards for b in read_shard(s) for i in b.column(source.roles.id).to_pylist()]
        answers.append({"ids": ids, "name": source.name, "split": source.split, "revision": source.revision})
    except InputError as error:
        answers.append({"error": str(error)})
print(json.dumps(answers))
"""


def in_new_process(requests: list[dict], home: Path, script: str = SCRIPT, **environment: str) -> list[dict]:
    """Opens data sets where the hub's libraries read their settings anew."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(requests)],
        cwd=ROOT,
        env={**kept, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_download_of_one_split_from_a_hub(tmp_path: Path, hub: tuple[str, list[str]]) -> None:
    endpoint, requests = hub
    home = tmp_path / "home"
    asked = [
        {"spec": "org/evals", "split": "deduped.70m", "revision": "main"},
        {"spec": "org/evals", "split": "dedup.70m", "revision": "main"},
        {"spec": "org/evals", "split": "deduped.70m", "revision": "elsewhere"},
        {"spec": "org/nothing", "split": "train", "revision": "main"},
    ]
    found, split, revision, dataset = in_new_process(asked, home, HF_ENDPOINT=endpoint)
    assert found == {"ids": [11, 12], "name": "org/evals", "split": "deduped.70m", "revision": COMMIT}
    assert "no split 'dedup.70m'. Did you mean 'deduped.70m'? Available" in split["error"]
    assert "not found on the hub at revision 'elsewhere'" in revision["error"]
    assert "'org/nothing' is no file or folder here and was not found on the hub" in dataset["error"]
    fetched = [request for request in requests if request.startswith("GET") and ".parquet" in request]
    assert len(fetched) == 1 and "/deduped.70m-" in fetched[0], "only the split's file, only once"

    # What was downloaded is found again without a connection, what was not is named.
    asked = [{"spec": "org/evals", "split": "deduped.70m"}, {"spec": "org/evals", "split": "duped.70m"}]
    cached, missing = in_new_process(asked, home, HF_HUB_OFFLINE="1")
    assert cached["ids"] == [11, 12] and cached["revision"] == COMMIT
    assert "The hub cannot be reached" in missing["error"] and "--sequences FOLDER" in missing["error"]


def test_mistyped_path_without_a_connection(tmp_path: Path) -> None:
    memorized_evals(tmp_path / "hub")
    script = SCRIPT.replace("answers = []", f"import os; os.chdir({str(tmp_path)!r})\nanswers = []")
    (answer,) = in_new_process([{"spec": "hub/dta"}], tmp_path / "home", script, HF_HUB_OFFLINE="1")
    assert "neither a path here nor cached" in answer["error"]
    assert "If it is a path, in hub: Did you mean 'data'?" in answer["error"]
