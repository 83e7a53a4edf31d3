"""Redaction: planted people, numbers and secrets never show, whatever the detectors found. All are invented."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.redaction import redact, redact_parts

PEOPLE = [
    "Zebulon Quarrington",
    "Yvaine Obuya-Strand",
    "Ptolemy Wexcombe",
    "Íñigo Kvaløy",
    "Margaret Dunmore",
    "Xu Nguyen",
]
PLACES = [
    "In the spring {name} wrote to the council that the old mill should be kept.",
    "{name} was there, as was the rest of the office.",
    "Name: {name}\nPhone: {phone}\nEmail: {mail}\nAddress: 12 Wexcombe Lane\n",
    "Dear {name},\n\nthanks for the note. Call me on {phone}.\n\nBest,\n{name}\n",
    "-- \n{lower}\n{mail}\n",
    "see you on monday,\n\n{lower}",
    "{last}, {first}   {phone}   {mail}\n",
    "{upper}\nHEAD OF SALES\nTEL {phone}\n",
    "From: {name} <{mail}>\nTo: list\nSubject: the mill\n",
    "author = '{name}'  # reach me: {mail}\nowner = \"{lower}\"\n",
    "The keeper ({name}, {phone}) has the key; so has {last}.",
    "http://www.wexcombe-mill.org/~{user}/index.html and /home/{user}/src",
]
PHONES = [
    "+44 20 7946 1823",
    "(312) 482-7719",
    "312.482.7719",
    "06 48 27 71 93",
    "3124827719",
    "555-0142",
    "0171/234 56 78",
]


def planted(place: str, name: str, phone: str) -> tuple[str, list[str]]:
    first, last = name.split(" ")
    user = (first[0] + last).lower()
    fields = {"name": name, "first": first, "last": last, "lower": name.lower(), "upper": name.upper()}
    text = place.format(**fields, user=user, phone=phone, mail=f"{user}@{last.lower()}works.net")
    return text, [name, first, last, user, phone, *re.findall(r"[^\W\d_]{3,}", name)]


@pytest.mark.parametrize("harmful", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_planted_people_never_show(place: str, harmful: bool) -> None:
    for name in PEOPLE:
        for phone in PHONES:
            text, secrets = planted(place, name, phone)
            shown = redact(text, [], harmful)
            for secret in secrets:
                pattern = rf"(?<![^\W\d_]){re.escape(secret)}(?![^\W\d_])"
                assert not re.search(pattern, shown, re.IGNORECASE), (secret, shown)
            assert "@" not in shown
            assert shown.count("\n") == text.count("\n")


@pytest.mark.parametrize("name", ["Rose Stone", "Mark Young", "Will Brooks", "Grace Bell", "Hunter Wells"])
def test_names_made_of_ordinary_words(name: str) -> None:
    _, last = name.split()
    for text in (f"I met {name} at the mill.", f"Dear {name},\n", f"{name}\n12 High Street\n", f"{name} <x@rs.net>"):
        assert last not in redact(text, [], harmful=True)
        assert name not in redact(text, [], harmful=False)
    assert last.lower() not in redact(f"thanks\n{name.lower()}", [], harmful=True).split()


@pytest.mark.parametrize(
    "text",
    [
        "AKIAQ3EGRI7UZ5PLX2WD",
        "password = tr4cKt0r!99",
        "the code is k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4 as before",
        "svc:tr4cKt0rz77@db",
    ],
)
def test_secrets(text: str) -> None:
    shown = redact(text, [], harmful=True)
    for secret in ("Q3EGRI", "tr4cKt0r", "k3JfQ9", "cKt"):
        assert secret not in shown


def test_detected_spans_are_named_by_their_type() -> None:
    text = "write to the author of the file"
    assert (
        redact(text, [{"type": "PERSON", "start": 13, "end": 19}], harmful=False) == "write to the <PERSON> of the file"
    )
    nested = [{"type": "EMAIL", "start": 0, "end": 8}, {"type": "PERSON", "start": 3, "end": 12}]
    assert redact(text, nested, harmful=False).startswith("<EMAIL>")
    assert redact(text, [{"type": "PERSON", "start": -5, "end": 999}], harmful=False) == "<PERSON>"


def test_ordinary_text_stays_readable() -> None:
    for text in (
        "Permission is hereby granted, free of charge, to any person obtaining a copy of this file.",
        "def read_line(self, buffer):\n    return self._buffer.readline(80)\n",
        "The water was high in the night, and we were not able to open the door again.",
        "item 101\nitem 102\nitem 103\nitem 104\nitem 105\nitem 106",
        "In January 2009 the Python community and the Apache project wrote it.",
    ):
        assert redact(text, [], harmful=False) == text


def test_layout_is_kept() -> None:
    shown = redact("Tel:\t(312) 482-7719\n\n  * Wexcombe\n  * WEXCOMBE, wexcombe!\n", [], harmful=False)
    assert shown == "Tel:\t<PHONE>\n\n  * Xxxx\n  * XXXX, xxxx!\n"
    assert redact("no. 48213, of 4711", [], harmful=False) == "no. #####, of ####"
    assert redact("in 1999", [], harmful=False) == "in 1999"
    assert redact("in 1999", [], harmful=True) == "in ####"


def test_what_a_cut_divides_is_masked_on_both_sides() -> None:
    prefix, suffix = "write to zebulon.qu", "arrington@quarrworks.net now"
    assert redact_parts([prefix, suffix], [], harmful=False) == ["write to <EMAIL>", " now"]
    assert redact_parts(["", "call 312-48", "2-7719", ""], [], harmful=False) == ["", "call <PHONE>", "", ""]
    parts = ["The house of Quarr", "ington in the ", "Wexcombe valley"]
    shown = redact_parts(parts, [], harmful=False)
    assert shown == ["The house of Xxxx", " in the ", redact("Wexcombe valley", [], harmful=False)]


@pytest.mark.parametrize(
    "text", ["", "\0" * 50, "\ud800 a \udfff", "a" * 100_000, "@" * 3000, "1 " * 3000, "A b " * 5000]
)
def test_degenerate_texts(text: str) -> None:
    redact(text, [], harmful=True).encode("utf-8")  # what is shown can be written to a file


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=80), st.integers(0, 80), st.booleans())
def test_parts_joined_are_the_whole(text: str, cut: int, harmful: bool) -> None:
    spans = [{"type": "PERSON", "start": cut // 2, "end": cut}]
    parts = redact_parts([text[:cut], text[cut:]], spans, harmful)
    assert "".join(parts) == redact(text, spans, harmful)
    assert not re.search(r"\d{5}", "".join(parts))
