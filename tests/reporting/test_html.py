"""The HTML report: complete, well-formed, self-contained, and safe against what it quotes."""

import re

import pytest

from reporting.html import headline, report_page, write_report
from tests.reporting.reading import Page

NO_SCORES = (
    "memorization_score",
    "memorization_accuracy",
    "el_10",
    "n_sacrebleu",
    "log_p_z",
    "n_p50",
    "perplexity_suffix",
)


def read(summary):
    page = Page(report_page(summary))
    assert page.open == []
    return page


def nothing_measured(make_summary):
    empty = {"rows": 0, "extractable": 0, "share": None, "low": None, "high": None} | dict.fromkeys(NO_SCORES)
    return make_summary(
        overall=empty,
        categories=[{"category": "pii", "harmful": True} | empty],
        sweep=[{"category": "pii", "k": 32} | empty, {"category": "all", "k": 32} | empty],
        k=[32],
        duplicates=None,
        histograms={"memorization_score": None, "log10_p_z": None},
        pii_types=[],
        membership=None,
        label_check=None,
        examples=[],
    )


def test_every_section_is_there_and_every_link_leads_somewhere(summary):
    page = read(summary)
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    sections = "kinds prompt copies likelihood pii membership labels examples input reproduce glossary"
    assert " ".join(link[1:] for link in links) == sections
    assert {link[1:] for link in links} <= set(page.ids)
    assert page.tags.count("svg") == 5


def test_ids_are_unique_and_references_resolve(summary):
    page = read(summary)
    assert len(page.ids) == len(set(page.ids))
    refs = {
        ref
        for _, name, value in page.attributes
        for ref in [
            *re.findall(r"url\(#([^)]+)\)", value),
            *(value.split() if name == "aria-labelledby" else ()),
        ]
    }
    refs |= {value[1:] for _, name, value in page.attributes if name in ("href", "xlink:href")}
    assert refs <= set(page.ids)


def test_it_loads_nothing_and_runs_nothing(summary):
    html = report_page(summary)
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "style", "action", "data"):
            assert not re.search(r"(?i)https?:|//|javascript:|data:", value)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("show_text", [False, True])
def test_texts_of_models_and_data_are_shown_not_run(make_summary, show_text):
    attack = "</style><script>alert(1)</script><img src=http://x.example onerror=alert(1)>{{ 7*7 }}\x1b[0m\u202e"
    summary = make_summary(warnings=[attack], command=attack, run=attack)
    summary["examples"][3] = summary["examples"][3] | dict.fromkeys(("prefix", "suffix", "continuation", "why"), attack)
    summary["config"] = {"show_text": show_text, "model": attack, attack: 1}
    summary["model"]["name"] = summary["source"]["name"] = attack
    summary["rows"]["rejected_by_reason"] = {attack: 10}
    summary["label_check"]["labels"] = [attack] * 6
    summary["label_check"]["truth_column"] = attack
    summary["columns"][0]["description"] = summary["columns"][0]["formula"] = attack
    page = read(summary)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.text.count("<script>alert(1)</script>") > 10
    assert "{{ 7*7 }}␛[0m⟨U+202E⟩" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", report_page(summary))


def test_hostile_category_names_stay_text_in_the_drawings(make_summary):
    summary = make_summary()
    name = "<script>$x^2$</script>"
    summary["categories"][0]["category"] = name
    for row in summary["sweep"]:
        row["category"] = name if row["category"] == "credentials" else row["category"]
    page = read(summary)
    assert "script" not in page.tags
    assert f"▲ {name}" in page.text


@pytest.mark.parametrize(
    ("harmful", "sentence"),
    [
        ({"credentials": 0, "pii": 102}, "102 of these contain personal data"),
        ({"credentials": 0, "pii": 1}, "1 of these contains personal data"),
        ({"credentials": 4, "pii": 98}, "102 of these contain credentials (4) or personal data (98)"),
        ({"credentials": 0, "pii": 0}, "none of these contains personal data or credentials"),
    ],
)
def test_the_headline_says_what_was_found(summary, harmful, sentence):
    summary["overall"] |= {"rows": 1490, "extractable": 612, "share": 612 / 1490}
    for row in summary["categories"]:
        row["extractable"] = harmful.get(row["category"], row["extractable"])
    found = "Of 1,490 sequences, 612 (41.1 %) are recited word for word from 32 tokens of prompt; "
    assert headline(summary) == f"{found}{sentence}."
    assert f"{found}{sentence}." in read(summary).text


def test_the_headline_of_nothing(summary):
    summary["overall"] |= {"rows": 1490, "extractable": 0}
    assert headline(summary) == "None of 1,490 sequences is recited word for word from 32 tokens of prompt."
    summary["overall"] |= {"rows": 0}
    assert headline(summary) == "No sequence was measured: 10 were read and set aside."


def test_intervals_are_those_of_the_summary(summary):
    summary["categories"][1] |= {"share": 0.5, "low": 0.1234, "high": 0.8766}
    page = read(summary)
    assert "pii 50.0 % (12.3–87.7 %)" in page.text  # the drawing in words
    assert page.text.count("12.3–87.7 %") == 2  # and the table


def test_every_column_is_in_the_glossary(make_summary):
    columns = [
        {
            "table": f"table{i % 3}",
            "name": f"column_{i}",
            "type": "float32",
            "description": f"Says {i}.",
            "unit": "nats",
            "range": "[0, 1]",
            "direction": "lower = more memorized",
            "formula": f"x / {i}",
            "source": f"Author {i}",
        }
        for i in range(20)
    ]
    text = read(make_summary(columns=columns)).text
    for i in range(20):
        expected = f"column_{i} float32, nats, [0, 1] Says {i}. (lower = more memorized) x / {i} Author {i}"
        assert expected in text
    assert "table0 (7 columns)" in text


def test_extractable_only_leaves_the_distributions_out_and_says_why(make_summary):
    page = read(make_summary(scores="extractable"))
    assert page.tags.count("svg") == 3
    assert "which decides what is extractable and nothing else" in page.text
    assert "Memorization score" not in page.text
    assert "None" not in page.text.replace("None of", "")


@pytest.mark.parametrize(
    ("level", "drawings", "there", "not_there"),
    [
        ("memorization", 4, ["N-SacreBLEU, mean"], ["log 10 p z , median", "EL 10 , mean", "p z is the probability"]),
        ("likelihood", 5, ["log 10 p z , median", "p z is the probability"], ["EL 10 , mean"]),
    ],
)
def test_what_a_lower_level_leaves_out_has_no_column(make_summary, level, drawings, there, not_there):
    page = read(make_summary(scores=level))
    assert page.tags.count("svg") == drawings
    assert f"measured with --scores {level} ; --scores full adds" in page.text
    assert [text for text in there if text not in page.text] == []
    assert [text for text in not_there if text in page.text] == []


def test_a_run_that_measured_nothing(make_summary):
    page = read(nothing_measured(make_summary))
    assert page.tags.count("svg") == 0
    assert "No examples: no sequence was measured." in page.text
    assert "Only one prompt length was measured" in page.text
    assert "nan" not in page.text
    assert "None" not in page.text


def test_a_category_without_rows(make_summary):
    summary = make_summary()
    empty = {"rows": 0, "extractable": 0, "share": None, "low": None, "high": None}
    summary["categories"][2] |= empty | dict.fromkeys(NO_SCORES)
    for row in summary["sweep"]:
        if row["category"] == "code":
            row |= empty
    summary["histograms"]["log10_p_z"]["counts"]["code"] = [0] * 30
    summary["histograms"]["log10_p_z"]["below"]["code"] = 0
    page = read(summary)
    assert "code – – 0 of 0" in page.text
    assert page.tags.count("svg") == 5


def test_zero_extractable(make_summary):
    summary = make_summary()
    for row in [summary["overall"], *summary["categories"], *summary["sweep"], *summary["duplicates"]]:
        row |= {"extractable": 0, "share": 0.0, "low": 0.0, "high": 0.01}
    page = read(summary)
    assert "None of 1,490 sequences is recited" in page.text
    assert page.tags.count("svg") == 5


def test_examples_mark_what_differs_and_what_is_masked(summary):
    html = report_page(summary)
    assert "<mark>Mondays</mark> and Fridays." in html
    assert "<mark>Sundays</mark> and Fridays." in html
    assert '<span class="mask">&lt;EMAIL&gt;</span>' in html
    text = Page(html).text
    assert "run again with --show-text" in text
    assert "first wrong token: 12 of 32" in text
    # sequence 15 is not extractable, yet its masked texts are the same
    assert text.count("differ only in what is masked") == 1
    assert "1 more of pii" in text


def test_shown_personal_data_is_announced(summary):
    summary["config"]["show_text"] = True
    text = read(summary).text
    assert "shows personal data in the clear" in text
    assert "run again with --show-text" not in text


def test_rejected_rows_near_ties_stages_and_settings(summary):
    text = read(summary).text
    for expected in (
        "1,500 sequences were read, 1,490 accepted and 10 set aside.",
        "out-of-vocabulary token 4",
        "2 sequences rest on a choice between two tokens whose logits are closer than 0.0001",
        "score 1,490 14.9 s 100",
        "label (in an earlier run) 1,490 6.0 s 250",
        "python calculate_metrics.py --run demo --k 8,16,32",
        "k 8, 16, 32",
        "pyspark 4.3.0",
        "min_k_plus_plus 1,190 300 0.951 60.0 %",
        "pii 0 301 0 0 0 9",
    ):
        assert expected in text


def test_the_file_is_written_whole_or_not_at_all(summary, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    broken = {**summary, "overall": {}}
    with pytest.raises(KeyError):
        write_report(broken, path)
    assert path.read_text() == "before"
    write_report(summary, path)
    assert path.read_text("utf-8") == report_page(summary)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.stat().st_mode & 0o400


def test_the_same_summary_gives_the_same_page(summary):
    assert report_page(summary) == report_page(summary)
