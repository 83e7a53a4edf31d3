"""Imports point one way: the commands -> spark_jobs, reporting -> metrics, data."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
OURS = {"calculate_metrics", "data", "metrics", "spark_jobs", "reporting", "unlearning"}
ALLOWED = {
    "data": {"data"},
    "metrics": {"metrics"},
    "spark_jobs": {"spark_jobs", "metrics", "data"},
    "reporting": {"reporting", "metrics", "data"},
    "unlearning": {"unlearning", "metrics", "data", "reporting"},
}
# The column reference is printed by a command of its own, which knows every table; `unlearn` is a command, too.
EXCEPTIONS = {("reporting/columns.py", "spark_jobs"), ("unlearning/cli.py", "spark_jobs")}


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


FILES = [
    file
    for package in sorted(ALLOWED)
    for file in sorted((REPOSITORY / package).rglob("*.py"))
    if "__pycache__" not in file.parts
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_imports_point_one_way(file: Path) -> None:
    name = str(file.relative_to(REPOSITORY))
    package = file.relative_to(REPOSITORY).parts[0]
    ours = {other for other in imported(file) & OURS if (name, other) not in EXCEPTIONS}
    assert ours <= ALLOWED[package]
    if package != "spark_jobs":
        assert "pyspark" not in imported(file)


def test_the_check_sees_imports() -> None:
    assert {"pyspark", "spark_jobs"} <= imported(REPOSITORY / "spark_jobs" / "pipeline.py")
