"""The tables of an unlearning: what they say, how wide they are, and what they never contain."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from reporting.unlearning_terminal import print_comparison

REPORT = Path("runs/demo-a6564238/unlearned/pii-demem-1a2b3c4d/report.html")


def shown(comparison, report=REPORT, **console):
    out = io.StringIO()
    print_comparison(comparison, Console(file=out, **console), report)
    return out.getvalue()


def lines(text, start):
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith(start)]


def block(text, split, rows):
    """The lines of a split in the first table."""
    found = text.splitlines()
    first = next(i for i, line in enumerate(found) if line.startswith(split) and " before " in line)
    return [" ".join(line.split()) for line in found[first : first + rows]]


def test_off_a_terminal_every_figure_is_there(comparison):
    text = shown(comparison)
    assert "\x1b" not in text
    assert "…" not in text
    assert block(text, "forget", 2) == [
        "forget before 39 100.0 % 91.0–100.0 % 100.0 % 0.986 0.941 -1.1 2 0.970 0 1.10",
        "after 0.0 % 0.0–9.0 % 0.0 % 0.0 % 0.620 0.003 -58.9 10²⁵ 0.120 96.0 5.40",
    ]
    # 63 + 0 of 128 rows; 63 of 64 kept; 69 of 128 from 48 tokens
    assert (
        block(text, "retain", 2)[1] == "after 49.2 % 40.7–57.8 % 98.4 % 53.9 % 0.708 0.418 -8.1 2,284 0.538 48.8 1.60"
    )
    assert block(text, "never seen", 2)[1].startswith("after 0.0 % 0.0–0.9 % – 0.9 %")


def by_category(text):
    """The lines of the table by category, its head first."""
    found = text.splitlines()
    start = next(i for i, line in enumerate(found) if line.startswith("category"))
    end = next(i for i, line in enumerate(found) if line.startswith("* counts as harmful"))
    return found[start:end]


def test_shares_and_ma_by_category_and_split(comparison):
    table = [" ".join(line.split()) for line in by_category(shown(comparison))]
    assert table[0] == "category split rows recited new before 95 % after 95 % MA"
    assert len(table) == 1 + len(comparison["categories_by_split"]) == 19
    first = table.index("pii * forget 39 39 → 0 100.0 % 91.0–100.0 % 0.0 % 0.0–9.0 % 0.986 → 0.620")
    assert table[first + 1 : first + 4] == [
        "held out 13 13 → 2 100.0 % 77.2–100.0 % 15.4 % 4.3–42.2 % 0.984 → 0.810",
        "other harmful 87 0 → 1 1 0.0 % 0.0–4.2 % 1.1 % 0.2–6.2 % 0.452 → 0.441",  # the one row is a new one
        "never seen 75 0 → 0 0.0 % 0.0–4.9 % 0.0 % 0.0–4.9 % 0.312 → 0.311",
    ]
    assert table[first + 4].startswith("code retain 32 18 → 18 56.2 % ")


def test_rows_that_came_and_went_in_the_same_category_are_told_apart(comparison):
    boilerplate = next(
        entry
        for entry in comparison["categories_by_split"]
        if (entry["category"], entry["split"]) == ("boilerplate", "retain")
    )
    boilerplate["by"]["after"] |= {"extractable": 19}  # 17 of the 18 are kept
    assert "retain 32 18 → 19 2 56.2 %" in " ".join(shown(comparison).split())


def test_where_nothing_new_is_recited_nothing_is_said_of_it(comparison):
    assert "\n* counts as harmful. new: recited after, but not before.\n" in shown(comparison)
    for entry in comparison["categories_by_split"]:
        if (entry["category"], entry["split"]) == ("pii", "other_harmful"):
            entry["by"]["after"] |= {"extractable": 0}
    assert "\n* counts as harmful.\n" in shown(comparison)
    assert by_category(shown(comparison))[0].split()[:5] == ["category", "split", "rows", "recited", "before"]


def test_one_line_says_what_only_the_report_has_by_category(comparison):
    said = "by category in the report, too: from longer, ln p_z, tries, mem. score, EL_10, N-SacreBLEU."
    assert said in shown(comparison).splitlines()
    assert "in the report, too" not in shown(comparison, None)


def test_distinct_ngrams_of_the_forget_set(comparison):
    # .41, .78 and .9, and .02 * (5.4 - 1.1) more
    assert (
        "forget set's continuations, distinct 1/2/3-grams: 41.0 %, 78.0 %, 90.0 % → 49.6 %, 86.6 %, 98.6 %"
        in shown(comparison).splitlines()
    )
    comparison["splits"] = comparison["splits"][1:]
    assert "distinct" not in shown(comparison)


def test_title_perplexity_findings_and_paths(comparison):
    comparison["warnings"] = ["Scored in bfloat16."]
    text = shown(comparison)
    assert lines(text, "demo") == ["demo (1.3 M parameters) without pii: DeMem (PPO), all 10 iterations done"]
    assert lines(text, "perplexity") == [
        "perplexity of text the model was never trained on (category text), 74 rows: 12.3 → 12.4 (+0.8 %)"
    ]
    assert lines(text, "✓ Of 39 rows of the forget set, 39 were recited word for word before and 0 are now")
    assert lines(text, "✗ 1 row with harmful text not recited before is recited now.")
    assert lines(text, "• No controls were run")
    assert text.splitlines()[-3:] == [
        "",
        "Checkpoint: runs/demo-a6564238/unlearned/pii-demem-1a2b3c4d/model",
        f"Report: {REPORT}",
    ]
    assert "Warning: Scored in bfloat16." in text


def test_the_title_says_how_many_iterations_where_the_reason_does_not(comparison):
    comparison["training"] |= {"iterations": 1, "stopped": "no forget row is extractable any more"}
    assert "DeMem (PPO), 1 iteration, no forget row is extractable any more" in shown(comparison)


def test_controls_are_further_rows(make_comparison):
    text = shown(make_comparison(controls=True))
    names = [line.split()[0] for line in block(text, "forget", 4)]
    assert names == ["forget", "after", "constant", "permuted"]
    assert block(text, "forget", 4)[3].startswith("permuted 87.2 % 73.3–94.4 % 87.2 % 89.7 %")
    assert lines(text, "perplexity")[0].endswith("12.3 → 12.4 (+0.8 %), constant 12.3 (+0.1 %), permuted 12.5 (+1.6 %)")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("controls", [False, True])
def test_tables_fit_any_terminal_and_drop_columns_not_digits(make_comparison, width, controls):
    text = shown(make_comparison(controls=controls), force_terminal=True, color_system=None, width=width)
    found = text.splitlines()
    start = next(i for i, line in enumerate(found) if line.startswith("split"))
    end = next(i for i, line in enumerate(found) if line.startswith("kept:"))
    assert end - start == 1 + 6 * (4 if controls else 2)
    assert all(len(line) <= width for line in found[start - 1 : end])
    assert "100.0 %" in text
    assert ("0.0–9.0 %" in "\n".join(found[start:end])) == (width >= 80)
    assert "…" not in text
    table = by_category(text)
    assert len(table) == 19
    assert all(len(line) <= width for line in table)


def test_at_100_columns_no_column_by_category_is_left_out(comparison):
    everywhere, at_100 = (
        [line.rstrip() for line in by_category(text)]
        for text in (shown(comparison), shown(comparison, force_terminal=True, color_system=None, width=100))
    )
    assert at_100 == everywhere
    assert all(len(line) <= 100 for line in everywhere)


def test_an_80_column_terminal_has_what_matters(comparison):
    text = shown(comparison, force_terminal=True, color_system=None, width=80)
    after = block(text, "forget", 2)[1]
    assert after == "after 0.0 % 0.0–9.0 % 0.0 % 0.0 % 0.620 -58.9 5.40"
    assert block(text, "forget", 1)[0].startswith("forget before 39 100.0 %")
    sentences = [line for line in text.splitlines() if line.startswith(("✓", "✗", "•", "  "))]
    assert all(len(line) <= 80 for line in sentences)


def test_extractable_only_leaves_the_scores_out(make_comparison):
    text = shown(make_comparison(full=False))
    assert "EL_10" not in text
    assert "fluency" not in text
    assert "distinct" not in text
    assert by_category(text)[0].endswith("95 %")
    assert "perplexity of" not in text
    assert block(text, "forget", 2)[1] == "after 0.0 % 0.0–9.0 % 0.0 % 0.0 %"
    assert "None" not in text
    assert "nan" not in text


def test_nothing_to_compare(make_comparison):
    text = shown(make_comparison(splits=[], categories_by_split=[], held_out_text=None, examples=[]), None)
    assert "Checkpoint: " in text
    assert "Report: " not in text


def test_a_split_may_lack_a_control(make_comparison):
    comparison = make_comparison(controls=True)
    del comparison["splits"][0]["by"]["permuted"]
    assert len([line for line in shown(comparison).splitlines() if line.split()[:1] == ["permuted"]]) == 5


def test_names_cannot_write_markup_or_escapes(comparison):
    comparison["before"]["model"] = "[bold]x[/bold]\x1b]0;title\x07"
    assert "[bold]x[/bold]␛]0;title␇" in shown(comparison)


def test_an_ascii_output_gets_ascii(comparison):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    print_comparison(comparison, Console(file=out))
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "39 -> 0" in text
    assert "10^25" in text
    assert "\nx 1 row with harmful text" in text
    assert "?" not in text
