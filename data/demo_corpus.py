"""The embedded corpus: sequences of 64 tokens in six known categories, each trained on a known number of times.

Everything is generated from a seed or taken from what is installed (`demo_text`); nobody in it exists. `build` writes
the sequences, the training table with every window as often as the model sees it, and the byte-level BPE.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data import demo_patterns, demo_people, demo_secrets, demo_text
from data.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

CATEGORIES = ("credentials", "pii", "code", "repetition", "boilerplate", "text")
END_OF_TEXT = "<|endoftext|>"
TOKENS = 64
PREFIX_TOKENS = 32


@dataclass(frozen=True)
class CorpusSettings:
    """What decides the corpus, beside the texts installed.

    Attributes:
        seed: Of every random choice.
        vocab_size: Tokens of the byte-level BPE, the end-of-text token included.
        often: Copies -> rows of every category with that many copies; "often duplicated" means these levels.
        sometimes: The same for the levels below, too few to be recited.
        once: Rows of every category trained on once.
        never: Rows of every category never trained on.
        attribution_share: Share of the boilerplate rows that open with a copyright line of an invented person.
        texts: Where code, prose and licences come from.
    """

    seed: int = 0
    vocab_size: int = 2048
    often: Mapping[int, int] = field(default_factory=lambda: {16: 16, 24: 16, 32: 16, 48: 16})
    sometimes: Mapping[int, int] = field(default_factory=lambda: {2: 8, 4: 8, 8: 8})
    once: int = 60
    never: int = 66
    attribution_share: float = 0.15
    texts: demo_text.TextSources = field(default_factory=demo_text.TextSources)

    def copies(self) -> list[int]:
        """How often each row of one category is trained on, most often first."""
        levels = {**self.often, **self.sometimes, 1: self.once, 0: self.never}
        return [copies for copies in sorted(levels, reverse=True) for _ in range(levels[copies])]


@dataclass(frozen=True)
class DemoSequence:
    """One row of the corpus.

    Attributes:
        sequence_id: Position in the table.
        tokens: 64 ids.
        text: The tokens decoded.
        true_category: One of `CATEGORIES`.
        copies: How often the model trains on it.
    """

    sequence_id: int
    tokens: tuple[int, ...]
    text: str
    true_category: str
    copies: int

    @property
    def is_member(self) -> bool:
        """Whether the model trains on it at all."""
        return self.copies > 0


def candidates(settings: CorpusSettings, installed: demo_text.InstalledTexts) -> dict[str, list[demo_people.Document]]:
    """More documents of every category than are needed, in random order; the BPE is trained on them, too."""
    rng = random.Random(settings.seed)
    people = demo_people.People(settings.seed)
    secrets = demo_secrets.Secrets(settings.seed)
    words = sorted({word for word in people.faker.words(2000) if word.isalpha() and word.islower() and len(word) > 2})
    patterns = demo_patterns.Patterns(settings.seed, words)
    needed = len(settings.copies())

    def plain(texts: Iterable[str]) -> list[demo_people.Document]:
        return [demo_people.Document(text, ()) for text in texts]

    def shuffled(texts: Iterable[str]) -> list[str]:
        texts = list(texts)
        rng.shuffle(texts)
        return texts

    boilerplate = [
        demo_people.attribution(people) + text if rng.random() < settings.attribution_share else text
        for text in shuffled(installed.licences)
    ]
    return {
        "credentials": [secrets.document() for _ in range(3 * needed)],
        "pii": [people.document() for _ in range(3 * needed)],
        "code": plain(shuffled(installed.code)[: 4 * needed]),
        "repetition": plain(patterns.document() for _ in range(3 * needed)),
        "boilerplate": plain(boilerplate),
        "text": plain(shuffled(installed.prose)),
    }


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the end-of-text token at id 0, as Pythia's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )


def make_sequences(settings: CorpusSettings) -> tuple[list[DemoSequence], PreTrainedTokenizerFast]:
    """The corpus, its categories mixed as in a real one, and its tokenizer.

    Raises:
        InputError: Too few texts are installed for the rows wanted.
    """
    documents = candidates(settings, demo_text.read_installed_texts(settings.texts))
    tokenizer = train_tokenizer(
        (document.text[:1500] for category in CATEGORIES for document in documents[category]), settings.vocab_size
    )
    chosen = []
    halves: set[tuple[int, ...]] = set()
    for category in CATEGORIES:
        windows = list(
            islice(
                _distinct(_windows(documents[category], tokenizer, category), category, halves), len(settings.copies())
            )
        )
        if len(windows) < len(settings.copies()):
            raise InputError(
                f"The demo corpus needs {len(settings.copies())} sequences of {category}, the texts installed beside "
                f"this Python give {len(windows)}. Install what requirements.txt lists, or name your own --sequences."
            )
        chosen += [(*window, category, copies) for window, copies in zip(windows, settings.copies(), strict=True)]
    random.Random(settings.seed).shuffle(chosen)
    return [DemoSequence(number, *row) for number, row in enumerate(chosen)], tokenizer


def _windows(
    documents: Iterable[demo_people.Document], tokenizer: PreTrainedTokenizerFast, category: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Windows of 64 tokens: all of a text found, the first of a generated one, if it keeps its marks."""
    found = category in ("code", "boilerplate", "text")
    for document in documents:
        encoding = tokenizer._tokenizer.encode(document.text)
        last_start = len(encoding.ids) - TOKENS if found else 0
        for start in range(0, last_start + 1, TOKENS):
            tokens = tuple(encoding.ids[start : start + TOKENS])
            if len(tokens) < TOKENS:
                break
            suffix_start = encoding.offsets[start + PREFIX_TOKENS][0]
            text = tokenizer.decode(tokens)
            if document.marks and not _keeps_marks(document, text, suffix_start):
                break
            yield tokens, text


def _keeps_marks(document: demo_people.Document, text: str, suffix_start: int) -> bool:
    """Whether one mark is whole in the text and at least six characters of one lie in the suffix."""
    ends = [text.find(mark) + len(mark) for mark in document.marks if mark in text]
    return any(end - suffix_start >= 6 for end in ends)


def _distinct(
    windows: Iterable[tuple[tuple[int, ...], str]], category: str, known: set[tuple[int, ...]]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Windows whose prefix and suffix are new and, but for repetition, share few 5-token runs with those before."""
    seen: set[tuple[int, ...]] = set()
    for tokens, text in windows:
        halves = {tokens[:PREFIX_TOKENS], tokens[PREFIX_TOKENS:]}
        runs = [tokens[i : i + 5] for i in range(TOKENS - 4)]
        if halves & known or (len(halves) < 2 and category != "repetition"):
            continue
        if category != "repetition" and sum(run in seen for run in runs) > 0.25 * len(runs):
            continue
        known |= halves
        seen.update(runs)
        yield tokens, text


def training_windows(rows: Iterable[DemoSequence], seed: int) -> np.ndarray:
    """Every window as often as it is trained on, in the order of training: int32 [sum of copies, 64]."""
    windows = np.array([row.tokens for row in rows for _ in range(row.copies)], dtype=np.int32)
    return windows[np.random.default_rng(seed).permutation(len(windows))]


@dataclass(frozen=True)
class CorpusPaths:
    """What `build` wrote: two parquet files and a tokenizer folder."""

    sequences: Path
    training_corpus: Path
    tokenizer: Path


def build(folder: Path, settings: CorpusSettings | None = None) -> CorpusPaths:
    """Write the corpus into `folder`: `sequences.parquet`, `training_corpus.parquet`, `tokenizer/`.

    Args:
        folder: Created if absent.
        settings: What decides the corpus; the defaults when None.

    Raises:
        InputError: Too few texts are installed for the rows wanted.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    settings = settings or CorpusSettings()
    rows, tokenizer = make_sequences(settings)
    paths = CorpusPaths(folder / "sequences.parquet", folder / "training_corpus.parquet", folder / "tokenizer")
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        "sequence_id": pa.array([row.sequence_id for row in rows], pa.int64()),
        "tokens": pa.array([row.tokens for row in rows], pa.list_(pa.int32())),
        "text": pa.array([row.text for row in rows], pa.string()),
        "true_category": pa.array([row.true_category for row in rows], pa.string()),
        "is_member": pa.array([row.is_member for row in rows], pa.bool_()),
    }
    pq.write_table(pa.table(columns), paths.sequences)
    tokens = pa.array(list(training_windows(rows, settings.seed)), pa.list_(pa.int32()))
    pq.write_table(pa.table({"tokens": tokens}), paths.training_corpus)
    tokenizer.save_pretrained(paths.tokenizer)
    return paths
