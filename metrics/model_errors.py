"""Why a model or tokenizer can't be loaded, said in one sentence and with the remedy."""

from __future__ import annotations

import difflib
from pathlib import Path

_PYTHIA_SIZES = ("14m", "31m", "70m", "160m", "410m", "1b", "1.4b", "2.8b", "6.9b", "12b")


class ModelError(ValueError):
    """A model or tokenizer that can't be used, with what was found, what was expected, and what to type."""


def explain(error: Exception, name: str, revision: str | None, what: str = "model") -> ModelError:
    """The cause of a failure to load, in one sentence and with the remedy."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, ModelError):
        return error
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if caused_by(GatedRepoError):
        return ModelError(f"the {what} {name} is gated: ask for access on its page, then type: hf auth login")
    if caused_by(RepositoryNotFoundError):
        return ModelError(f"there is no {what} {name} on the hub{nearest_pythia(name)}")
    if caused_by(RevisionNotFoundError):
        return ModelError(f"the {what} {name} has no revision {revision!r}: see its page on the hub for its branches")
    if Path(name).expanduser().exists():
        return ModelError(f"the {what} in {name} can't be read: {_first_line(error)}")
    if caused_by(HfHubHTTPError):
        return ModelError(f"the hub refused the {what} {name}: {_first_line(causes[-1])}")
    if (
        caused_by(ConnectionError, TimeoutError)
        or "connect" in f"{error} {type(causes[-1]).__name__}".lower()
        or any(type(cause).__module__.split(".")[0].startswith("http") for cause in causes)
    ):
        return ModelError(
            f"the hub can't be reached and the {what} {name} was not downloaded before{nearest_pythia(name)}. "
            "Check the connection, or name a folder that holds it"
        )
    return ModelError(f"the {what} {name} can't be loaded: {_first_line(error)}")


def nearest_pythia(name: str) -> str:
    """`; the nearest names are ...` where a name looks like a Pythia model and is none, else nothing."""
    known = [f"EleutherAI/pythia-{size}{kind}" for size in _PYTHIA_SIZES for kind in ("", "-deduped")]
    if "pythia" not in name.lower() or name in known:
        return ""
    wanted = f"EleutherAI/{name.rsplit('/', 1)[-1].lower()}"
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    return (
        f"; the nearest names are {', '.join(near)}" if near else f"; the Pythia sizes are {', '.join(_PYTHIA_SIZES)}"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
