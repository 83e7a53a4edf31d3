"""Which windows of a file are code and which prose."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from metrics.categories.training.files import TextFile
from metrics.categories.training.samples import Samples
from metrics.categories.training.windows import COMMENTS, code_and_prose, head_end, windows

PYTHON = (
    '"""Counts the ships that enter the harbour each day and writes the list to the office of the master."""\n'
    "# The list is short in winter.\n"
    "def count(ships):\n"
    '    """Returns how many ships there are."""\n'
    "    return len(ships)  # all\n"
)


@pytest.mark.parametrize(
    ("kind", "text", "comments"),
    [
        (".py", PYTHON, 3),
        (".h", "/* one */ int a; // not alone on its line\n  // two\nint b;\n", 2),
        (".xml", "<a><!-- one\n more --></a>", 1),
        (".f90", "! one\n  ! two\n  x = 1\n", 2),
        (".json", '{"a": "// none"}', 0),
    ],
)
def test_comments(kind: str, text: str, comments: int) -> None:
    assert len(list(COMMENTS[kind].finditer(text))) == comments


def test_code_and_prose(tmp_path: Path) -> None:
    body = "".join(f"    total_{index} = ships[{index}] + fees({index})\n" for index in range(60))
    comment = "".join(
        f"# The ship number {index} waits at the quay until the tide is high again.\n" for index in range(60)
    )
    path = tmp_path / "harbour.py"
    path.write_text(comment + body, encoding="utf-8")
    code, prose = code_and_prose(TextFile("harbour.py", "0", str(path)), random.Random(1), most=9)
    assert len(code) >= 3
    assert len(prose) >= 3
    assert all("total_" in window for window in code)
    assert all("total_" not in window and "tide" in window for window in prose)


def test_a_window_with_much_of_both_is_neither(tmp_path: Path) -> None:
    path = tmp_path / "harbour.py"
    path.write_text(
        "# The ship waits at the quay until the tide is high, then it leaves.\nwait(1)\n" * 80, encoding="utf-8"
    )
    assert code_and_prose(TextFile("harbour.py", "0", str(path)), random.Random(1), most=9) == ([], [])


def test_windows_are_cut_anywhere_and_no_longer_than_280() -> None:
    found = list(windows("abcdefghi " * 500, random.Random(3), most=50))
    assert all(80 <= len(window) <= 280 for _, window in found)
    assert all(("abcdefghi " * 500)[start : start + len(window)] == window for start, window in found)
    assert list(windows("too short", random.Random(3))) == []


def test_head_end() -> None:
    text = "#!/bin/sh\n# Licensed to all.\n\n" + "echo waiting for the tide\n" * 4 + "# not this\n"
    assert text[: head_end(text, ".sh")] == "#!/bin/sh\n# Licensed to all.\n"
    assert head_end("int a;" * 20 + "/* late */", ".h") == 0


def test_every_fifth_file_or_piece_is_held_out() -> None:
    samples = Samples()
    for number in range(1, 7):
        samples.read.append(TextFile(f"{number}.py", "0", ""))
        samples.add([f"window {number}"], 1)
    samples.add_invented(lambda source: (letter * 300 for letter in "abcdef"), 0, 6, random.Random(1))
    fifth, of_files = samples.held_out()
    assert [text[:8] for text, out in zip(samples.texts, fifth, strict=True) if out] == ["window 5", "d" * 8]
    assert of_files.sum() == 1
    assert samples.labels == [1] * 6 + [0] * 6
