"""The generated column reference."""

from metrics.metric import Column
from reporting.columns import column_reference

TABLES = {
    "token scores": (
        Column("sequence_id", "int64", "Identifies the sequence."),
        Column(
            name="log_p_z",
            type="list<float32>",
            description="Log-probability | of the suffix,\n<EMAIL> or x_t.",
            unit="nats",
            range="(-inf, 0]",
            direction="higher = more memorized",
            formula="sum_t log p(x_t | x_<t)",
            source="Hayes et al. 2024",
        ),
    )
}


def test_every_table_has_its_columns():
    text = column_reference(TABLES)
    assert "- [token scores](#token-scores) (2)" in text
    assert "## token scores" in text
    assert "| `sequence_id` | `int64` | Identifies the sequence. |  |  |  |" in text


def test_texts_cannot_break_the_table():
    text = column_reference(TABLES)
    assert (
        "| `log_p_z` | `list<float32>` | Log-probability \\| of the suffix, &lt;EMAIL> or x\\_t. "
        "| nats | (-inf, 0] | higher = more memorized |"
    ) in text
    assert "| `log_p_z` | `sum_t log p(x_t \\| x_<t)` | Hayes et al. 2024 |" in text


def test_only_defined_columns_have_a_formula_row():
    definitions = column_reference(TABLES).split("| column | formula | source |")[1]
    assert "sequence_id" not in definitions
