"""Text files that come with the pinned packages: the same on every machine, hence what the weights are trained on.

Only packages that `requirements.txt` pins, only files that the wheel brought (those with a hash in its RECORD), and of
torch and others that differ by platform only folders that do not. pyspark's jars hold stylesheets, scripts, schemas and
the licences of some 300 projects.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import PurePosixPath

# Distribution -> beginnings of the paths that are read; an empty one stands for the whole distribution.
SOURCES: dict[str, tuple[str, ...]] = {
    "accelerate": ("",),
    "click": ("",),
    "datasets": ("",),
    "huggingface_hub": ("",),
    "Jinja2": ("",),
    "matplotlib": ("matplotlib/backends/web_backend/", "matplotlib/mpl-data/images/", "matplotlib/mpl-data/stylelib/"),
    "numpy": ("numpy/f2py/", "numpy/random/_examples/", "numpy/linalg/", "numpy/ma/", "numpy/polynomial/"),
    "pandas": ("pandas/core/", "pandas/io/"),
    "peft": ("",),
    "pyarrow": ("pyarrow/src/", "pyarrow/includes/", "pyarrow/include/arrow/io/", "pyarrow/include/arrow/compute/"),
    "pyspark": ("pyspark/",),
    "rich": ("",),
    "setuptools": ("setuptools/",),
    "torch": ("torch/include/c10/", "torch/include/torch/csrc/api/", "torch-"),
    "transformers": ("transformers/models/", "transformers-"),
    "trl": ("",),
}
# Files whose contents depend on the platform or on the installer.
_LOCAL = re.compile(r"config|version|(?:INSTALLER|RECORD|REQUESTED|WHEEL|direct_url\.json)$", re.IGNORECASE)
_LICENCE = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
_LICENCE_SUFFIXES = frozenset({"", ".txt", ".md", ".apache", ".bsd"})
_MOST_BYTES = 100_000


@dataclass(frozen=True)
class TextFile:
    """One file of a package.

    Attributes:
        path: Where it is in its distribution; after `!` where it is in the jar.
        hash: The one in the RECORD; a jar's for the files in it.
        location: The file, or the jar that it is in, on this machine.
    """

    path: str
    hash: str
    location: str

    @property
    def kind(self) -> str:
        """`.py`, `.css`, ...; `licence` for licences and notices."""
        name = PurePosixPath(self.path.rpartition("!")[2])
        suffix = name.suffix.lower()
        in_licences = _LICENCE.search(name.name) or _LICENCE.search(name.parent.name)
        if in_licences and (suffix in _LICENCE_SUFFIXES or not re.fullmatch(r"\.[a-z]+", suffix)):
            return "licence"
        return "readme" if name.name == "METADATA" else suffix

    def read(self) -> str:
        """Its first 100,000 bytes; what isn't UTF-8 is left out."""
        inner = self.path.rpartition("!")
        if inner[1]:
            with _jar(self.location).open(inner[2]) as file:
                data = file.read(_MOST_BYTES)
        else:
            with open(self.location, "rb") as file:  # noqa: PTH123 (a Path for each of thousands is slower)
                data = file.read(_MOST_BYTES)
        return data.decode("utf-8", "ignore").replace("\r\n", "\n")


@cache
def _jar(location: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(location)


@cache
def text_files() -> tuple[TextFile, ...]:
    """All files of the sources by distribution and path, those in jars included, whatever they hold."""
    return tuple(_files())


def _files() -> Iterator[TextFile]:
    for distribution, beginnings in SOURCES.items():
        installed = metadata.distribution(distribution)
        # Its RECORD itself, since `files` looks up each of thousands of them on the disk.
        entries = csv.reader((installed.read_text("RECORD") or "").splitlines())
        hashes = {path.replace("\\", "/"): digest for path, digest, _ in entries if digest}
        for path in sorted(hashes):
            if path.startswith("..") or _LOCAL.search(path) or not path.startswith(beginnings):
                continue
            location = str(installed.locate_file(path))
            # The folder of a distribution's metadata names its build, as in torch-2.13.0+cpu.
            name = re.sub(r"^[^/]+\.dist-info/", f"{distribution}/", path)
            if path.endswith(".jar"):
                inside = sorted(inner for inner in _jar(location).namelist() if not inner.endswith((".class", "/")))
                yield from (TextFile(f"{name}!{inner}", hashes[path], location) for inner in inside)
            else:
                yield TextFile(name, hashes[path], location)


def versions() -> dict[str, str]:
    """The installed version of each source, without the name of its build, and Faker's."""
    return {name: metadata.version(name).partition("+")[0] for name in (*SOURCES, "Faker")}


def provenance(files: Sequence[TextFile]) -> tuple[str, str]:
    """Two lines that say what was read: the packages with their versions, and the files with a digest.

    Args:
        files: The files that were read.

    Returns:
        `accelerate 1.15.0, click 8.5.1, ...` and `5012 files, sha256 0123...`; the digest is over the paths and the
        hashes that the packages' own RECORDs give.
    """
    digest = hashlib.sha256("".join(f"{file.path} {file.hash}\n" for file in files).encode()).hexdigest()
    return ", ".join(
        f"{name} {version}" for name, version in versions().items()
    ), f"{len(files)} files, sha256 {digest}"
