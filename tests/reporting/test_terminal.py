"""The terminal tables: what they say, how wide they are, and what they never contain."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from reporting.terminal import print_plan, print_runs, print_summary


def shown(summary, report=None, **console):
    out = io.StringIO()
    print_summary(summary, Console(file=out, **console), report)
    return out.getvalue()


def row(text, name):
    return next(line.split() for line in text.splitlines() if line.startswith(name))


def test_off_a_terminal_the_output_is_plain_and_wide(summary):
    text = shown(summary, Path("runs/demo/report.html"))
    assert "\x1b" not in text
    assert "…" not in text
    # credentials: 38 of 90; interval as given in the summary; -60 (1 - 0.42)^1.5 - 0.3 = -26.8 nats = -11.6
    credentials = "credentials * 90 42.2 % 32.5–52.5 % ████▎ 0.503 0.602 0.357 -11.6 55.1"
    assert " ".join(row(text, "credentials")) == credentials
    assert row(text, "all")[:4] == ["all", "1,490", "44.0", "%"]
    assert "Set aside: 10 of 1,500 rows (6 too short, 4 out-of-vocabulary token)" in text
    assert "Near ties: 2 rows" in text
    assert "macro-F1 0.978" in text
    assert text.rstrip().endswith("Report: runs/demo/report.html")


def test_the_interval_shown_is_the_one_given(summary):
    summary["categories"][0] |= {"share": 0.5, "low": 0.1234, "high": 0.8766}
    assert "12.3–87.7 %" in shown(summary)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_tables_fit_any_terminal_and_drop_columns_not_digits(summary, width):
    text = shown(summary, force_terminal=True, color_system=None, width=width)
    start = next(i for i, line in enumerate(text.splitlines()) if line.startswith("category"))
    table = text.splitlines()[start - 1 : start + 8]
    assert all(len(line) <= width for line in table)
    assert "42.2 %" in text
    assert "1,490" in text
    assert "…" not in text


def test_no_color_is_honoured(summary):
    coloured = shown(summary, force_terminal=True, width=100, color_system="standard", no_color=False)
    plain = shown(summary, force_terminal=True, width=100, color_system="standard", no_color=True)
    assert "\x1b[31m" in coloured
    assert "\x1b[31m" not in plain


def test_an_ascii_output_gets_ascii(make_summary):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    summary = make_summary()
    summary["model"]["name"] = "modèle"
    print_summary(summary, Console(file=out))
    print_runs([summary], Console(file=out))
    out.flush()
    assert b"32.5-52.5 % ####" in raw.getvalue()


@pytest.mark.parametrize(
    ("level", "columns", "said"),
    [
        ("extractable", [], None),
        ("memorization", ["mem.", "Sacre"], "Scores are means.\n"),
        ("likelihood", ["mem.", "Sacre", "p_z"], "log10 p_z is the median"),
        ("full", ["mem.", "Sacre", "p_z", "EL_10", "MA"], "log10 p_z is the median"),
    ],
)
def test_lower_levels_leave_scores_out_and_say_so(make_summary, level, columns, said):
    text = shown(make_summary(scores=level, label_check=None))
    table = text[: text.index("credentials")]
    assert [name for name in ("mem.", "Sacre", "p_z", "EL_10", "MA") if name in table] == columns
    assert (f"Measured with --scores {level}" in text) == (level != "full")
    assert said in text if said else "Scores are" not in text
    assert row(text, "pii")[:5] == ["pii", "*", "310", "36.1", "%"]


def test_nothing_measured(make_summary):
    empty = {"rows": 0, "extractable": 0, "share": None, "low": None, "high": None}
    scores = dict.fromkeys(
        (
            "memorization_score",
            "memorization_accuracy",
            "el_10",
            "n_sacrebleu",
            "log_p_z",
            "n_p50",
            "perplexity_suffix",
        )
    )
    text = shown(make_summary(overall=empty | scores, categories=[], label_check=None))
    assert row(text, "all")[:2] == ["all", "0"]


def test_names_cannot_write_markup_or_escapes(make_summary):
    summary = make_summary()
    summary["model"]["name"] = "[bold]x[/bold]\x1b]0;title\x07"
    text = shown(summary)
    assert "[bold]x[/bold]␛]0;title␇" in text


def test_runs_are_compared_one_line_a_model(make_summary):
    first, second = make_summary(), make_summary(scores="extractable")
    first["model"] |= {"name": "EleutherAI/pythia-70m-deduped", "revision": "step23000"}
    second["model"] |= {"name": "EleutherAI/pythia-160m-deduped", "parameters": 162_000_000}
    out = io.StringIO()
    print_runs([first, second], Console(file=out))
    text = out.getvalue()
    assert row(text, "EleutherAI/pythia-70m")[:6] == [
        "EleutherAI/pythia-70m-deduped@step23000",
        "1.3",
        "M",
        "1,490",
        "44.0",
        "%",
    ]
    # 38 credentials + 112 pii; no scores in the second run
    assert row(text, "EleutherAI/pythia-160m")[-3:] == ["150", "–", "–"]


def test_a_plan_is_printed_whole():
    out = io.StringIO()
    where = "runs/" + "x" * 120
    print_plan({"run": "demo", "folder": where}, Console(file=out))
    assert [line.split() for line in out.getvalue().splitlines()] == [["run", "demo"], ["folder", where]]


def test_long_model_names_fold_on_a_terminal_and_numbers_stay_whole(make_summary):
    summary = make_summary()
    summary["model"] |= {"name": "EleutherAI/pythia-1.4b-deduped", "revision": "step143000"}
    out = io.StringIO()
    print_runs([summary], Console(file=out, force_terminal=True, color_system=None, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [" ".join(line.split()) for line in lines[-2:]] == [
        "EleutherAI/pythia-1.4b-d 1.3 M 1,490 44.0 % 41.5–46.5 % 150 0.519 -11.1",
        "eduped@step143000",
    ]
