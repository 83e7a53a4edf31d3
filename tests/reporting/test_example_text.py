"""What a reader sees of hostile and differing texts."""

import pytest

from reporting.example_text import Piece, pieces, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a␛[31mb"),
        ("null \x00 del \x7f", "null ␀ del ␡"),
        ("gnp.\u202eexe", "gnp.⟨U+202E⟩exe"),
        ("half \ud83d", "half \ufffd"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("naïve 漢字", "naïve 漢字"),
    ],
)
def test_nothing_stays_hidden(text, shown):
    assert visible(text) == shown


def test_differing_words_are_marked_on_both_sides():
    suffix, continuation = "call Ann on Monday", "call Bob on Monday"
    assert pieces(suffix, continuation) == [Piece("call "), Piece("Ann", differs=True), Piece(" on Monday")]
    assert pieces(continuation, suffix) == [Piece("call "), Piece("Bob", differs=True), Piece(" on Monday")]


def test_a_space_between_differing_words_is_marked_with_them():
    assert pieces("x y", "a b") == [Piece("x y", differs=True)]


def test_a_differing_line_feed_can_be_seen():
    assert pieces("a\nb", "a b") == [Piece("a"), Piece("↵\n", differs=True), Piece("b")]


def test_only_types_that_mask_are_marked_as_masks():
    assert pieces("<EMAIL> <DIV>", None, {"EMAIL"}) == [Piece("<EMAIL>", masked=True), Piece(" <DIV>")]


def test_masks_of_the_same_type_do_not_differ():
    assert not any(piece.differs for piece in pieces("to <EMAIL>", "to <EMAIL>", {"EMAIL"}))


def test_nothing_is_lost():
    text = "  def f(x):\n\treturn <API_KEY>; # ünï <b>\n"
    assert "".join(piece.text for piece in pieces(text, text, {"API_KEY"})) == text
    assert pieces("", "") == []
