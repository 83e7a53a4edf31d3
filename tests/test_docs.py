"""What is generated from the code is current, and what the README names is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_column_reference_is_current() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "reporting.columns"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert (REPOSITORY / "docs" / "columns.md").read_text() == printed.stdout, "type: make docs"


def test_readme_links_lead_somewhere() -> None:
    for page in (REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_options_exist() -> None:
    import calculate_metrics
    import unlearning.cli

    commands = (calculate_metrics.main, unlearning.cli.main)
    known = {name for command in commands for parameter in command.params for name in parameter.opts}
    others = {"--help", "--multi_gpu", "--num_processes", "--standalone", "--nproc-per-node"}  # of the launchers
    for page in ("README.md", "docs/unlearning.md"):
        for option in re.findall(r"(?<![\w-])--[a-z][a-z_-]+", (REPOSITORY / page).read_text()):
            assert option in known | others, (page, option)
