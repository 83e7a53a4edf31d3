"""People's names by a model of the user's: a spaCy pipeline or a Hugging Face token classifier.

The patterns in `names.py` find names where mails and records put them; a model also finds them in prose. There a name
is a mention and no leak, so its findings score like those of the gazetteer, 0.45: they are masked, and decide only
beside a way to reach the person. It runs only on rows that pass the prefilter.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from metrics.categories.evidence import Span

if TYPE_CHECKING:
    import torch

Ner = Callable[[Sequence[str]], list[list[Span]]]

_PERSON = frozenset(("PER", "PERSON"))
_SCORE = 0.45
_BATCH = 32
_LONGEST = 100_000  # characters; spaCy refuses a million
_SAID = 200  # characters of what a loader said
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_EXPECTED = (
    "pass --ner-model a folder that nlp.to_disk (spaCy) or save_pretrained (Hugging Face) wrote, the name of an "
    "installed spaCy package, or ORGANISATION/NAME of a token classifier on the Hugging Face hub."
)


class NerModelError(ValueError):
    """A model for names that can't be used; the message, one line, says what is wrong with it and what to type."""


def _unusable(name: str, found: str, cause: BaseException | None = None) -> NerModelError:
    """What is wrong with the model, what its loader said of that, and what would do."""
    said = " ".join(str(cause).split())[:_SAID] if cause else ""
    return NerModelError(f"{name!r} {found}{f' ({said})' if said else ''}; {_EXPECTED}")


@cache
def load_ner(name: str) -> Ner:
    """Loads a model once in each process.

    Args:
        name: A folder with a saved spaCy pipeline (`config.cfg`) or a Hugging Face model (`config.json`), the name of
            an installed spaCy package, or a model of the Hugging Face hub.

    Returns:
        A function that takes N texts and returns N lists of spans of type `PERSON`.

    Raises:
        NerModelError: There is no such model, it finds no persons, or its files are not safetensors.
    """
    folder = Path(name)
    try:
        is_pipeline, is_folder, is_file = (folder / "config.cfg").is_file(), folder.is_dir(), folder.is_file()
    except OSError as error:  # a name too long for a file, a folder that nobody may look into
        raise _unusable(name[:_SAID], f"can't be looked up ({error.strerror})") from error
    if name and is_pipeline:
        return _spacy(name)
    if name and is_folder:
        if not (folder / "config.json").is_file():
            raise _unusable(name, "holds neither config.cfg (a spaCy pipeline) nor config.json (a Hugging Face model)")
        return _hugging_face(name)
    if is_file:
        raise _unusable(name, "is a file, not a folder")
    if name.isidentifier():
        return _spacy_package(name)
    if not _HUB_ID.fullmatch(name):
        raise _unusable(name, "is no folder that exists, no spaCy package and no name on the Hugging Face hub")
    return _hugging_face(name)


def _spacy_package(name: str) -> Ner:
    """An installed package, told by its `meta.json`: importing any module to see what it is would run it."""
    try:
        found = importlib.util.find_spec(name)
    except ValueError:  # `__main__` has no specification
        found = None
    if found is None:
        raise _unusable(name, f"is no folder and no installed package. A spaCy pipeline: `pip install {name}`")
    if not any((Path(place) / "meta.json").is_file() for place in found.submodule_search_locations or ()):
        raise _unusable(name, "is a Python module, but no spaCy pipeline")
    return _spacy(name)


def _spacy(name: str) -> Ner:
    try:
        import spacy
    except ImportError as error:
        raise NerModelError(f"{name} is a spaCy pipeline, and spaCy is missing: type `pip install spacy`.") from error
    try:
        pipeline = spacy.load(name)
    except Exception as error:  # a broken folder or package makes spaCy raise almost anything
        raise _unusable(name, "is no pipeline that spaCy can load", error) from error
    if not _PERSON & {label for names in pipeline.pipe_labels.values() for label in names}:
        raise _unusable(name, "is a spaCy pipeline that knows no label PER or PERSON, so it can't find names")

    def find(texts: Sequence[str]) -> list[list[Span]]:
        return [
            [
                Span("PERSON", entity.start_char, entity.end_char, _SCORE, "name by the spaCy model")
                for entity in document.ents
                if entity.label_ in _PERSON
            ]
            for document in pipeline.pipe([_plain(text) for text in texts], batch_size=_BATCH)
        ]

    return find


def _hugging_face(name: str) -> Ner:
    from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, pipeline

    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        named = config.architectures or ()
        kinds = [named] if isinstance(named, str) else [str(kind) for kind in named]
        labels = {str(label).rpartition("-")[2].upper() for label in config.id2label.values()}
    except Exception as error:  # an odd config.json makes transformers raise almost anything
        raise _unusable(name, "is no Hugging Face model that can be loaded", error) from error
    if not any(kind.endswith("ForTokenClassification") for kind in kinds):
        raise _unusable(name, f"is no token classifier but {', '.join(kinds) or 'of unknown kind'}")
    if not _PERSON & labels:
        raise _unusable(name, f"knows no label PER or PERSON but {', '.join(sorted(labels))}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model = AutoModelForTokenClassification.from_pretrained(name, trust_remote_code=False, use_safetensors=True)
    except Exception as error:  # files that are missing, cut, or of another model
        raise _unusable(name, "has no tokenizer and weights (safetensors) that can be loaded", error) from error
    model.eval()
    # Longer texts are read as far as the model's positions go.
    positions = getattr(config, "max_position_embeddings", 512) - _reserved_positions(model)
    tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    classify = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")

    def find(texts: Sequence[str]) -> list[list[Span]]:
        found: list[list[Span]] = [[] for _ in texts]
        rows = [row for row, text in enumerate(texts) if text.strip()]  # no tokens, no batch
        answers = classify([_plain(texts[row]) for row in rows], batch_size=_BATCH) if rows else []
        for row, hits in zip(rows, answers, strict=True):
            found[row] = [
                Span("PERSON", int(hit["start"]), int(hit["end"]), _SCORE, "name by the token classifier")
                for hit in hits
                if str(hit["entity_group"]).upper() in _PERSON and hit["end"] > hit["start"]
            ]
        return found

    return find


def _reserved_positions(model: torch.nn.Module) -> int:
    """How many positions no token gets: RoBERTa and its kin count on from behind the one of padding."""
    paddings = [
        module.padding_idx
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]
    return max(paddings) + 1 if paddings else 0


def _plain(text: str) -> str:
    """As much of the text as a model is given, lone surrogates replaced since tokenizers take none; offsets stay."""
    text = text[:_LONGEST]
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
