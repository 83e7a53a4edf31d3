"""Windows of the packages' files, told apart by what they hold: code, or the prose of comments and read-me texts."""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from metrics.categories.training.files import TextFile

SHORTEST, LONGEST = 80, 280  # characters; 64 tokens are about 200
_MOSTLY_CODE, _ONLY_PROSE = 0.5, 0.97  # shares of a window that lie in comments
_LEAST_INK = 60  # characters that are not at its edges' spaces

_SLASHES = re.compile(r"/\*.*?\*/|^[ \t]*//[^\n]*\n?", re.DOTALL | re.MULTILINE)
_PYTHON = re.compile(
    r'^[ \t]*#[^\n]*\n?|^[ \t]*[rRuU]?"""(?:[^"\\]|\\.|"(?!""))*"""\n?',
    re.DOTALL | re.MULTILINE,
)
_HASHES = re.compile(r"^[ \t]*#[^\n]*\n?", re.MULTILINE)
_MARKUP = re.compile(r"<!--.*?-->", re.DOTALL)
_FORTRAN = re.compile(r"^[ \t]*[!cC*][^\n]*\n?", re.MULTILINE)
_BATCH = re.compile(r"^[ \t]*@?rem\b[^\n]*\n?", re.MULTILINE | re.IGNORECASE)
_JINJA = re.compile(r"\{#.*?#\}", re.DOTALL)
_NONE = re.compile(r"(?!)")
# Kind of file -> its comments and, for Python, the strings that stand alone.
COMMENTS: dict[str, re.Pattern[str]] = {
    **dict.fromkeys((".h", ".cc", ".cpp", ".c", ".js", ".css", ".java", ".proto", ".thrift"), _SLASHES),
    **dict.fromkeys((".py", ".pyi", ".pyx", ".pxd", ".pxi"), _PYTHON),
    **dict.fromkeys((".yaml", ".sh", ".toml", ".mplstyle"), _HASHES),
    **dict.fromkeys((".xml", ".xsd", ".html", ".svg", ".dtd", ".xsl", ".jdo", ".rng", ".exsd"), _MARKUP),
    **dict.fromkeys((".f90", ".f"), _FORTRAN),
    **dict.fromkeys((".json", ".caps"), _NONE),
    ".cmd": _BATCH,
    ".jinja": _JINJA,
}
_DOCUMENTS = frozenset({"readme", ".md", ".rst"})


def windows(text: str, source: random.Random, most: int = 6) -> Iterator[tuple[int, str]]:
    """Up to `most` windows of 80 to 280 characters, cut anywhere, each with its start."""
    for _ in range(min(most, len(text) // 300 + 1)):
        length = source.randint(SHORTEST, LONGEST)
        start = source.randint(0, max(0, len(text) - length))
        window = text[start : start + length]
        if len(window.strip()) >= _LEAST_INK:
            yield start, window


def head_end(text: str, kind: str) -> int:
    """Where the comments end that a file begins with: its licence header, if it has one; 0 if it begins with code."""
    end = 0
    for comment in COMMENTS.get(kind, _NONE).finditer(text):
        if comment.start() - end > 60:  # room for `<?xml ...?>` and blank lines
            break
        end = comment.end()
    return end


def is_prose(paragraph: str) -> bool:
    """Whether a paragraph of documentation is prose: examples and tables of parameters are neither thing."""
    return ">>>" not in paragraph and "::" not in paragraph and len(re.findall(r"[()\[\]{}=_`<>|\\]", paragraph)) <= 4


def code_and_prose(file: TextFile, source: random.Random, most: int = 6) -> tuple[list[str], list[str]]:
    """Windows of a file that are mostly code, and windows that lie in its comments or paragraphs.

    Args:
        file: A file of a kind in `COMMENTS`, or a document.
        source: Where the windows are drawn from.
        most: At most so many of each.

    Returns:
        The code and the prose; a window with much of both is in neither.
    """
    text = file.read()
    if file.kind in _DOCUMENTS:
        paragraphs = [part for part in re.split(r"\n\s*\n", text) if len(part) > 100 and is_prose(part)]
        return [], [window for _, window in windows("\n\n".join(paragraphs), source, most)]
    comments = [match.span() for match in COMMENTS[file.kind].finditer(text)]
    ends = [end for _, end in comments]
    before = [0, *accumulate(end - start for start, end in comments)]  # characters in comments before each comment

    def commented(position: int) -> int:
        index = bisect_left(ends, position)
        inside = max(0, position - comments[index][0]) if index < len(comments) else 0
        return before[index] + inside

    code: list[str] = []
    prose: list[str] = []
    for start, window in windows(text, source, 2 * most):
        share = (commented(start + len(window)) - commented(start)) / len(window)
        if share <= _MOSTLY_CODE and len(code) < most:
            code.append(window)
        elif share >= _ONLY_PROSE and len(prose) < most and is_prose(window):
            prose.append(window)
    return code, prose


def readable(kind: str) -> bool:
    """Whether `code_and_prose` knows files of this kind."""
    return kind in COMMENTS or kind in _DOCUMENTS
