"""Makes `metrics/lexicon.txt`: words that may be shown although the text around them may be personal.

Run `python -m metrics.build_lexicon` to make it anew. The words come from what ships with Python and the installed
packages, never from a data set: a word is kept when it occurs in lower case in the prose of at least
`PROSE_DOCUMENTS` documents (docstrings of a module, licence and read-me texts, the language reference, the everyday
words of Faker's English lorem provider), or as a part of identifiers in at least `CODE_DOCUMENTS` source files, and
is written in lower case often enough. People's names of Faker's locales are left out unless they
are far more often ordinary words ("will", "mark").
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import sysconfig
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from metrics.gazetteer import first_names, last_names

PROSE_DOCUMENTS = 4
CODE_DOCUMENTS = 12
SHORT_PROSE_DOCUMENTS = 25  # of two letters, nearly anything is a name somewhere
LOWER_SHARE = 0.2  # licences write Software and License
NAME_PROSE_DOCUMENTS = 60
NAME_LOWER_SHARE = 0.9
TARGET = Path(__file__).with_name("lexicon.txt")

_ADDRESS = re.compile(r"\S{0,200}@\S{0,200}|\w{1,20}://\S{0,500}|<[^<>\n]{0,200}>")
_WORD = re.compile(r"[A-Za-z]{2,24}")
_PART = re.compile(r"[A-Z]?[a-z]{1,24}|[A-Z]{2,24}(?![a-z])")
_SENTENCE_START = re.compile(r"(?:[.!?:;]\s{1,4}|\n\s{0,80}|[\"'(*#]\s{0,4}|\A\s{0,80})$")


def prose_documents() -> Iterator[str]:
    """Yields one document of English prose at a time: module docstrings, licences, read-me texts, the reference."""
    from pydoc_data.topics import topics

    from faker.providers.lorem.en_US import Provider

    everyday = "\n".join(Provider.word_list)
    for _ in range(NAME_PROSE_DOCUMENTS):  # one list that stands for many documents
        yield everyday
    yield from topics.values()
    for path in python_files():
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        strings = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented))
        yield "\n".join(string for string in strings if string)
    for pattern in ("*.dist-info/**/LICENSE*", "*.dist-info/**/LICENCE*", "*.dist-info/METADATA"):
        for path in sorted(Path(sysconfig.get_path("purelib")).glob(pattern)):
            if path.is_file():
                yield path.read_text(encoding="utf-8", errors="ignore")


def python_files() -> list[Path]:
    """The Python files of the standard library and of the installed packages, tests left out, in a fixed order."""
    roots = [Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))]
    files = {path for root in roots for path in root.rglob("*.py")}
    skipped = {"test", "tests", "idle_test", "faker", "locale", "locales", "presidio_analyzer"}
    return sorted(path for path in files if not skipped & set(path.parts))


def identifier_parts(path: Path) -> set[str]:
    """The lower-case parts of the identifiers of one Python file: `readLine_next` has read, line, next."""
    parts: set[str] = set()
    try:
        for token in tokenize.tokenize(io.BytesIO(path.read_bytes()).readline):
            if token.type == tokenize.NAME:
                parts.update(part.lower() for part in _PART.findall(token.string))
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return parts


def build() -> list[str]:
    """The words of the lexicon, sorted."""
    lower_documents: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for document in prose_documents():
        document = _ADDRESS.sub(" ", document)
        seen = set()
        for match in _WORD.finditer(document):
            word = match.group()
            if word.islower():
                lower[word] += 1
                seen.add(word)
            elif word.istitle() and not _SENTENCE_START.search(document, max(0, match.start() - 8), match.start()):
                capital[word.lower()] += 1
        lower_documents.update(seen)
    code_documents: Counter[str] = Counter()
    for path in python_files():
        code_documents.update(identifier_parts(path))
    names = first_names() | last_names()
    kept = {word.lower() for word in keyword.kwlist}
    for word in lower_documents.keys() | code_documents.keys():
        lower_share = lower[word] / max(1, lower[word] + capital[word])
        if word in names:
            keep = lower_documents[word] >= NAME_PROSE_DOCUMENTS and lower_share >= NAME_LOWER_SHARE
        else:
            needed = SHORT_PROSE_DOCUMENTS if len(word) == 2 else PROSE_DOCUMENTS
            in_prose = lower_documents[word] >= needed and lower_share >= LOWER_SHARE
            in_code = code_documents[word] >= CODE_DOCUMENTS and len(word) >= 3
            keep = in_prose or in_code
        if keep:
            kept.add(word)
    return sorted(kept)


if __name__ == "__main__":
    words = build()
    TARGET.write_text("\n".join(words) + "\n", encoding="utf-8")
    print(f"{len(words)} words -> {TARGET}")
