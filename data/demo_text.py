"""Code, prose and licence texts that ship with Python and the installed packages, stripped of real people.

Functions lose their docstrings, and those with comments are left out. Prose paragraphs come from docstrings, licence
paragraphs from the licence files of packages. A paragraph is kept only if each of its capitalised words also occurs in
lower case in a few docstrings or licences (`Note`, `Licensor`): names of people do not.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import inspect
import re
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# The standard library's own "site" files are tables or carry credits of people.
SKIPPED_FILES = {"this.py", "antigravity.py", "__hello__.py", "site.py", "_sitebuiltins.py"}

_PERSONAL = re.compile(r"@[\w-]+\.|\bcopyright\b|\bauthors?\b|\bwritten by\b|\bcontributed by\b|\bmaintain", re.I)
_LEGAL = re.compile(r"licen[cs]|warrant|liabl|liabil|permission|agreement|distribut|copyright|hereby|rights\b", re.I)
_NOT_PROSE = re.compile(r"[_=<>{}\[\]|\\`*#~^]|::|\.\.|\w\(|\)\.|>>>|--|:\w+:|\b\w+\.\w+\b|\d\d\d")
_PYTHON_FILE = re.compile(r"^(?!.*(?:tests?/|_vendor|testing)).*\.py$")
_LICENCE_FILE = re.compile(r"(?i)licen[sc]es?[^/]*(?:$|/[^/]+$)(?<!\.py)(?<!\.pyc)(?<!\.pyi)(?<!\.html)")
_WORD = re.compile(r"[A-Za-z][A-Za-z']*")
# Organisations and instruments that licences name; none of them a person.
_LICENCE_NAMES = {
    "apache", "mozilla", "gnu", "foundation", "python", "california", "eclipse", "oracle", "european", "unicode",
    "creative", "commons", "america", "american", "english", "germany", "german", "april", "january", "february",
    "internet", "java", "mit", "bsd", "lesser", "sourceforge", "github", "washington", "york", "massachusetts",
}  # fmt: skip


@dataclass(frozen=True)
class TextSources:
    """Where texts are taken from. Distributions and folders that are absent give none.

    Attributes:
        stdlib: Folders of the standard library, `.` is its top level; for code and prose.
        code: Distributions, for code.
        prose: Distributions, for prose.
        licences: Distributions, for licence texts.
    """

    stdlib: tuple[str, ...] = (
        ".", "asyncio", "collections", "concurrent/futures", "email", "http", "importlib", "json", "logging",
        "multiprocessing", "pydoc_data", "unittest", "urllib", "xml/dom", "xml/etree", "xml/sax",
    )  # fmt: skip
    code: tuple[str, ...] = ("Jinja2", "click", "rich")
    prose: tuple[str, ...] = (
        "Jinja2", "click", "huggingface_hub", "hypothesis", "matplotlib", "numpy", "pandas", "rich",
    )  # fmt: skip
    licences: tuple[str, ...] = (
        "Faker", "hypothesis", "matplotlib", "numpy", "pandas", "pillow", "pyarrow", "pyspark", "sacrebleu",
        "torch",
    )  # fmt: skip


@dataclass(frozen=True)
class InstalledTexts:
    """Texts found on this machine, each list in a fixed order.

    Attributes:
        code: Functions and methods without docstrings or comments.
        prose: Paragraphs of plain English.
        licences: Paragraphs of licences, without copyright lines.
    """

    code: Sequence[str]
    prose: Sequence[str]
    licences: Sequence[str]


def stdlib_files(folders: Iterable[str]) -> list[Path]:
    """Python files of the standard library that code and prose are taken from, sorted."""
    root = Path(sysconfig.get_paths()["stdlib"])
    found = (path for folder in folders for path in (root / folder).glob("*.py"))
    return sorted(path for path in found if path.name not in SKIPPED_FILES)


def package_files(packages: Iterable[str], wanted: re.Pattern[str]) -> list[Path]:
    """Files of installed packages whose path within the package matches `wanted`, sorted; absent packages give none."""
    found = []
    for package in sorted(packages):
        try:
            files = importlib.metadata.files(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        found += sorted(Path(str(file.locate())) for file in files if wanted.search(str(file)))
    return found


def read_installed_texts(sources: TextSources | None = None) -> InstalledTexts:
    """Read code, prose and licences from the standard library and installed packages.

    The same installed files give the same texts in the same order.

    Args:
        sources: The defaults when None.
    """
    sources = sources or TextSources()
    code, docstrings = [], []
    for path in stdlib_files(sources.stdlib):
        functions, found = _functions_and_docstrings(path)
        code += functions
        docstrings += found
    for path in package_files(sources.code, _PYTHON_FILE):
        code += _functions_and_docstrings(path)[0]
    for path in package_files(sources.prose, _PYTHON_FILE):
        docstrings += _functions_and_docstrings(path)[1]
    licences = [_read(path) for path in package_files(sources.licences, _LICENCE_FILE)]

    counts = Counter(word for text in docstrings + licences for word in set(re.findall(r"\b[a-z]{2,}\b", text)))
    lower_case = {word for word, texts in counts.items() if texts >= 3}  # a name may stand in a web address
    paragraphs = (paragraph for text in docstrings for paragraph in _paragraphs(text))
    prose = [text for text in paragraphs if _is_prose(text) and _names_nobody(text, lower_case)]
    clauses = (paragraph for text in licences for paragraph in _paragraphs(text))
    kept = [text for text in clauses if _is_clause(text) and _names_nobody(text, lower_case | _LICENCE_NAMES)]
    return InstalledTexts(_distinct(code), _distinct(prose), _distinct(kept))


def installed_fingerprint(sources: TextSources | None = None) -> str:
    """sha256 over the contents of every file that `read_installed_texts` reads; far quicker than reading the texts."""
    sources = sources or TextSources()
    python_files = stdlib_files(sources.stdlib) + package_files({*sources.code, *sources.prose}, _PYTHON_FILE)
    digest = hashlib.sha256()
    for path in python_files + package_files(sources.licences, _LICENCE_FILE):
        digest.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"-")
    return digest.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _functions_and_docstrings(path: Path) -> tuple[list[str], list[str]]:
    """Functions without docstrings (those with comments are left out), and all docstrings, of one Python file."""
    source = _read(path)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return [], []
    lines = source.splitlines()
    functions, docstrings = [], []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring:
            docstrings.append(docstring)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            text = _function(node, lines, bool(docstring))
            if len(text) > 200 and text.isascii() and "#" not in text and not _PERSONAL.search(text):
                functions.append(text)
    return functions, docstrings


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], has_docstring: bool) -> str:
    body = node.body[1:] if has_docstring else node.body
    if not body or node.body[0].lineno == node.lineno:
        return ""
    head = lines[node.lineno - 1 : node.body[0].lineno - 1]
    rest = lines[body[0].lineno - 1 : node.end_lineno]
    return inspect.cleandoc("\n" + "\n".join(line for line in head + rest if line.strip())) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        yield inspect.cleandoc("\n" + paragraph.strip("\n").expandtabs(4)).strip()


def _is_prose(paragraph: str) -> bool:
    """Plain English sentences: enough words, hardly anything that is not a letter, nothing that looks like code."""
    words = _WORD.findall(paragraph)
    return (
        len(words) >= 35
        and paragraph.isascii()
        and not _NOT_PROSE.search(paragraph)
        and not _PERSONAL.search(paragraph)
        and not _LEGAL.search(paragraph)
        and sum(map(str.isalpha, paragraph)) >= 0.77 * len(paragraph)
        and paragraph.rstrip()[-1] in ".:;"
    )


def _is_clause(paragraph: str) -> bool:
    """Legal sentences without an address, a copyright holder or anybody's web page."""
    words = _WORD.findall(paragraph)
    return (
        len(words) >= 25
        and paragraph.isascii()
        and _LEGAL.search(paragraph) is not None
        and not re.search(r"@|://|www\.|^(?:Name|Files): |\(c\)|\bcopyright \d|[<>{}\\|]", paragraph, re.I | re.M)
        and sum(map(str.isalpha, paragraph)) >= 0.7 * len(paragraph)
    )


def _names_nobody(paragraph: str, lower_case: set[str]) -> bool:
    capitalised = re.findall(r"\b[A-Z][A-Za-z]*[a-z][A-Za-z]*\b", paragraph)
    return all(word.lower() in lower_case for word in capitalised)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
