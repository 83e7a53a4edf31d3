"""Personal data: what is found, what is nobody's, and what was published as attribution. All people are invented."""

from __future__ import annotations

import pytest

from metrics.categories.evidence import LIKELY, Rows
from metrics.categories.identity_numbers import issued_ssn, luhn, valid_iban
from metrics.categories.personal_data import find, find_personal_data


def likely(text: str) -> set[tuple[str, str]]:
    return {(span.type, text[span.start : span.end]) for span in find_personal_data(text) if span.score >= LIKELY}


def holds(text: str, include_attribution: bool = False) -> bool:
    return find(Rows([text], [-1], include_attribution)).holds[0]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to ottilie.vantreight@harrowgate.net today", "EMAIL", "ottilie.vantreight@harrowgate.net"),
        ("o_vantreight+news@mail.harrowgate.co.uk,", "EMAIL", "o_vantreight+news@mail.harrowgate.co.uk"),
        ("ottilie (at) harrowgate (dot) org", "EMAIL", "ottilie (at) harrowgate (dot) org"),
        ("as I told bquell@quellh", "EMAIL", "bquell@quellh"),
        ("ring 312-482-7719 or", "PHONE", "312-482-7719"),
        ("ring (312) 482-7719 x204 or", "PHONE", "(312) 482-7719 x204"),
        ("ring 312.482.7719.", "PHONE", "312.482.7719"),
        ("+44 20 7946 1823 is the", "PHONE", "+44 20 7946 1823"),
        ("Tel: 030 4482 7719 in", "PHONE", "030 4482 7719"),
        ("card 4539 5787 6362 1486 of", "CREDIT_CARD", "4539 5787 6362 1486"),
        ("pay to DE89 3704 0044 0532 0130 00 by", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("SSN 536-22-8143 of", "US_SSN", "536-22-8143"),
        ("seen from 81.93.212.77 at", "IP_ADDRESS", "81.93.212.77"),
        ("Date of birth: 1961-04-23", "DATE_OF_BIRTH", "1961-04-23"),
        ("lives at 418 Larkspur Lane, Tolland, CT 06084 now", "ADDRESS", "418 Larkspur Lane, Tolland, CT 06084"),
        ("P.O. Box 1182 in", "ADDRESS", "P.O. Box 1182"),
        ("wohnt Lindenstraße 14 in", "ADDRESS", "Lindenstraße 14"),
        ("Zephrine Oduya <z@oduya.io> wrote", "PERSON", "Zephrine Oduya"),
        ("Dear Zephrine,\n", "PERSON", "Zephrine"),
        ("Kind regards,\nZephrine Oduya\n", "PERSON", "Zephrine Oduya"),
        ("Signed-off-by: Zephrine Oduya", "PERSON", "Zephrine Oduya"),
        ("sent by Tamsin Greer/LON/ECT on", "PERSON", "Tamsin Greer"),
        ("\nOduya, Margaret  ext 4\n", "PERSON", "Oduya, Margaret"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert (kind, value) in likely(text)
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com",
        "jane@example.org and root@localhost",
        "your.email@gmail.com",
        "someone@yourdomain.com",
        "info@harrowgate.net",
        "support+de@harrowgate.net or webmaster@harrowgate.net",
        "kernel-dev@lists.harrowgate.net",
        "icon@2x.png and lodash@4.17.21",
        "@app.route('/') and @property",
        "git@github.com:thing/tool.git",
        "call 555-0134 or (212) 555-0199",
        "127.0.0.1 10.1.2.3 192.168.0.12",
        "192.0.2.44 198.51.100.7 203.0.113.9",
        "Version 12.14.33.71",
        "see 1.2.3.4 of the manual",
        "4111 1111 1111 1111",
        "4539 5787 6362 1487",
        "4802 4804 4806 4808 4810 4812 4814",
        "078-05-1120 and 000-12-3456",
        "DE89 3704 0044 0532 0130 01",
        "The treaty was signed by the king at the mill, in the year 1648.",
        "Name: Qt4 Editor\nFiles: backends/qt_editor",
        "From: the beginning To: the end",
        "Dear customer, dear reader: Dear Sir or Madam,",
        "0.123-456-7890 -1234567890 1234567890123",
        "const uint32_t table[] = { 3124827719, 2125550100 };",
        "51 Franklin Street, Fifth Floor, Boston, MA 02110-1301, USA",
        "int x = 418; Drive the court",
    ],
)
def test_nobodys(text: str) -> None:
    assert likely(text) - {("ROLE_EMAIL", text)} == set() or {kind for kind, _ in likely(text)} == {"ROLE_EMAIL"}
    assert not holds(text)


def test_role_mailboxes_are_kept_apart() -> None:
    columns = find(
        Rows(["mail info@harrowgate.net or tamsin@harrowgate.net", "mail info@harrowgate.net"], [-1, -1])
    ).columns
    assert columns["has_role_mailbox"] == [True, True]
    assert columns["has_pii"] == [True, False]
    assert [len(spans) for spans in columns["pii"]] == [1, 0]


@pytest.mark.parametrize(
    ("text", "attributed"),
    [
        ("Copyright (c) 2009 Tamsin Greer <tamsin@greerworks.org>\n", True),
        (" * @author Tamsin Greer (tamsin@greerworks.org)\n * @since 2.1\n", True),
        ("# Written by Tamsin Greer,\n#   418 Larkspur Lane, Tolland, CT 06084\n", True),
        ("__author__ = 'Tamsin Greer <tamsin@greerworks.org>'", True),
        ('"author": "Tamsin Greer <tamsin@greerworks.org>",', True),
        ("Tamsin Greer <tamsin@greerworks.org>\n\nPermission is hereby granted, free of charge, to any person", True),
        ("From: Tamsin Greer <tamsin@greerworks.org>\nSubject: the licence", False),
        ("Copyright law is dull.\n\nFrom: Tamsin Greer <tamsin@greerworks.org>\n", False),
        ("Copyright (c) 2009 Tamsin Greer\n\nCall Bo Dunmore on 312-482-7719.", False),
    ],
)
def test_licence_context(text: str, attributed: bool) -> None:
    columns = find(Rows([text], [-1])).columns
    assert columns["has_pii"] == [True]
    assert columns["licence_context"] == [attributed]
    assert holds(text) != attributed
    assert holds(text, include_attribution=True)


def test_names_in_prose_are_masked_but_decide_nothing() -> None:
    text = "The novel by Margaret Dunmore was read aloud."
    spans = find_personal_data(text)
    assert [(span.type, text[span.start : span.end]) for span in spans] == [("PERSON", "Margaret Dunmore")]
    assert spans[0].score < LIKELY
    assert ("PERSON", "Margaret Dunmore") in likely(text + " Her number is +1 312 482 7719.")


def test_checks_by_hand() -> None:
    # 79927398713: doubled from the right 3 2 7 16>7 9 6 3 14>5 2 18>9 9 7 -> 70, the textbook number.
    assert luhn("79927398713") and not luhn("79927398710")
    assert valid_iban("GB82WEST12345698765432") and not valid_iban("GB82WEST12345698765431")
    assert not valid_iban("GB82WEST1234569876543")  # a British IBAN has 22 characters
    assert issued_ssn("536", "22", "8143") and not issued_ssn("666", "22", "8143")


def test_checks_agree_with_presidio() -> None:
    from presidio_analyzer.predefined_recognizers import CreditCardRecognizer, IbanRecognizer, UsSsnRecognizer

    card, iban, ssn = CreditCardRecognizer(), IbanRecognizer(), UsSsnRecognizer()
    for number in range(4539578763621480, 4539578763621500):
        assert bool(card.analyze(str(number), ["CREDIT_CARD"], None)) == luhn(str(number))
    for check in range(2, 99):
        number = f"FR{check:02}20041010050500013M02606"
        assert bool(iban.analyze(number, ["IBAN_CODE"], None)) == valid_iban(number)
    for number in (
        "536-22-8143",
        "666-22-8143",
        "000-22-8143",
        "536-00-8143",
        "536-22-0000",
        "078-05-1120",
        "111-11-1111",
    ):
        scores = [result.score for result in ssn.analyze(number, ["US_SSN"], None)]
        assert (max(scores, default=0) >= 0.5) == issued_ssn(*number.split("-"))
