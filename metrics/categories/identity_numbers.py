"""Numbers with check digits or rules of issue: payment cards, IBANs, US social security numbers.

The checks are the ones of Presidio's recognizers (a test compares them). They are written out here because importing
Presidio loads spaCy, torch and transformers, 5 CPU seconds in every Spark worker, for a few lines of arithmetic.
"""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span

_CARD = re.compile(
    r"(?<![\w.,-])(?<!\d )(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,4}|3\d{3}[ -]\d{6}[ -]\d{5}|"
    r"[3456]\d{12,15})(?![\w-]|[. ]\d)"
)
_CARD_WORD = re.compile(r"credit|card|visa|mastercard|amex|american express|maestro|payment", re.IGNORECASE)
_TEST_CARDS = frozenset(
    """4111111111111111 4242424242424242 5555555555554444 378282246310005 4012888888881881 5105105105105100
    6011111111111117""".split()
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
# Length of an IBAN by country, from the registry of ISO 13616.
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in """AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29
    ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
    LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24
    SM27 TN24 TR26 UA29 VG24 XK20""".split()
}
_SSN = re.compile(r"(?<![\w.-])(\d{3})-(\d{2})-(\d{4})(?![\w-])")
_SSN_WORD = re.compile(r"social security|\bssn\b|\bss#", re.IGNORECASE)
_SAMPLE_SSNS = frozenset(("123-45-6789", "987-65-4320", "078-05-1120"))


def luhn(digits: str) -> bool:
    """Whether a string of digits has the check digit of ISO/IEC 7812 (Luhn)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def valid_iban(compact: str) -> bool:
    """Whether an IBAN without spaces has its country's length and right check digits (ISO 7064, mod 97-10)."""
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def issued_ssn(area: str, group: str, serial: str) -> bool:
    """Whether the three groups of a US social security number are of ranges that are issued, and no known sample."""
    never = area in {"000", "666"} or group == "00" or serial == "0000"
    same = len(set(area + group + serial)) == 1
    return not never and not same and f"{area}-{group}-{serial}" not in _SAMPLE_SSNS


def find_identity_numbers(text: str) -> Iterator[Span]:
    """Payment cards (`CREDIT_CARD`), bank accounts (`IBAN`) and social security numbers (`US_SSN`)."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match.group())
        if digits in _TEST_CARDS or len(set(digits)) < 4 or digits[0] not in "3456" or not luhn(digits):
            continue
        # One random number in ten has a right check digit, so a bare one needs a word beside it.
        certain = len(digits) < len(match.group()) or _CARD_WORD.search(text)
        yield Span("CREDIT_CARD", match.start(), match.end(), 0.9 if certain else 0.4, "Luhn check digit is right")
    for match in _IBAN.finditer(text):
        if valid_iban(match.group().replace(" ", "")):
            yield Span("IBAN", match.start(), match.end(), 0.95, "check digits and country's length are right")
    for match in _SSN.finditer(text):
        if issued_ssn(*match.groups()):
            score = 0.9 if _SSN_WORD.search(text) else 0.55
            yield Span("US_SSN", match.start(), match.end(), score, "of a form and range that is issued")
