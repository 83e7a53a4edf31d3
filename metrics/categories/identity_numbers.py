"""Numbers that stand for one person or account: payment cards, IBANs, social security and national identity numbers.

Formats and checksums are Presidio's. One random number in ten or eleven has a right check digit, so a number that is
nothing but digits needs a word beside it that names it. An IBAN and a card's groups of digits need none, but in a list
of other things' numbers they are doubted. So is the dashed form of a social security number, which goods are numbered
in as well: it needs a word that names it, or one for a person.
"""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re
from dataclasses import replace

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches
from metrics.categories.presidio_numbers import Number, found, near, recognize

_BEFORE, _AFTER = r"(?<![A-Za-z0-9_./-])(?<![0-9],)", r"(?![A-Za-z0-9_/-]|[.,][0-9])"
TEST_CARDS = frozenset(
    """4111111111111111 4242424242424242 5555555555554444 378282246310005 4012888888881881 5105105105105100
    6011111111111117""".split()
)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", re.IGNORECASE | re.ASCII)


_CARD_WORDS = _words(
    r"(?:credit|debit|bank|payment)[ -]?cards?|cards?|cc|visa|master[ -]?card|amex|american express|maestro|jcb|diners"
)
_IBAN_WORDS = _words(r"iban|bank|account|transfer")
# Found by their shape alone.
_GROUPED_CARD = Number(
    "CREDIT_CARD",
    re.compile(
        rf"(?<![0-9] ){_BEFORE}(?:[0-9]{{4}}[ -][0-9]{{4}}[ -][0-9]{{4}}[ -][0-9]{{1,4}}(?:[ -][0-9]{{3}})?|"
        rf"3[0-9]{{3}}[ -][0-9]{{6}}[ -][0-9]{{4,5}}){_AFTER}(?! [0-9])"
    ),
    _CARD_WORDS,
    0.6,
    "check digit of a payment card (Luhn)",
)
_PLAIN_CARD = replace(_GROUPED_CARD, shape=re.compile(rf"{_BEFORE}[0-9]{{12,19}}{_AFTER}"), bare=0.0)
_IBAN = Number(
    "IBAN",
    re.compile(
        r"(?<![A-Za-z0-9_/+-])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9_/+])"
    ),
    _IBAN_WORDS,
    1.0,
    "check digits and the country's format",
)
# Areas from 900 on are not issued; taxpayer numbers (ITIN) begin there.
_DASHED_SSN = Number(
    "US_SSN",
    re.compile(rf"{_BEFORE}[0-8][0-9]{{2}}-[0-9]{{2}}-[0-9]{{4}}{_AFTER}"),
    _words(r"social security|soc(?:ial)? sec|ssns?|ss ?#|ss no"),
    0.5,
    "form and range that is issued",
)
_OTHER_SSN = replace(
    _DASHED_SSN, shape=re.compile(rf"{_BEFORE}[0-8][0-9]{{2}}[ .]?[0-9]{{2}}[ .]?[0-9]{{4}}{_AFTER}"), bare=0.0
)
# Words that name numbers of things. Goods, files and orders are numbered in the same groups of digits.
_THINGS = _words(
    r"(?:part|item|product|model|catalog(?:ue)?|cat|stock|order|invoice|serial|batch|lot|ticket|tracking|case|docket|drawing|"
    r"form|reference|ref|version|isbn|upc|ean)"
    r"(?:s? list\b| ?[:#]| ?(?:no|nos|nr|num|numbers?|ids?|codes?)\.?)|sku|p/n|s/n"
)
# Words for the one whose number it is.
_PERSONS = _words(
    r"he|she|his|hers?|him|my|me|mine|born|birth|employees?|patients?|applicants?|claimants?|taxpayers?|dependents?|"
    r"spouse|payroll|w-?2|beneficiar(?:y|ies)|defendants?|insured"
)
NOBODYS = "form and range that is issued, beside no word for a person"
_UNNAMED = 0.45
_THINGS_REACH = 400  # characters before a number: the head of its column
_DOUBTED = 0.3
# Numbers of the same form as those that are found by their shape alone, whether they are cards and SSNs or not.
_FORMS = {
    "CREDIT_CARD": _GROUPED_CARD.shape,
    "US_SSN": re.compile(rf"{_BEFORE}[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}{_AFTER}"),
}
# (type, shape, words): only looked for where one of the words is in the text.
_NATIONAL: tuple[Number, ...] = tuple(
    Number(kind, re.compile(rf"{_BEFORE}(?:{shape}){_AFTER}"), _words(words), 0.0, "form, and check digit if any")
    for kind, shape, words in (
        ("US_ITIN", r"9[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{4}", r"itin|taxpayer id\w*|individual taxpayer"),
        ("US_PASSPORT", r"[A-Z]?[0-9]{8,9}", r"passport"),
        ("US_DRIVER_LICENSE", r"[A-Z]{0,2}[0-9]{5,14}", r"driver'?s?'? licen[cs]e|driving licen[cs]e"),
        ("US_MBI", r"[1-9][A-Z][A-Z0-9][0-9]-?[A-Z][A-Z0-9][0-9]-?[A-Z]{2}[0-9]{2}", r"medicare|medicaid|mbi"),
        ("UK_NHS", r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", r"nhs|national health"),
        ("UK_NINO", r"[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]", r"national insurance|ni number|nino"),
        ("ES_NIF", r"[0-9]{7,8}-?[A-Z]", r"dni|nif|documento nacional"),
        ("ES_NIE", r"[XYZ][0-9]{7,8}-?[A-Z]", r"nie|extranjero"),
        ("PL_PESEL", r"[0-9]{11}", r"pesel"),
        (
            "FI_PERSONAL_IDENTITY_CODE",
            r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]",
            r"hetu|henkil.{1,2}tunnus|personal identity code",
        ),
        ("SE_PERSONNUMMER", r"(?:[0-9]{2})?[0-9]{6}[-+]?[0-9]{4}", r"personnummer|samordningsnummer"),
        ("SG_NRIC_FIN", r"[STFGM][0-9]{7}[A-Z]", r"nric|fin"),
        ("AU_TFN", r"[0-9]{3} [0-9]{3} [0-9]{3}|[0-9]{9}", r"tfn|tax file"),
        ("AU_MEDICARE", r"[2-6][0-9]{3} [0-9]{5} [0-9]|[2-6][0-9]{9}", r"medicare"),
        ("IN_AADHAAR", r"[0-9]{4}[ :-]?[0-9]{4}[ :-]?[0-9]{4}", r"aadhaar|aadhar|uidai"),
        ("IN_PAN", r"[A-Z]{5}[0-9]{4}[A-Z]", r"pan|permanent account"),
        ("KR_RRN", r"[0-9]{6}-?[1-4][0-9]{6}", r"rrn|resident registration"),
        ("CA_SIN", r"[1-79][0-9]{2}[ -]?[0-9]{3}[ -]?[0-9]{3}", r"social insurance|assurance sociale"),
        ("DE_TAX_ID", r"[1-9][0-9]{10}", r"steuer-?id\w*|steueridentifikationsnummer|identifikationsnummer|idnr"),
        (
            "IT_FISCAL_CODE",
            r"[A-Za-z]{6}[0-9L-V]{2}[A-Za-z][0-9L-V]{2}[A-Za-z][0-9L-V]{3}[A-Za-z]",
            r"codice fiscale|fiscal code",
        ),
    )
)  # fmt: skip
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_NAMES_IBAN = re.compile(r"iban", re.IGNORECASE | re.ASCII)
_ANY_WORD = re.compile("|".join(number.words.pattern for number in _NATIONAL), re.IGNORECASE | re.ASCII)


_UPPER = {ord(small): ord(small) - 32 for small in "abcdefghijklmnopqrstuvwxyz"}  # keeps the length, unlike `upper`


def find_identity_numbers(text: str) -> list[Span]:
    """The numbers of persons and accounts in a text.

    Returns:
        Spans of types `CREDIT_CARD`, `IBAN`, `US_SSN` and the types of national identity numbers as Presidio names them
        (`UK_NHS`, `ES_NIF`, ...), in no particular order; they may overlap.
    """
    spans = []
    if _FOUR_DIGITS.search(text):
        spans += [span for card in (_GROUPED_CARD, _PLAIN_CARD) for span in found(card, text) if _somebodys(text, span)]
        spans += [*found(_DASHED_SSN, text), *found(_OTHER_SSN, text)]
        spans = _doubted(text, spans)
    if _NAMES_IBAN.search(text):  # then one in small letters counts, too
        spans += found(_IBAN, text.translate(_UPPER))
    else:
        spans += found(_IBAN, text)
    if _TWO_DIGITS.search(text) and _ANY_WORD.search(text):
        for number in _NATIONAL:
            spans += found(number, text)
    return spans


def _somebodys(text: str, card: Span) -> bool:
    """Whether a card is none of the published test cards, and no run of few different digits."""
    digits = re.sub(r"[ -]", "", text[card.start : card.end])
    return digits not in TEST_CARDS and len(set(digits)) >= 4


def _doubted(text: str, spans: list[Span]) -> list[Span]:
    """Numbers as they are, or unlikely where nothing names them and something speaks against them.

    That is a word before one for the numbers of things, or another number of its form which is no card and no social
    security number: then it is one of a column of other numbers, of which some fit by chance. Of cards that banks give
    out the first digit is 2 to 6 (ISO/IEC 7812). A social security number without a person is left to the names in the
    text (`NOBODYS`).
    """
    bare = [span for span in spans if span.why in {_GROUPED_CARD.checked, _DASHED_SSN.checked}]
    misfits = {kind: _misfit(kind, text) for kind in {span.type for span in bare}}
    doubted = []
    for span in spans:
        if span in bare and (
            misfits[span.type]
            or _THINGS.search(text, max(0, span.start - _THINGS_REACH), span.start)
            or (span.type == "CREDIT_CARD" and text[span.start] not in "23456")
        ):
            span = replace(span, score=_DOUBTED, why=f"{span.why}, among numbers of other things")
        elif span in bare and span.type == "US_SSN" and not near(_PERSONS, text, span.start, span.end):
            span = replace(span, score=_UNNAMED, why=NOBODYS)
        doubted.append(span)
    return doubted


def _misfit(kind: str, text: str) -> bool:
    """Whether a number of the form of a kind is none of that kind."""
    numbers = [match.group() for match in first_matches(_FORMS[kind], text)]
    return any(recognize(kind, number) is None or (kind == "US_SSN" and number[0] == "9") for number in numbers)
