"""The folder of an unlearning: what was trained is not mixed with other settings, what was only begun is nobody's."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from unlearning.method import UnlearningError
from unlearning.result_folder import ResultFolder


def plan(key: str) -> SimpleNamespace:
    """As much of a plan as the check looks at."""
    about = {"seed": key, "settings": {}}
    return SimpleNamespace(key=lambda: key, about=lambda: about)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    (tmp_path / "unlearning.json").write_text(json.dumps({"key": "one", "seed": "one", "settings": {}}))
    (tmp_path / "comparison.json").write_text("{}")
    return tmp_path


def test_what_was_trained_with_other_settings_is_refused(begun: Path) -> None:
    with pytest.raises(UnlearningError, match="other settings:\n  seed: 'one' then, 'two' now"):
        ResultFolder(begun).finished(plan("two"))


def test_what_was_begun_and_not_trained_may_be_begun_with_other_settings(begun: Path) -> None:
    """An encoder that can't be loaded ends the command before anything is trained; then another reward may be typed."""
    (begun / "comparison.json").unlink()
    assert ResultFolder(begun).finished(plan("two")) is None
    (begun / "training.jsonl").touch()
    (begun / "comparison.json").write_text("{}")
    with pytest.raises(UnlearningError, match="other settings"):
        ResultFolder(begun).finished(plan("two"))
