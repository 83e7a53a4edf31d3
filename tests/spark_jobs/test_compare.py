"""Before and after: each figure against hand-computed ones on small tables, and against the metrics on a tiny model."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pyspark.sql import functions as F
from tokenizers import Tokenizer, decoders
from tokenizers.models import WordLevel
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from data.errors import InputError
from metrics import metric_columns
from metrics.diversity import distinct_n
from metrics.extraction import memorization_accuracy, memorization_score, sequence_logprob, tries_needed
from metrics.forward_pass import score
from metrics.loading import describe_model
from metrics.token_scores import FIELD_LEVELS, ScoreLevel
from spark_jobs.compare import compare
from spark_jobs.plan import TABLE_STAGES
from spark_jobs.schemas import TABLES, arrow_schema

VOCAB = 48
MAIL, NAME = 7, 8
WORDS = {f"word{i} ": i for i in range(VOCAB) if i not in (MAIL, NAME)} | {
    "m.thistlewood@harrowgate-mills.co.uk ": MAIL,
    "Thistlewood ": NAME,
}


class Shown:
    """Progress that only makes sure that nothing beyond the whole is ever done."""

    @contextmanager
    def stage(self, name: str, description: str, total_rows: int | None) -> Iterator[Shown]:
        """A stage."""
        self.total = total_rows
        yield self

    def update(self, done_rows: int) -> None:
        """Rows done so far."""
        assert 0 <= done_rows <= self.total

    def skipped(self, name: str, why: str) -> None:
        """Nothing to do."""


@dataclass
class Tiny:
    """Two models of one shape, the second a disturbed copy of the first."""

    folders: dict[str, Path]
    models: dict[str, GPTNeoXForCausalLM]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    config = GPTNeoXConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.6,
        bos_token_id=0,
        eos_token_id=0,
    )
    before = GPTNeoXForCausalLM(config).eval()
    after = GPTNeoXForCausalLM(config).eval()
    after.load_state_dict(before.state_dict())
    with torch.no_grad():
        after.get_output_embeddings().weight[: VOCAB // 3] += 0.8 * torch.randn(VOCAB // 3, 16)
    words = Tokenizer(WordLevel(WORDS, unk_token="word0 "))
    words.decoder = decoders.Fuse()
    models, folders = {"before": before, "after": after}, {}
    for name, model in models.items():
        folders[name] = tmp_path_factory.mktemp(name) / "model"
        model.save_pretrained(folders[name])
        PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folders[name])
    return Tiny(folders, models)


def write_run(
    folder: Path,
    model: Path,
    tokens: np.ndarray,
    prefix_tokens: int,
    metrics: Mapping[str, Any],
    labels: Mapping[str, Any],
    scores: Mapping[str, Any],
    ids: np.ndarray | None = None,
    level: str = "full",
) -> Path:
    """A run folder as the pipeline leaves it, as far as the comparison reads it."""
    ids = np.arange(len(tokens)) if ids is None else ids
    text = ["".join(list(WORDS)[list(WORDS.values()).index(token)] for token in row) for row in tokens.tolist()]
    nothing = [[] for _ in ids]
    tables = {
        "sequences": {"tokens": tokens.tolist(), "text": text},
        "metrics": metrics,
        "labels": {"pii": nothing, "credentials": nothing} | dict(labels),
        "scores": scores,
    }
    for name, columns in tables.items():
        types = {field.name: field.type for field in arrow_schema(TABLES[name])}
        arrays = {"sequence_id": pa.array(ids, pa.int64())}
        for column, values in columns.items():
            values = values.tolist() if isinstance(values, np.ndarray) and values.ndim == 2 else values
            arrays[column] = pa.array(values, types[column], from_pandas=True)
        (folder / f"{name}.parquet").mkdir(parents=True)
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet" / "part-0.parquet")
    settings = {
        "model": str(model),
        "revision": None,
        "model fingerprint": describe_model(str(model)).fingerprint,
        "tokenizer": str(model),
        "tokenizer revision": None,
        "prefix_tokens": prefix_tokens,
        "suffix_tokens": tokens.shape[1] - prefix_tokens,
        "seed": 0,
        "scores": level,
        "dtype": "float32",
    }
    stages = {name: {"settings": settings} for name in TABLE_STAGES}
    config = {"device": "cpu", "batch_size": None}
    state = {"format": 1, "stages": stages, "config": config, "rows": {"sampled": len(tokens)}}
    (folder / "run.json").write_text(json.dumps(state))
    return folder


def write_split(path: Path, splits: list[str], ids: np.ndarray | None = None) -> Path:
    ids = np.arange(len(splits)) if ids is None else ids
    pq.write_table(pa.table({"sequence_id": pa.array(ids, pa.int64()), "split": splits}), path)
    return path


def nll_under(model: GPTNeoXForCausalLM, tokens: np.ndarray, last: int) -> np.ndarray:
    """float64 [N]: mean negative log-likelihood of the last tokens, straight from the model's logits."""
    ids = torch.from_numpy(np.asarray(tokens)).long()
    with torch.no_grad():
        logprob = model(ids).logits[:, :-1].double().log_softmax(-1)
    return -logprob.gather(2, ids[:, 1:, None])[:, -last:, 0].mean(1).numpy()


# --- by hand: P = 4, S = 4, eight rows -------------------------------------------------------------------------------

HAND_SPLITS = ["forget", "forget", "forget", "held_out", "retain", "other_benign", "never_seen", "never_seen"]
HAND_CATEGORIES = ["pii", "pii", "pii", "pii", "code", "text", "text", "code"]
EXTRACTABLE = {"before": [1, 1, 1, 1, 1, 0, 0, 0], "after": [1, 0, 0, 0, 1, 0, 0, 0]}


def hand_run(folder: Path, tiny: Tiny, model: str, level: str = "full", **changes: Any) -> Path:
    """The run of one of the models; nothing in it comes from the model itself."""
    tokens = np.array([[10 + row, 11, 12, 13, 5, 6, 5, 6] for row in range(8)])
    tokens[1, 4:] = 20, 21, 22, 23
    tokens[0, 2], tokens[0, 3] = MAIL, NAME
    extractable = np.array(EXTRACTABLE[model], bool)
    greedy = np.where(extractable[:, None], tokens[:, 4:], [[5, 6, 7, 7]])
    if model == "after":
        greedy[2] = 5, 6, 5, 9
    before = model == "before"
    rank = np.zeros((8, 7), int)
    rank[~extractable, 6] = 2  # the last token is not the greedy choice ...
    if not before:
        rank[1, 6], rank[1, 4] = 0, 3  # ... but here it is the second of the suffix, before the deeper prefix ends
    logprob = np.full((8, 7), -0.25 if before else -1.0)
    logprob[6] = -2.0 if before else -2.5
    log_p_z = np.where(extractable, -1.0, -50.0)
    log_p_z[2] = -1.0 if before else -900.0
    full = {
        "log_p_z": log_p_z,
        "n_p50": tries_needed(log_p_z, 0.5),
        "memorization_score": [1, 1, 1, 1, 1, 0.5, 0, 0] if before else [1, 0.5, 0.75, 0, 1, 0.5, 0, 0],
        "memorization_accuracy": [1.0] * 8 if before else [1, 0.9, 0.8, 0.7, 1, 0.5, 0, 0],
        "el_10": [0.9] * 8 if before else [0.9, 0.3, 0.0, 0.1, 0.9, 0.0, 0.0, 0.0],
        "n_sacrebleu": [0.0] * 8 if before else [0, 50, 100, 80, 0, 60, 90, 90],
    }
    known = {column.name for column in metric_columns(ScoreLevel.of(level))} & full.keys()
    scores = {"rank": rank, "logprob": logprob, "greedy_tokens": greedy}
    labels = {
        "category": HAND_CATEGORIES if before else ["text"] * 8,
        "is_harmful": [c == "pii" for c in HAND_CATEGORIES],
    }
    arguments = {
        "folder": folder,
        "model": tiny.folders[model],
        "tokens": tokens,
        "prefix_tokens": 4,
        "metrics": {"extractable": extractable} | {name: full[name] for name in known},
        "labels": labels,
        "scores": {name: values for name, values in scores.items() if FIELD_LEVELS[name] <= ScoreLevel.of(level)},
        "level": level,
    }
    return write_run(**arguments | changes)


@pytest.fixture(scope="module")
def by_hand(spark: Any, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("hand")
    before, after = hand_run(folder / "before", tiny, "before"), hand_run(folder / "after", tiny, "after")
    split = write_split(folder / "split.parquet", HAND_SPLITS)
    return compare(spark, before, {"after": after}, split, show_text=False, seed=0, progress=Shown())


def entry(result: Mapping[str, Any], split: str) -> dict[str, Any]:
    return next(entry for entry in result["splits"] if entry["split"] == split)


def test_what_is_compared(by_hand: dict[str, Any]) -> None:
    assert [by_hand[f"{part}_tokens"] for part in ("prefix", "suffix", "deep_prefix")] == [4, 4, 6]
    assert by_hand["models"] == ["before", "after"]
    assert [(e["split"], e["title"], e["rows"]) for e in by_hand["splits"]] == [
        ("forget", "forget set", 3),
        ("held_out", "held out of the same category", 1),
        ("retain", "retain set", 1),
        ("other_benign", "other benign rows", 1),
        ("never_seen", "never seen in training", 2),
    ]
    # Categories are those of the run before, in the order of precedence, then by split.
    assert [(e["category"], e["harmful"], e["split"], e["rows"]) for e in by_hand["categories_by_split"]] == [
        ("pii", True, "forget", 3),
        ("pii", True, "held_out", 1),
        ("code", False, "retain", 1),
        ("code", False, "never_seen", 1),
        ("text", False, "other_benign", 1),
        ("text", False, "never_seen", 1),
    ]
    assert by_hand["warnings"] == []
    json.dumps(by_hand, allow_nan=False)


def test_figures_of_the_forget_set(by_hand: dict[str, Any], tiny: Tiny) -> None:
    after = entry(by_hand, "forget")["by"]["after"]
    # The first row gives the suffix, which the run before found at 0.25 nats a token; the others are asked about.
    said = np.array([[11, 11, 12, 13, 5, 6, 7, 7], [12, 11, 12, 13, 5, 6, 5, 9]])
    nll = [0.25, *nll_under(tiny.models["before"], said, 4)]
    expected = {
        "rows": 3,
        "extractable": 1,
        "share": 1 / 3,
        "low": 0.06149,
        "high": 0.79235,
        "was_extractable": 3,
        "kept": 1 / 3,
        "kept_low": 0.06149,
        "kept_high": 0.79235,
        "deep_extractable": 2,
        "deep_share": 2 / 3,
        "deep_low": 0.20765,
        "deep_high": 0.93851,
        "log_p_z": -50.0,
        "log_p_z_mean": (-1 - 50 - 900) / 3,
        "log_tries_p50": 50 + math.log(math.log(2)),  # of ln 2, this, and 900 + ln ln 2, where the number is infinite
        "memorization_score": (1 + 0.5 + 0.75) / 3,
        "memorization_accuracy": 0.9,
        "el_10": 0.4,
        "el_10_rows": 3,
        "n_sacrebleu": 50.0,
        "distinct_1": 4 / 12,  # 5 6 5 6, 5 6 7 7, 5 6 5 9: 5 6 7 9
        "distinct_2": 5 / 9,  # 56 65 67 77 59
        "distinct_3": 5 / 6,  # 565 656 567 677 659
        "fluency": math.exp(np.mean(nll)),
    }
    assert list(after) == list(expected)
    for name, value in expected.items():
        assert after[name] == pytest.approx(value, rel=1e-4), name
    before = entry(by_hand, "forget")["by"]["before"]
    assert (before["extractable"], before["kept"], before["deep_share"]) == (3, 1.0, 1.0)
    assert before["fluency"] == pytest.approx(math.exp(0.25))
    assert before["log_tries_p50"] == pytest.approx(math.log(2))  # p = 1/e: two tries


def test_nothing_is_kept_of_nothing(by_hand: dict[str, Any]) -> None:
    never = entry(by_hand, "never_seen")["by"]["after"]
    assert (never["was_extractable"], never["kept"], never["kept_low"], never["kept_high"]) == (0, None, None, None)
    assert (never["extractable"], never["share"], never["low"]) == (0, 0.0, 0.0)


def test_overall_is_over_all_rows(by_hand: dict[str, Any]) -> None:
    overall = by_hand["overall"]
    assert overall["rows"] == 8
    before, after = overall["by"]["before"], overall["by"]["after"]
    assert (before["extractable"], after["extractable"]) == (5, 2)
    assert (after["was_extractable"], after["kept"]) == (5, pytest.approx(2 / 5))
    assert after["el_10"] == pytest.approx(2.2 / 8)
    assert after["log_p_z"] == -50.0  # -1 twice, -50 five times, -900


def test_held_out_text_is_text_that_was_never_seen(by_hand: dict[str, Any]) -> None:
    text = by_hand["held_out_text"]
    assert "never trained on" in text["what"]
    assert (text["rows"], text["tokens"]) == (1, 7)
    assert text["perplexity"] == pytest.approx({"before": math.exp(2.0), "after": math.exp(2.5)})


def test_examples_hold_no_personal_data(by_hand: dict[str, Any]) -> None:
    shown = by_hand["examples"]
    assert [(e["split"], e["sequence_id"]) for e in shown][3:] == [
        ("held_out", 3),
        ("retain", 4),
        ("other_benign", 5),
    ]
    assert {e["sequence_id"] for e in shown[:3]} == {0, 1, 2}
    first = next(e for e in shown if e["sequence_id"] == 0)
    assert (first["category"], first["harmful"], first["masked"]) == ("pii", True, True)
    assert first["before"] == first["after"] == first["suffix"]
    other = next(e for e in shown if e["sequence_id"] == 2)
    assert other["before"] == other["suffix"] != other["after"]
    for row, shown_row in ((row, e) for row in range(8) for e in shown if e["sequence_id"] == row):
        assert shown_row["extractable"] == {model: bool(EXTRACTABLE[model][row]) for model in EXTRACTABLE}
    # The model makes up an address in rows 1 and 3 to 5 (token 7).
    assert "thistlewood" not in json.dumps(by_hand).lower()
    assert next(e for e in shown if e["sequence_id"] == 1)["after"].count("<EMAIL>") == 2


@pytest.mark.parametrize("level", ["extractable", "memorization", "likelihood"])
def test_less_than_full_scores(spark: Any, tiny: Tiny, tmp_path: Path, level: str) -> None:
    """Labels are compared, no row is known never to have been trained on, and there is a control beside them."""
    before = hand_run(tmp_path / "before", tiny, "before", level)
    after = hand_run(tmp_path / "after", tiny, "after", level)
    control = hand_run(tmp_path / "constant", tiny, "before", level)
    split = write_split(tmp_path / "split.parquet", HAND_SPLITS[:6] + ["other_benign"] * 2)
    runs = {"after": after, "constant": control}
    result = compare(spark, before, runs, split, show_text=True, seed=0, progress=Shown())
    assert result["models"] == ["before", "after", "constant"]
    figures = entry(result, "forget")["by"]
    assert [figures[model]["kept"] for model in result["models"]] == [1, pytest.approx(1 / 3), 1]
    known = {"rows", "extractable", "share", "low", "high", "was_extractable", "kept", "kept_low", "kept_high"}
    assert {name for name, value in figures["after"].items() if value is None} == set(figures["after"]) - known - {
        "el_10_rows"
    }
    assert figures["after"]["el_10_rows"] == 0
    assert result["held_out_text"] is None
    assert f"(before: {level}, after: {level}, constant: {level})" in result["warnings"][0]
    first = next(e for e in result["examples"] if e["sequence_id"] == 0)
    assert first["prefix"] == "word10 word11 m.thistlewood@harrowgate-mills.co.uk Thistlewood "  # asked for
    assert not first["masked"]
    assert first["constant"] == first["suffix"] == "word5 word6 word5 word6 "
    said = next(e for e in result["examples"] if e["sequence_id"] == 1)["after"]
    assert said == (None if level == "extractable" else "word5 word6 " + 2 * "m.thistlewood@harrowgate-mills.co.uk ")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("tokens", r"after \(after\) has other ids or tokens"),
        ("rows", r"after \(after\) has 7 rows and not 8"),
        ("prefix", "--prefix-tokens 4"),
        ("unfinished", "after is no finished run .not done: label"),
        ("no run", "after is no finished run .there is no run.json"),
        ("split", "1 of the run's rows in none, 2 rows that the run doesn't have, 1 rows in unknown splits"),
        ("twice", "1 rows more than once"),
        ("weights", "not those that .*before measured"),
    ],
)
def test_what_does_not_fit_is_refused(spark: Any, tiny: Tiny, tmp_path: Path, what: str, message: str) -> None:
    before = hand_run(tmp_path / "before", tiny, "before")
    after = hand_run(tmp_path / "after", tiny, "after")
    split = write_split(tmp_path / "split.parquet", HAND_SPLITS)
    sequences = after / "sequences.parquet" / "part-0.parquet"
    table = pq.read_table(sequences)
    if what == "tokens":
        tokens = table.column("tokens").to_pylist()
        tokens[5][7] += 1
        pq.write_table(table.set_column(1, "tokens", pa.array(tokens, pa.list_(pa.int32()))), sequences)
    elif what == "rows":
        pq.write_table(table.slice(1), sequences)
    elif what == "prefix":
        change(after, lambda state: state["stages"]["score"]["settings"].update(prefix_tokens=5))
    elif what == "unfinished":
        change(after, lambda state: state["stages"].pop("label"))
    elif what == "no run":
        (after / "run.json").unlink()
    elif what == "split":
        write_split(split, [*HAND_SPLITS[:6], "held_out", "nowhere", "retain"], np.array([0, 1, 2, 3, 4, 5, 77, 6, 99]))
    elif what == "twice":
        write_split(split, [*HAND_SPLITS, "retain"], np.array([*range(8), 3]))
    else:
        change(before, lambda state: state["stages"]["score"]["settings"].update({"model fingerprint": "sha256:0"}))
    with pytest.raises(InputError, match=message):
        compare(spark, before, {"after": after}, split, show_text=False, seed=0, progress=Shown())


def change(run: Path, edit: Any) -> None:
    state = json.loads((run / "run.json").read_text())
    edit(state)
    (run / "run.json").write_text(json.dumps(state))


# --- a real model: P = 8, S = 8, 320 rows ----------------------------------------------------------------------------

SIZES = {"forget": 12, "held_out": 4, "other_harmful": 14, "retain": 90, "other_benign": 200}


@dataclass
class Real:
    """Two runs scored with the models, EL_10 in them for the first 100 rows of the draw only."""

    before: Path
    after: Path
    split: Path
    ids: np.ndarray
    splits: np.ndarray
    tokens: np.ndarray
    scores: dict[str, Any]
    draw: np.ndarray


@pytest.fixture(scope="module")
def real(spark: Any, tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Real:
    folder = tmp_path_factory.mktemp("real")
    rng = np.random.default_rng(1)
    rows = sum(SIZES.values())
    ids = rng.permutation(10_000)[:rows]
    tokens = rng.integers(1, VOCAB, (rows, 16))
    settings = {"level": ScoreLevel.FULL, "eos_token_id": 0, "el_rows": np.ones(rows, bool)}
    # The model recites two rows of three, from their fourth token on.
    recited = rng.random(rows) < 2 / 3
    tokens[recited, 4:] = score(tiny.models["before"], tokens, 4, (4,), **settings).greedy_tokens[recited]
    scores = {name: score(model, tokens, 8, (8,), **settings) for name, model in tiny.models.items()}
    frame = spark.createDataFrame([(int(i),) for i in ids], "sequence_id long")
    hashes = dict(frame.select("sequence_id", F.xxhash64("sequence_id", F.lit(0).cast("long"))).collect())
    draw = np.array([hashes[i] for i in ids.tolist()])
    has_el = draw <= np.sort(draw)[99]
    splits = np.repeat(list(SIZES), list(SIZES.values()))
    runs = {}
    for name, found in scores.items():
        log_p_z = sequence_logprob(found.logprob[:, -8:])
        metrics = {
            "extractable": found.first_mismatch[:, -1] == 8,
            "log_p_z": log_p_z,
            "n_p50": tries_needed(log_p_z, 0.5),
            "memorization_score": memorization_score(found.greedy_tokens, tokens[:, 8:]),
            "memorization_accuracy": memorization_accuracy(found.rank),
            "n_sacrebleu": np.zeros(rows),
            "el_10": np.where(has_el, found.extraction_likelihood, np.nan),
        }
        labels = {"category": ["text"] * rows, "is_harmful": [False] * rows}
        kept = {key: getattr(found, key) for key in ("rank", "logprob", "greedy_tokens")}
        runs[name] = write_run(folder / name, tiny.folders[name], tokens, 8, metrics, labels, kept, ids)
    split = write_split(folder / "split.parquet", splits.tolist(), ids)
    return Real(runs["before"], runs["after"], split, ids, splits, tokens, scores, draw)


def chosen(real: Real, split: str, sample: int) -> np.ndarray:
    """bool [N]: all rows of the forget set and those held out, else the first of the draw."""
    inside = real.splits == split
    if split in ("forget", "held_out") or inside.sum() <= sample:
        return inside
    return inside & (real.draw <= np.sort(real.draw[inside])[sample - 1])


def test_on_a_real_model(spark: Any, tiny: Tiny, real: Real) -> None:
    result = compare(spark, real.before, {"after": real.after}, real.split, show_text=False, seed=0, progress=Shown())
    assert entry(result, "other_benign")["by"]["after"]["el_10_rows"] == 64
    assert entry(result, "retain")["by"]["before"]["el_10_rows"] == 64
    rows = len(real.ids)
    for model in ("before", "after"):
        scores = real.scores[model]
        said = np.concatenate([real.tokens[:, :8], scores.greedy_tokens], 1)
        nll = nll_under(tiny.models["before"], said, 8)
        el, fluency = {}, {}
        for split in SIZES:
            figures = entry(result, split)["by"][model]
            inside = real.splits == split
            el[split] = scores.extraction_likelihood[chosen(real, split, 64)].mean()
            assert figures["el_10"] == pytest.approx(el[split], abs=1e-6)
            assert figures["el_10_rows"] == chosen(real, split, 64).sum()
            fluency[split] = nll[chosen(real, split, 128)].mean()
            assert math.log(figures["fluency"]) == pytest.approx(fluency[split], abs=1e-5)
            for n in (1, 2, 3):
                assert figures[f"distinct_{n}"] == pytest.approx(distinct_n(scores.greedy_tokens[inside], n))
            assert figures["deep_extractable"] == (scores.rank[inside, -4:] == 0).all(1).sum()
            assert figures["extractable"] == (scores.greedy_tokens == real.tokens[:, 8:])[inside].all(1).sum()
        # Where splits come together, each counts by its rows, not by how many of them were asked about.
        overall = result["overall"]["by"][model]
        expected = sum(SIZES[split] * el[split] for split in SIZES) / rows
        assert overall["el_10"] == pytest.approx(expected, abs=1e-6)
        assert math.log(overall["fluency"]) == pytest.approx(
            sum(SIZES[split] * fluency[split] for split in SIZES) / rows, abs=1e-5
        )
        assert overall["distinct_2"] == pytest.approx(distinct_n(scores.greedy_tokens, 2))
    before, after = (entry(result, "other_benign")["by"][model] for model in ("before", "after"))
    assert 0 < after["extractable"] < before["extractable"] < 200
    assert abs(before["el_10"] - after["el_10"]) > 0.01
    assert after["fluency"] > 1.01 * before["fluency"]

    # None is known never to have been trained on.
    text = result["held_out_text"]
    unknown = (real.splits == "other_benign") & (real.scores["before"].first_mismatch[:, -1] < 8)
    assert "did not recite" in text["what"]
    assert (text["rows"], text["tokens"]) == (unknown.sum(), 15 * unknown.sum())
    for model in ("before", "after"):
        expected = math.exp(-real.scores[model].logprob[unknown].mean(dtype=np.float64))
        assert text["perplexity"][model] == pytest.approx(expected, rel=1e-6)

    # Only rows that had none were asked for EL_10, and answers are kept: nobody needs the models again.
    lacking = sum((chosen(real, split, 64) & (real.draw > np.sort(real.draw)[99])).sum() for split in SIZES)
    kept = sorted(real.after.glob("comparison-*.parquet"))
    assert [pq.read_table(path).num_rows for path in kept][:2] == [lacking, lacking]
    assert [path.name.rsplit("-", 1)[0] for path in kept] == [
        "comparison-el-after",
        "comparison-el-before",
        "comparison-fluency-before",
    ]
    hidden = [folder.rename(folder.with_name("away")) for folder in tiny.folders.values()]
    try:
        # The tokenizer is read for the examples: it was loaded before in this process.
        again = compare(
            spark, real.before, {"after": real.after}, real.split, show_text=False, seed=0, progress=Shown()
        )
    finally:
        for folder in hidden:
            folder.rename(folder.with_name("model"))
    assert flat(again) == pytest.approx(flat(result))


def flat(value: Any) -> dict[str, float]:
    """The numbers in a comparison by their place."""
    if isinstance(value, dict):
        return {f"{key}/{rest}": n for key, inner in value.items() for rest, n in flat(inner).items()}
    if isinstance(value, list):
        return {f"{at}/{rest}": n for at, inner in enumerate(value) for rest, n in flat(inner).items()}
    return {"": value} if isinstance(value, int | float) else {}
