"""Numbers of persons and accounts: formats, check digits, words near them. All are made up or published samples."""

from __future__ import annotations

import re

import pytest
from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, IbanRecognizer, UsSsnRecognizer

from metrics.categories.evidence import LIKELY
from metrics.categories.identity_numbers import find_identity_numbers
from metrics.categories.presidio_numbers import REACH


def found(text: str) -> set[tuple[str, str]]:
    return {(span.type, text[span.start : span.end]) for span in find_identity_numbers(text) if span.score >= LIKELY}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("NHS number 943 476 5919.", "UK_NHS", "943 476 5919"),
        ("National Insurance: AB 12 34 56 C", "UK_NINO", "AB 12 34 56 C"),
        ("DNI 12345678Z", "ES_NIF", "12345678Z"),
        ("su NIE es X1234567L", "ES_NIE", "X1234567L"),
        ("codice fiscale RSSMRA85T10A562S", "IT_FISCAL_CODE", "RSSMRA85T10A562S"),
        ("PESEL: 44051401359", "PL_PESEL", "44051401359"),
        ("hetu 131052-308T", "FI_PERSONAL_IDENTITY_CODE", "131052-308T"),
        ("personnummer 811228-9874", "SE_PERSONNUMMER", "811228-9874"),
        ("NRIC S1234567D", "SG_NRIC_FIN", "S1234567D"),
        ("my tax file number is 123 456 782", "AU_TFN", "123 456 782"),
        ("Medicare card 2123 45670 1", "AU_MEDICARE", "2123 45670 1"),
        ("Aadhaar 2345 6789 0124", "IN_AADHAAR", "2345 6789 0124"),
        ("PAN: ABCPE1234F", "IN_PAN", "ABCPE1234F"),
        ("RRN 900101-1000006", "KR_RRN", "900101-1000006"),
        ("Steuer-ID 86095742719", "DE_TAX_ID", "86095742719"),
        ("ITIN 911-70-1234", "US_ITIN", "911-70-1234"),
        ("Medicare 1EG4-TE5-MK73", "US_MBI", "1EG4-TE5-MK73"),
        ("driver's license D1234567", "US_DRIVER_LICENSE", "D1234567"),
        ("SSN 536 22 8143", "US_SSN", "536 22 8143"),
        ("she gave 536-22-8143 and", "US_SSN", "536-22-8143"),
        ("my iban is gb82west12345698765432", "IBAN", "gb82west12345698765432"),
        ("pay DE89 3704 0044 0532 0130 00 by 2 May", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("card 4539 5787 6362 1486 of", "CREDIT_CARD", "4539 5787 6362 1486"),
        ("my card 4539578763621486 is lost", "CREDIT_CARD", "4539578763621486"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert (kind, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        # One digit off: the sum of 10*9 + 9*4 + ... is no multiple of 11 any more.
        "NHS number 943 476 5918",
        "PESEL: 44051401358",
        "DNI 12345678A",
        "hetu 131052-308U",
        "personnummer 811228-9875",
        "TFN 123 456 783",
        "Medicare card 2123 45671 1",
        "Aadhaar 2345 6789 0125",
        "Steuer-ID 86095742718",
        "National Insurance: GB 12 34 56 C",
        "DE89 3704 0044 0532 0130 01",
        "GB82WEST1234569876543 of the bank",  # a British IBAN has 22 characters
        "card 4539 5787 6362 1487",
        # Right, but nothing says what they are.
        "943 476 5919",
        "44051401359",
        "4539578763621486",
        "536228143 and 536 22 8143",
        "ships as 536-22-8143 in blue",
        "536-22-8143",
        "gb82west12345698765432",
        "12345678Z",
        # Nobody's.
        "SSN 666-22-8143, SSN 000-12-3456, SSN 078-05-1120, SSN 911-20-1234",
        "card 4111 1111 1111 1111",
        "card 0000 0000 0000 0000",
        "4802 4804 4806 4808 4810 4812 4814",
        "the MIT license 1234567 and a pan of 2 litres",
        "9783161484100 10.1000/1824.4539578763621486 0x4539578763621486",
    ],
)
def test_none(text: str) -> None:
    assert found(text) == set()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("she gave 536-22-8143 and then 418-33-2906 to the clerk", 2),
        ("she gave 536-22-8143 and then 418-00-2906 to the clerk", 0),  # group 00 is not issued
        ("she gave 536-22-8143 and then 918-33-2906 to the clerk", 0),  # nor is an area from 900 on
        ("SSN 536-22-8143, and elsewhere the hinge is called 918-33-2906", 1),
        ("Part no. and price\n536-22-8143  4.50\n", 0),
        ("the catalogue number of the hinge is 536-22-8143", 0),
        ("her order was late. SSN 536-22-8143", 1),
        ("in order to pay she gave 536-22-8143", 1),
        ("it says 4539 5787 6362 1486 on the back", 1),
        ("it says 4539 5787 6362 1486 and 4539 5787 6362 1487 on the back", 0),
        ("serial number 4539 5787 6362 1486", 0),
        # 9+5+6+9 + 1+7+7+7 + 3+3+3+2 + 2+4+7+5 = 80 is a multiple of ten, but no bank has cards from 9 on.
        ("it says 9539 5787 6362 1485 on the back", 0),
    ],
)
def test_bare_numbers_are_doubted_among_numbers_of_things(text: str, kept: int) -> None:
    assert len(found(text)) == kept


def test_a_word_raises_the_score_by_what_presidio_adds() -> None:
    (bare,) = find_identity_numbers("of her 536-22-8143 and")
    (named,) = find_identity_numbers("SSN: 536-22-8143 and")
    (far,) = find_identity_numbers("SSN" + " of" * 40 + " 536-22-8143")
    assert (bare.score, named.score, far.score) == (0.5, 0.85, 0.45)
    assert "word" in named.why and "word" not in bare.why


def test_checks_are_those_of_presidio() -> None:
    card, iban, ssn = CreditCardRecognizer(), IbanRecognizer(), UsSsnRecognizer()
    agreed = set()
    for number in range(4539578763621480, 4539578763621500):
        theirs = bool(card.analyze(str(number), ["CREDIT_CARD"], None))
        assert (("CREDIT_CARD", str(number)) in found(f"card {number}")) == theirs
        agreed.add(theirs)
    for check in range(2, 99):
        number = f"FR{check:02}20041010050500013M02606"
        theirs = bool(iban.analyze(number, ["IBAN_CODE"], None))
        assert (("IBAN", number) in found(number)) == theirs
        agreed.add(theirs)
    for number in ("536-22-8143", "666-22-8143", "000-22-8143", "536-00-8143", "536-22-0000", "111-11-1111"):
        theirs = max((result.score for result in ssn.analyze(number, ["US_SSN"], None)), default=0) >= LIKELY
        assert (("US_SSN", number) in found(f"her {number}")) == theirs
    assert agreed == {True, False}


def test_luhn_by_hand() -> None:
    # 4539 5787 6362 1486, every second digit doubled from the right (over 9: minus 9), the last one kept:
    # 8+5+6+9 + 1+7+7+7 + 3+3+3+2 + 2+4+7+6 = 80, a multiple of ten.
    doubled = [int(digit) for digit in "4539578763621486"]
    for place in range(0, 16, 2):
        doubled[place] = doubled[place] * 2 - 9 * (doubled[place] > 4)
    assert sum(doubled) == 80
    assert found("card 4539578763621486")


def test_records_with_commas_and_lists_of_parts() -> None:
    (found,) = find_identity_numbers("name,ssn\nGladys Ferrell,512-44-8190")
    assert (found.type, found.score >= 0.5) == ("US_SSN", True)
    (found,) = find_identity_numbers("name,card\nGladys Ferrell,4539578763621486")
    assert (found.type, found.score >= 0.5) == ("CREDIT_CARD", True)
    parts = find_identity_numbers("PART LIST\n4 x 512-30-1184 bushing\n2 x 411-27-3390 washer")
    assert parts and all(span.score < 0.5 for span in parts)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SSN: 219094416", "US_SSN"),
        ('{"ssn": "536228914"}', "US_SSN"),
        ("My social security number is 536228914.", "US_SSN"),
        ("passport no. 488213377", "US_PASSPORT"),
        ("driver's license number 44127733", "US_DRIVER_LICENSE"),
        ("social insurance number 130692544", "CA_SIN"),
    ],
)
def test_a_word_right_before_a_number_decides(text: str, kind: str) -> None:
    assert [(span.type, span.score) for span in find_identity_numbers(text)] == [(kind, 0.6)]
    apart = re.sub("(?=[0-9]{8})", "and then, later, ", text, count=1)
    assert all(span.score < 0.5 for span in find_identity_numbers(apart))


def test_a_word_that_the_reach_cuts_in_two_announces_nothing() -> None:
    assert found("ss no. is 536 22 8143")
    text = "business no " + "x" * 43 + " 536 22 8143"
    assert text[text.index("536") - REACH :].startswith("ss no ")  # so it would look there
    assert found(text) == set()
