"""Files and folders are whole or not there, also where the disk does not take them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unlearning.disk import DiskError, write_folder, write_json, write_text, writing


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_text_is_the_old_or_the_new(tmp_path, no_file_above):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with no_file_above(1000), pytest.raises(OSError):
        write_text(path, "x" * 5000)
    assert path.read_text() == "old" and names(tmp_path) == {"a.txt"}
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == {"a.txt"}


def test_json_refuses_what_json_does_not_hold(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5, None]})
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == '{\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'
    assert names(tmp_path) == {"a.json"}


def test_a_folder_is_the_old_or_the_new(tmp_path):
    folder = tmp_path / "made" / "folder"
    write_folder(folder, lambda fresh: (fresh / "one").write_text("1"))

    def fail(fresh):
        assert (folder / "one").is_file()  # still there while the new one is written
        (fresh / "two").write_text("2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, fail)
    assert names(folder) == {"one"} and names(folder.parent) == {"folder"}
    write_folder(folder, lambda fresh: (fresh / "two").write_text("2"))
    assert names(folder) == {"two"} and names(folder.parent) == {"folder"}


def test_a_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    folder, rename = tmp_path / "folder", Path.rename
    write_folder(folder, lambda fresh: (fresh / "one").write_text("1"))

    def refuse(self, target):
        if target == folder and self.suffix != ".old":
            raise PermissionError(errno.EACCES, "no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        write_folder(folder, lambda fresh: (fresh / "two").write_text("2"))
    assert names(folder) == {"one"} and names(tmp_path) == {"folder"}


def test_files_have_the_rights_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_folder(tmp_path / "a", lambda fresh: save_file({"x": torch.zeros(2)}, fresh / "x.safetensors"))
    finally:
        os.umask(before)
    assert (tmp_path / "a" / "x.safetensors").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOSPC, "No space left on device. It stays. Free some space"), (errno.EACCES, "denied. It stays. Check")],
)
def test_what_is_said(tmp_path, number, said):
    expected = pytest.raises(DiskError, match=f"^the thing can't be written to {tmp_path}: .*{said}")
    with expected, writing("the thing", tmp_path, "It stays."):
        raise OSError(number, os.strerror(number))


def test_safetensors_fails_as_everything_else_does(tmp_path, no_file_above):
    expected = pytest.raises(DiskError, match=r"can't be written.*: File too large")
    with no_file_above(1000), expected, writing("the weights", tmp_path):
        save_file({"a": torch.zeros(1000)}, tmp_path / "a.safetensors")


def test_other_errors_are_left_alone(tmp_path):
    with pytest.raises(ZeroDivisionError), writing("the thing", tmp_path):
        raise ZeroDivisionError
