"""The model for names: a real spaCy pipeline and a real, tiny token classifier, both made here. All are invented."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForTokenClassification,
)

from metrics.categories.evidence import LIKELY, Rows
from metrics.categories.ner import NerModelError, load_ner
from metrics.categories.personal_data import find

NAMES = ("Qorvenna", "Thalbrick", "Ysolwen", "Drummelow")
WORDS = ("the", "mill", "saw", "river", "and", "met", "at", "dawn", ".")


def spacy_folder(folder: Path, label: str) -> Path:
    pipeline = spacy.blank("en")
    patterns = [{"label": label, "pattern": name} for name in NAMES] + [{"label": "GPE", "pattern": "Osterby"}]
    pipeline.add_pipe("entity_ruler").add_patterns(patterns)
    pipeline.to_disk(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with one layer that learned, in a few steps, which of its words are names."""
    folder = tmp_path_factory.mktemp("classifier")
    vocabulary = {word: index for index, word in enumerate(("[PAD]", "[UNK]", *WORDS, *NAMES))}
    words = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = BertForTokenClassification(
        BertConfig(vocab_size=len(vocabulary), id2label={0: "O", 1: "B-PER"}, label2id={"O": 0, "B-PER": 1}, **sizes)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    ids = torch.randint(2, len(vocabulary), (32, 8))
    for _ in range(30):
        loss = model(input_ids=ids, labels=(ids >= 2 + len(WORDS)).long()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def names(spans: list, text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize("label", ["PER", "PERSON"])
def test_spacy_pipeline(tmp_path: Path, label: str) -> None:
    find_names = load_ner(str(spacy_folder(tmp_path / label, label)))
    texts = ["In Osterby the mill of Qorvenna stood.", "", "Ysolwen met Drummelow"]
    found = find_names(texts)
    assert [names(spans, text) for spans, text in zip(found, texts, strict=True)] == [
        ["Qorvenna"],
        [],
        ["Ysolwen", "Drummelow"],
    ]
    assert {span.type for spans in found for span in spans} == {"PERSON"}


def test_token_classifier(classifier: Path) -> None:
    find_names = load_ner(str(classifier))
    texts = ["the mill saw Thalbrick at dawn .", "the river and the mill .", "", "Ysolwen met \ud800 Qorvenna at dawn"]
    found = find_names(texts)
    assert [names(spans, text) for spans, text in zip(found, texts, strict=True)] == [
        ["Thalbrick"],
        [],
        [],
        ["Ysolwen", "Qorvenna"],
    ]
    assert find_names([]) == []
    long = "Ysolwen saw " + "the mill " * 2000  # more than the model has positions
    assert names(find_names([long])[0], long) == ["Ysolwen"]


def test_a_model_that_reserves_positions(tmp_path: Path) -> None:
    """RoBERTa's first token has position `pad_token_id + 1`: of 12 positions, 10 tokens get one."""
    vocabulary = {word: index for index, word in enumerate(("[UNK]", "[PAD]", "mill", "Qorvenna"))}
    words = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    labels = {"id2label": {0: "O", 1: "B-PER"}, "label2id": {"O": 0, "B-PER": 1}}
    model = RobertaForTokenClassification(
        RobertaConfig(vocab_size=4, pad_token_id=1, max_position_embeddings=12, **labels, **sizes)
    )
    torch.nn.init.zeros_(model.classifier.weight)
    model.classifier.bias.data = torch.tensor([0.0, 1.0])  # every word is a name
    model.save_pretrained(tmp_path, safe_serialization=True)
    found = load_ner(str(tmp_path))(["mill " * 40])
    assert [(span.start, span.end) for span in found[0]] == [(5 * word, 5 * word + 4) for word in range(10)]


def test_a_model_is_loaded_once(tmp_path: Path) -> None:
    folder = str(spacy_folder(tmp_path, "PERSON"))
    assert load_ner(folder) is load_ner(folder)


def test_names_of_a_model_decide_only_beside_a_way_to_reach_somebody(tmp_path: Path) -> None:
    ner = load_ner(str(spacy_folder(tmp_path, "PERSON")))
    texts = ["Qorvenna met the miller.", "Write to Qorvenna, qv17@gmx.de, please.", "Qorvenna saw 312-482-7719"]
    columns = find(Rows(texts, [-1] * 3, False, {"pii": [True, True, False]}, ner)).columns
    people = [[span for span in spans if span["type"] == "PERSON"] for spans in columns["pii"]]
    assert [len(spans) for spans in people] == [1, 1, 0]  # the third does not pass the prefilter
    assert people[0][0]["score"] < LIKELY <= people[1][0]["score"]
    assert columns["has_pii"] == [False, True, False]


def test_models_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(NerModelError, match="pip install no_such_pipeline"):
        load_ner("no_such_pipeline")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NerModelError, match=r"neither config.cfg .* nor config.json"):
        load_ner(str(tmp_path / "empty"))
    with pytest.raises(NerModelError, match="no label PER or PERSON"):
        load_ner(str(spacy_folder(tmp_path / "cities", "ORG")))
    BertForSequenceClassification(
        BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4)
    ).save_pretrained(tmp_path / "sentiment")
    with pytest.raises(NerModelError, match="no token classifier but BertForSequenceClassification;"):
        load_ner(str(tmp_path / "sentiment"))


def test_the_kind_of_a_model_as_a_string(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": "BertForMaskedLM"}')
    with pytest.raises(NerModelError, match="no token classifier but BertForMaskedLM;"):
        load_ner(str(tmp_path))


@pytest.mark.parametrize("sign", ["a", "/", "é/"])
def test_a_name_that_is_too_long_for_a_file(sign: str) -> None:
    with pytest.raises(NerModelError) as raised:
        load_ner(("mill" + sign) * 1000)
    message = str(raised.value)
    assert "pass --ner-model a folder" in message and "\n" not in message and len(message) < 1000


FILES_OF_NO_MODEL = {
    "nothing in config.json": {"config.json": ""},
    "an empty config.json": {"config.json": "{}"},
    "null": {"config.json": "null"},
    "unknown kind": {"config.json": '{"model_type": "mill", "architectures": ["MillForTokenClassification"]}'},
    "labels in a list": {"config.json": '{"model_type": "bert", "id2label": ["O", "B-PER"]}'},
    "no weights": {
        "config.json": '{"model_type": "bert", "architectures": ["BertForTokenClassification"],'
        ' "id2label": {"0": "O", "1": "B-PER"}}'
    },
    "an empty config.cfg": {"config.cfg": ""},
    "a component nobody knows": {
        "config.cfg": '[nlp]\nlang = "en"\npipeline = ["saw"]\n[components]\n[components.saw]\nfactory = "saw"\n',
        "meta.json": '{"lang": "en", "name": "mill"}',
    },
}


@pytest.mark.parametrize("files", FILES_OF_NO_MODEL.values(), ids=FILES_OF_NO_MODEL)
def test_a_folder_that_holds_no_model(files: dict[str, str], tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(NerModelError) as raised:
        load_ner(str(tmp_path))
    one_line_that_helps(str(raised.value), str(tmp_path))


@pytest.mark.parametrize("name", ["numpy", "json", "__main__", "", "no such", "./no/such", "/no/such/folder", "~/no"])
def test_a_name_of_no_model(name: str) -> None:
    with pytest.raises(NerModelError) as raised:
        load_ner(name)
    one_line_that_helps(str(raised.value), name)


def test_a_module_is_not_run_to_see_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quell_mill.py").write_text("raise SystemExit('was run')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NerModelError, match="'quell_mill' is a Python module, but no spaCy pipeline"):
        load_ner("quell_mill")


def test_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As spaCy's own command lays it out: the pipeline in a folder with its version, beside what loads it."""
    package = tmp_path / "en_mill_names"
    package.mkdir()
    spacy_folder(package / "en_mill_names-1.0", "PERSON")
    (package / "meta.json").write_text('{"lang": "en", "name": "mill_names", "version": "1.0"}')
    (package / "__init__.py").write_text(
        "from pathlib import Path\nfrom spacy.util import load_model_from_init_py\n__version__ = '1.0'\n"
        "def load(**overrides):\n    return load_model_from_init_py(__file__, **overrides)\n"
    )
    dist = tmp_path / "en_mill_names-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: en_mill_names\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = "In Osterby Ysolwen stood."
    assert names(load_ner("en_mill_names")([text])[0], text) == ["Ysolwen"]


def one_line_that_helps(message: str, name: str) -> None:
    assert message.startswith(repr(name)) and "pass --ner-model a folder" in message and "\n" not in message


def test_pickled_weights_are_refused(classifier: Path, tmp_path: Path) -> None:
    for file in classifier.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(NerModelError, match="safetensors"):
        load_ner(str(tmp_path))
