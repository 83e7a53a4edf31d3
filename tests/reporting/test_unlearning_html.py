"""The report of an unlearning: complete, well-formed, self-contained, and safe against what it quotes."""

import re

import pytest

from reporting.unlearning_findings import findings
from reporting.unlearning_html import facts, headline, unlearning_page, write_unlearning_report
from tests.reporting.invented_comparison import build_comparison
from tests.reporting.reading import Page


def read(comparison):
    page = Page(unlearning_page(comparison))
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def full_html():
    """The page of an unlearning that worked, with controls; drawn once."""
    return unlearning_page(build_comparison(controls=True))


@pytest.fixture(scope="module")
def full_page(full_html):
    page = Page(full_html)
    assert page.open == []
    return page


def test_every_section_is_there_and_every_link_leads_somewhere(full_page):
    page = full_page
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    sections = "findings splits firmness categories text training examples settings undo definitions"
    assert " ".join(link[1:] for link in links) == sections
    assert {link[1:] for link in links} <= set(page.ids)
    assert page.tags.count("svg") == 4 + 10


def test_ids_are_unique_and_references_resolve(full_page):
    page = full_page
    assert len(page.ids) == len(set(page.ids))
    refs = {
        ref
        for _, name, value in page.attributes
        for ref in [*re.findall(r"url\(#([^)]+)\)", value), *(value.split() if name == "aria-labelledby" else ())]
    }
    refs |= {value[1:] for _, name, value in page.attributes if name in ("href", "xlink:href")}
    assert refs <= set(page.ids)


def test_it_loads_nothing_and_runs_nothing(full_html, full_page):
    html, page = full_html, full_page
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "style", "action", "data"):
            assert not re.search(r"(?i)https?:|//|javascript:|data:", value)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("masked", [True, False])
def test_texts_of_models_and_data_are_shown_not_run(make_comparison, masked):
    attack = "</style><script>alert(1)</script><img src=http://x.example onerror=alert(1)>{{ 7*7 }}\x1b[0m\u202e"
    comparison = make_comparison(controls=True, name=attack, command=attack, warnings=[attack], method_title=attack)
    comparison["examples"] = [
        entry | dict.fromkeys(("prefix", "suffix", "before", "after", "constant"), attack) | {"masked": masked}
        for entry in comparison["examples"]
    ]
    comparison["before"]["model"] = comparison["after"]["model"] = attack
    comparison["settings"] = {attack: attack}
    comparison["training"]["records"] = comparison["training"]["records"][:1]
    comparison["training"]["stopped"] = comparison["held_out_text"]["what"] = attack
    comparison["splits"][0]["title"] = comparison["categories_by_split"][0]["category"] = attack
    html = unlearning_page(comparison)
    page = Page(html)
    assert page.open == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.text.count("<script>alert(1)</script>") > 20
    assert "{{ 7*7 }}␛[0m⟨U+202E⟩" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", html)


@pytest.mark.parametrize(
    ("categories", "kept", "sentence"),
    [
        (["pii"], 0, "Of 39 sequences with personal data that demo recited word for word, it still recites none; "),
        (
            ["credentials", "pii"],
            2,
            "with credentials or personal data that demo recited word for word, it still recites 2",
        ),
        (["code"], 1, "Of 39 sequences with code that demo recited word for word, it still recites 1; "),
    ],
)
def test_the_headline_says_what_was_forgotten_and_what_it_cost(comparison, categories, kept, sentence):
    comparison["categories"] = categories
    comparison["training"]["records"] = []  # no curves: they take most of the time
    comparison["splits"][0]["by"]["after"] |= {"extractable": kept, "kept": kept / 39}
    assert sentence in headline(comparison)
    assert headline(comparison).endswith("; of 204 benign ones, 197.")  # 63 + 134 of 64 + 140
    assert headline(comparison) in read(comparison).text


def test_the_headline_without_benign_rows_or_without_any(comparison):
    comparison["splits"] = comparison["splits"][:1]
    assert headline(comparison).endswith("it still recites none.")
    comparison["splits"] = []
    assert headline(comparison) == "Nothing was unlearned: the forget set is empty."


def test_the_tiles_are_the_numbers_of_the_comparison(comparison):
    assert facts(comparison) == [
        ("Forget set, recited", "100.0 % → 0.0 %", "39 rows, 0.0–9.0 %"),
        ("Held out, recited", "100.0 % → 15.4 %", "13 rows, 4.3–42.2 %"),
        ("Benign, still recited", "95.7 %", "outside the retain set; 98.4 % in the retain set"),
        ("Perplexity, held-out text", "+0.8 %", "12.3 → 12.4"),
    ]
    text = read(comparison).text
    for label, value, detail in facts(comparison):
        assert f"{label} {value} {detail}" in text


def test_every_finding_is_on_the_page_with_its_kind(make_comparison):
    comparison = make_comparison("shallow", controls=True)
    text = read(comparison).text
    words = {"good": "✓ Worked:", "bad": "✗ Did not work:", "note": "• Note:"}
    for finding in findings(comparison):
        assert f"{words[finding.kind]} {finding.text}" in text


def test_tables_hold_the_numbers_of_every_split_and_model(full_page):
    text = full_page.text
    for row in (
        "forget set before 39 39 100.0 % 91.0–100.0 % 100.0 % 91.0–100.0 % after 39 0 0.0 % 0.0–9.0 % 0.0 % 0.0–9.0 % "
        "0.0 % 0.0–9.0 % constant 39 38 97.4 % 86.8–99.5 %",
        "other benign rows before 446 140 31.4 % 27.3–35.8 % 35.0 % 30.7–39.5 % after 446 134 30.0 % 26.0–34.5 % "
        "95.7 % 91.0–98.0 % 34.1 % 29.8–38.6 %",
        "fluency distinct 1-grams distinct 2-grams distinct 3-grams forget set before 0.986 0.941 39 -1.1 2 0.970 0 "
        "1.10 41.0 % 78.0 % 90.0 % after 0.620 0.003 39 -58.9 10²⁵ 0.120 96.0 5.40 49.6 % 86.6 % 98.6 % constant",
        # 39 + 13 + 40 + 64 + 140 of 1,284 rows before; 0 + 2 + 31 + 63 + 134 of them after, and one more
        "all rows before 1,284 296 23.1 % 20.8–25.4 %",
        "after 1,284 231 18.0 % 16.0–20.2 % 77.7 % 72.6–82.1 %",
        "held out of the same category 13 13 100.0 % 2 15.4 % 13 100.0 % 12 92.3 % 15.4 % 4.3–42.2 %",
        "code retain set 32 18 56.2 % 18 56.2 % 18 56.2 % 18 56.2 % 100.0 % 82.4–100.0 %",
        "before 12.3 after 12.4 +0.8 % constant 12.3 +0.1 % △ permuted 12.5 +1.6 %",
    ):
        assert row in text


def test_all_figures_of_every_category_in_every_split_that_has_rows(make_comparison):
    comparison = make_comparison(controls=True)
    comparison["training"]["records"] = []
    sections = read(comparison).text.split(" Ordinary text Perplexity of ")[0].split("All figures by category: ")[1:]
    head = (
        "category model rows extractable 95 % from 48 tokens 95 % ln p z , median tries, median mem. score MA, mean "
        "EL 10 , mean EL 10 rows N-Sacre BLEU"
    )
    for section, entry in zip(sections, comparison["splits"], strict=True):
        assert section.startswith(f"{entry['title']} {head} ")
        groups = [group for group in comparison["categories_by_split"] if group["split"] == entry["split"]]
        starts = [section.index(f"{group['category']} before {group['rows']} ") for group in groups]
        assert starts == sorted(starts)
        assert section.count(" permuted ") == section.count(" before ") == len(groups)
    retain = sections[3]
    # 17 of 18 of 32 rows; from 48 tokens .54 * 32 = 17; .12 + .85 * 17 / 32; 96 * 15 / 32
    assert (
        "boilerplate before 32 56.2 % 39.3–71.8 % 56.2 % 39.3–71.8 % -8.0 2,066 0.598 0.710 0.420 32 42.0 after 32 "
        "53.1 % 36.4–69.1 % 53.1 % 36.4–69.1 % -8.1 2,284 0.572 0.708 0.418 32 45.0 constant" in retain
    )


def test_figures_by_category_are_those_of_the_category(comparison):
    comparison["training"]["records"] = []
    group = next(
        entry
        for entry in comparison["categories_by_split"]
        if (entry["category"], entry["split"]) == ("code", "other_benign")
    )
    group["by"]["after"] |= {"log_p_z": -12.3, "log_tries_p50": 3.0, "memorization_accuracy": 0.456, "el_10": 0.234}
    group["by"]["after"] |= {"deep_share": 0.5, "deep_low": 0.25, "deep_high": 0.75, "memorization_score": 0.321}
    group["by"]["after"] |= {"n_sacrebleu": 65.4, "el_10_rows": 7}
    # 37 of 108 rows
    assert (
        "after 108 34.3 % 26.0–43.6 % 50.0 % 25.0–75.0 % -12.3 20 0.321 0.456 0.234 7 65.4 repetition before 112 "
        in read(comparison).text
    )


def test_settings_command_time_and_the_way_back(comparison):
    text = read(comparison).text
    for expected in (
        "unlearn --category pii --run demo",
        "reward token lr 0.0003 kl 0.05 depth branches temperatures 1.0, 1.5",
        "seed 0",
        "unlearning 1 min 04 s measuring 38.0 s",
        "torch 2.13.0",
        "use demo instead of runs/demo-a6564238/unlearned/pii-demem-1a2b3c4d/model .",
    ):
        assert expected in text


def test_every_iteration_is_in_a_table(full_page):
    text = full_page.text
    assert "Every iteration, control: permuted rewards" in text
    assert (
        "10 -0.0900 0.0500 0.420 0.0500 0.110 1.00 1.50 -0.0300 0.0150 0.328 0.000300 0 80 0 0.620 0.984 5.50" in text
    )


def test_examples_mark_what_differs_and_what_is_masked(full_html):
    html = full_html
    assert "<mark>the first week of each month</mark>." in html or "<mark>the first week of each month.</mark>" in html
    assert '<span class="mask">&lt;EMAIL&gt;</span>' in html
    text = Page(html).text
    assert "run again with --show-text" in text
    assert text.count("True suffix, recited before") == 6
    # A masked suffix that looks the same may hide another name.
    assert "after : no difference outside the masks Mondays. Regards," in text
    assert "after : the true suffix Reader:" in text
    assert "1 more of the forget set" in text
    assert text.count("Under the controls") == 6


def test_flags_of_the_comparison_decide_what_equal_texts_mean(comparison):
    comparison["training"]["records"] = []
    held_out = comparison["examples"][3]
    held_out["extractable"] = {"before": True, "after": True}
    assert "after : the true suffix Mondays." in read(comparison).text
    held_out["extractable"] = {"before": False, "after": False}
    text = read(comparison).text
    assert "before : differs only in what is masked or in how the same text is cut into tokens Mondays." in text
    assert "after : differs only in what is masked or in how the same text is cut into tokens Mondays." in text


def test_shown_personal_data_is_announced(comparison):
    comparison["training"]["records"] = []
    comparison["examples"] = [entry | {"masked": False} for entry in comparison["examples"]]
    html = unlearning_page(comparison)
    text = Page(html).text
    assert "shows personal data in the clear" in text
    assert "run again with --show-text" not in text
    assert '<span class="mask">&lt;EMAIL&gt;</span> for instance' not in html


def test_a_continuation_that_was_not_decoded(comparison):
    comparison["training"]["records"] = []
    comparison["examples"][0]["after"] = None
    assert "after Not decoded." in read(comparison).text


def test_extractable_only_leaves_the_scores_out(make_comparison):
    page = read(make_comparison(full=False))
    assert page.tags.count("svg") == 2 + 10
    assert "How firmly it is still known" not in page.text
    assert "EL 10 rows" not in page.text
    assert "credentials before 143 28.0 % 21.3–35.8 % 20.3 % 14.5–27.6 % after 143 21.7 %" in page.text
    assert "Perplexity on held-out text was not measured." in page.text
    assert not re.search(r"\b(None|nan)\b", page.text.replace("None of", ""))


def test_empty_lists(make_comparison):
    comparison = make_comparison(splits=[], categories_by_split=[], held_out_text=None, examples=[], settings={})
    comparison["training"] |= {"records": []}
    page = read(comparison)
    assert page.tags.count("svg") == 0
    assert "No examples." in page.text
    assert "No rows to show." in page.text
    links = {value[1:] for tag, name, value in page.attributes if tag == "a" and name == "href"}
    assert links <= set(page.ids)
    assert not {"firmness", "training"} & set(page.ids)


def test_a_control_that_a_group_lacks(make_comparison):
    comparison = make_comparison(controls=True)
    del comparison["splits"][0]["by"]["constant"]
    del comparison["categories_by_split"][0]["by"]["constant"]
    del comparison["examples"][0]["constant"]
    del comparison["held_out_text"]["perplexity"]["constant"]
    read(comparison)


def test_the_file_is_written_whole_or_not_at_all(comparison, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("before")
    comparison["training"]["records"] = []
    with pytest.raises(KeyError):
        write_unlearning_report({**comparison, "before": {}}, path)
    assert path.read_text() == "before"
    write_unlearning_report(comparison, path)
    assert path.read_text("utf-8") == unlearning_page(comparison)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
