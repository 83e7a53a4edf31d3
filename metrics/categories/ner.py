"""People's names by a model of the user's: a spaCy pipeline or a Hugging Face token classifier.

The patterns in `names.py` find names where mails and records put them; a model also finds them in prose. There a name
is a mention and no leak, so its findings score like those of the gazetteer, 0.45: they are masked, and decide only
beside a way to reach the person. It runs only on rows that pass the prefilter.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from metrics.categories.evidence import Span

Ner = Callable[[Sequence[str]], list[list[Span]]]

_PERSON = frozenset(("PER", "PERSON"))
_SCORE = 0.45
_BATCH = 32
_LONGEST = 100_000  # characters; spaCy refuses a million


class NerModelError(ValueError):
    """A model for names that can't be used; the message says what to type."""


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
    if (folder / "config.cfg").is_file():
        return _spacy(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise NerModelError(
                f"{name} holds neither config.cfg (a spaCy pipeline) nor config.json (a Hugging Face model); "
                "pass --ner-model a folder that nlp.to_disk or save_pretrained wrote."
            )
        return _hugging_face(name)
    if name.isidentifier() and importlib.util.find_spec(name):
        return _spacy(name)
    if "/" not in name:
        raise NerModelError(
            f"no spaCy package and no folder is named {name}. Install the package with `pip install {name}`, or pass "
            "--ner-model a folder, or the ORGANISATION/NAME of a token classifier on the Hugging Face hub."
        )
    return _hugging_face(name)


def _spacy(name: str) -> Ner:
    try:
        import spacy
    except ImportError as error:
        raise NerModelError(f"{name} is a spaCy pipeline, and spaCy is missing: type `pip install spacy`.") from error
    try:
        pipeline = spacy.load(name)
    except (OSError, ValueError, ImportError) as error:
        raise NerModelError(f"spaCy cannot load {name}: {error}") from error
    if not _PERSON & {label for names in pipeline.pipe_labels.values() for label in names}:
        raise NerModelError(f"the spaCy pipeline {name} knows no label PER or PERSON, so it can't find names.")

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
        if not any(architecture.endswith("ForTokenClassification") for architecture in config.architectures or ()):
            raise NerModelError(
                f"{name} is no token classifier but {', '.join(config.architectures or ['of unknown kind'])}; "
                "pass --ner-model a model for named entities."
            )
        labels = {str(label).rpartition("-")[2].upper() for label in config.id2label.values()}
        if not _PERSON & labels:
            raise NerModelError(f"{name} knows no label PER or PERSON but {', '.join(sorted(labels))}.")
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model = AutoModelForTokenClassification.from_pretrained(name, trust_remote_code=False, use_safetensors=True)
    except (OSError, ImportError) as error:
        raise NerModelError(
            f"cannot load {name} as a token classifier: {error} Expected a folder written by save_pretrained, or a "
            "name on the Hugging Face hub; weights must be safetensors."
        ) from error
    model.eval()
    # Longer texts are read as far as the model's positions go.
    tokenizer.model_max_length = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", 512))
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


def _plain(text: str) -> str:
    """As much of the text as a model is given, lone surrogates replaced since tokenizers take none; offsets stay."""
    text = text[:_LONGEST]
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
