"""The plots of an unlearning: what they say in words, and what they leave out."""

import re

import pytest

from reporting import unlearning_plots as plots


def description(svg):
    return re.search(r"<desc[^>]*>(.*?)</desc>", svg).group(1)


def test_shares_are_described_with_their_intervals(make_comparison):
    words = description(plots.by_split(make_comparison(controls=True), plots.EXTRACTABLE, "share", "Share"))
    assert words.startswith(
        "forget set, 39 rows: before 100.0 % (91.0–100.0 %), after 0.0 % (0.0–9.0 %), constant 97.4 % (86.8–99.5 %), "
        "permuted 87.2 % (73.3–94.4 %); held out of the same category, 13 rows: before"
    )


def test_the_drawing_shows_before_and_after_of_each_split(comparison):
    svg = plots.by_split(comparison, plots.LIKELIHOOD, "likelihood", "ln p_z")
    assert re.findall(r">([^<>]* → [^<>]*)<", svg) == [
        "-1.1 → -58.9",
        "-1.2 → -31.5",
        "-140.0 → -142.0",
        "-8.0 → -8.1",
        "-92.0 → -92.5",
        "-201.0 → -201.4",
    ]
    assert "#05" not in svg  # every stand-in colour has become a variable of the page


def test_marks_lie_where_their_values_are(make_comparison):
    def positions(share):
        comparison = make_comparison()
        comparison["splits"] = comparison["splits"][:1]
        comparison["splits"][0]["by"]["after"] |= {"share": share, "low": share, "high": share}
        svg = plots.by_split(comparison, plots.EXTRACTABLE, "share", "Share")
        marks = re.findall(r'<use [^>]*x="([\d.]+)"[^>]*style="fill: var\(--calm-0\)', svg)
        assert len(marks) == 1
        return float(marks[0])

    left, middle, right = positions(0.0), positions(0.5), positions(1.0)
    assert middle == pytest.approx((left + right) / 2, abs=0.01)
    assert right - left > 200


def test_splits_without_the_figure_are_left_out(make_comparison):
    comparison = make_comparison(full=False)
    assert plots.by_split(comparison, plots.ACCURACY, "accuracy", "MA") is None
    assert plots.by_split(comparison, plots.EXTRACTABLE, "share", "Share") is not None
    comparison["splits"][1]["by"]["before"]["share"] = None
    assert "held out" not in plots.by_split(comparison, plots.EXTRACTABLE, "share", "Share")
    comparison["splits"] = []
    assert plots.by_split(comparison, plots.EXTRACTABLE, "share", "Share") is None


def test_curves_of_what_was_recorded_with_the_controls(make_comparison):
    drawn = dict(plots.curves(make_comparison(controls=True)))
    assert list(drawn) == [
        "Forget set: extractable",
        "Forget set: MA",
        "Retain set: extractable",
        "Reward, mean ± spread",
        "KL, nats a token",
        "Retain loss, nats a token",
        "Clipped ratios",
        "Entropy, nats a token",
        "Gradient norm",
        "Policy loss",
    ]  # a constant learning rate is no curve
    # The curve starts from the forget set as it was measured before.
    words = description(drawn["Forget set: extractable"])
    assert words == (
        "after: 1.00 at iteration 0, 0 at 10; constant: 1.00 at iteration 0, 0.974 at 10; "
        "permuted: 1.00 at iteration 0, 0.872 at 10"
    )
    assert description(drawn["KL, nats a token"]).startswith("after: 0.0133 at iteration 1, 0.420 at 10; constant:")


def test_a_learning_rate_that_changes_is_drawn(comparison):
    comparison["training"]["records"][-1]["learning_rate"] = 0.0001
    assert "Learning rate" in dict(plots.curves(comparison))


def test_methods_without_rewards_have_no_reward_curve(comparison):
    comparison["training"]["records"] = [
        {"iteration": 1, "forget_loss": 2.0, "forget_extractable": 0.5, "gradient_norm": None}
    ]
    assert [title for title, _ in plots.curves(comparison)] == ["Forget set: extractable", "Forget loss, nats a token"]
    comparison["training"]["records"] = []
    assert plots.curves(comparison) == []


def test_ids_of_all_curves_differ(make_comparison):
    ids = [
        value for _, svg in plots.curves(make_comparison(controls=True)) for value in re.findall(r' id="([^"]+)"', svg)
    ]
    assert ids
    assert len(ids) == len(set(ids))
