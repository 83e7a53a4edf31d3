"""The worked example of `docs/categories.md`: a category is added by one file and one line, as written there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
LABEL = """
import json
from metrics.categories import label
from spark_jobs.schemas import LABELS
from unlearning.cli import NAMES

poem = "The mill is old\\nThe wheel is slow\\nAnd all it ground\\nWas long ago\\n"
labelled = label([poem, "The mill is old, and the wheel is slow these days."])
print(json.dumps({
    "category": labelled["category"],
    "why": labelled["why"][0],
    "columns": [column.name for column in LABELS],
    "names": NAMES,
}))
"""


def test_the_example_of_the_documentation_works(tmp_path: Path) -> None:
    section = (REPOSITORY / "docs" / "categories.md").read_text().partition("## Adding a category")[2]
    file, line = re.findall(r"```(?:python|text)\n(.*?)```", section, re.S)
    for package in ("data", "metrics", "reporting", "spark_jobs", "unlearning"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    categories = tmp_path / "metrics" / "categories"
    (categories / "poetry.py").write_text(file)
    order = (categories / "__init__.py").read_text()
    (categories / "__init__.py").write_text(order.replace('    "text",\n', line + '    "text",\n'))
    done = subprocess.run([sys.executable, "-c", LABEL], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["category"] == ["poetry", "text"]
    assert printed["why"] == "100% of the lines are short and begin with a capital"
    assert "verse_share" in printed["columns"] and "poetry" in printed["names"]
