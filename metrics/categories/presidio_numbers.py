"""Presidio's recognizers, called on candidates that shapes of ours find: formats and checksums are Presidio's.

Presidio's own engine runs every pattern over every text, needs a spaCy model, and some of its patterns take quadratic
time on a long line. Here a shape that is read in linear time finds candidates of a few dozen characters, and only
these reach a recognizer. The words that raise a weak score are looked for in the 50 characters around the candidate,
with the factors of Presidio's context enhancer.

Importing Presidio loads spaCy, transformers and torch (6 CPU seconds), so it happens when the first candidate turns up.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

REACH = 50  # characters before and after a candidate in which a word supports it
# Presidio's `LemmaContextAwareEnhancer`: what a word near by adds, and the least score with it.
_CONTEXT_GAIN, _LEAST_WITH_CONTEXT = 0.35, 0.4
# Between a word and the number it announces: `SSN: `, `passport no. is `, `"ssn": "`. Then the word decides, however
# common numbers of that form are.
_ANNOUNCING = re.compile(
    r"(?:[ -]?(?:card|no|nr|num|number|id|is|was)\b\.?|[ \t\"':=#.(]){0,8}", re.IGNORECASE | re.ASCII
)
_LEAST_ANNOUNCED = 0.6


@dataclass(frozen=True)
class Number:
    """A kind of number and how it is recognized.

    Attributes:
        type: Of the spans, and a key of `recognizers`.
        shape: Finds candidates in linear time.
        words: Words that support it.
        bare: The most that a candidate without such a word scores; 0 leaves it out.
        checked: What the recognizer checks, for `why`.
    """

    type: str
    shape: re.Pattern[str]
    words: re.Pattern[str]
    bare: float
    checked: str


def found(number: Number, text: str) -> Iterator[Span]:
    """The spans of one kind of number in a text, with their scores."""
    for match in first_matches(number.shape, text):
        start, end = match.span()
        supported = near(number.words, text, start, end)
        if not supported and not number.bare:
            continue
        result = recognize(number.type, match.group())
        if result is None:
            continue
        score, begin, stop = result
        if supported:
            score = min(1.0, max(score + _CONTEXT_GAIN, _LEAST_WITH_CONTEXT))
            if _announced(number.words, text, start):
                score = max(score, _LEAST_ANNOUNCED)
            why = f"{number.checked}, and a word that names it"
        else:
            score, why = min(score, number.bare), number.checked
        yield Span(number.type, start + begin, start + stop, round(score, 2), why)


def near(words: re.Pattern[str], text: str, start: int, end: int) -> bool:
    """Whether one of the words stands at most `REACH` characters before or after `text[start:end]`."""
    # Not in slices, where a word that is cut in two would look like one that begins there.
    return bool(words.search(text, max(0, start - REACH), start) or words.search(text, end, end + REACH))


def _announced(words: re.Pattern[str], text: str, start: int) -> bool:
    """Whether one of the words stands right before a number, with only signs or `no.` between them."""
    before = text[max(0, start - REACH) : start]
    return any(_ANNOUNCING.fullmatch(before, match.end()) for match in words.finditer(before))


def recognize(kind: str, candidate: str) -> tuple[float, int, int] | None:
    """What Presidio's recognizer of a kind says of a candidate.

    Args:
        kind: A key of `recognizers`.
        candidate: A short string.

    Returns:
        The score in (0, 1] and the span within the candidate of the surest, then longest result; or None.
    """
    results = recognizers()[kind].analyze(candidate, [], None)
    best = max(results, key=lambda result: (result.score, result.end - result.start), default=None)
    return (best.score, best.start, best.end) if best else None


@cache
def recognizers() -> Mapping[str, PatternRecognizer]:
    """The recognizers by the type of our spans, made at the first call."""
    logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)  # it would log a number that it can't read
    import presidio_analyzer.predefined_recognizers as presidio
    import tldextract
    from presidio_analyzer import Pattern

    # Without addresses of lists tldextract reads the list of public suffixes that comes with it, and asks no network.
    domains = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    class Email(presidio.EmailRecognizer):
        def validate_result(self, pattern_text: str) -> bool:
            return domains(pattern_text).fqdn != ""

    # Presidio's own shape of a card misses those of 12, 18 and 19 digits and of the 2-series; the check is the same.
    card = presidio.CreditCardRecognizer(patterns=[Pattern("12 to 19 digits", r"[0-9](?:[ -]?[0-9]){11,18}", 0.3)])
    return {
        "EMAIL": Email(),
        "IP_ADDRESS": presidio.IpRecognizer(),
        "CREDIT_CARD": card,
        "IBAN": presidio.IbanRecognizer(),
        "US_SSN": presidio.UsSsnRecognizer(),
        "US_ITIN": presidio.UsItinRecognizer(),
        "US_PASSPORT": presidio.UsPassportRecognizer(),
        "US_DRIVER_LICENSE": presidio.UsLicenseRecognizer(),
        "US_MBI": presidio.UsMbiRecognizer(),
        "UK_NHS": presidio.NhsRecognizer(),
        "UK_NINO": presidio.UkNinoRecognizer(),
        "ES_NIF": presidio.EsNifRecognizer(),
        "ES_NIE": presidio.EsNieRecognizer(),
        "IT_FISCAL_CODE": presidio.ItFiscalCodeRecognizer(),
        "PL_PESEL": presidio.PlPeselRecognizer(),
        "FI_PERSONAL_IDENTITY_CODE": presidio.FiPersonalIdentityCodeRecognizer(),
        "SE_PERSONNUMMER": presidio.SePersonnummerRecognizer(),
        "SG_NRIC_FIN": presidio.SgFinRecognizer(),
        "AU_TFN": presidio.AuTfnRecognizer(),
        "AU_MEDICARE": presidio.AuMedicareRecognizer(),
        "IN_AADHAAR": presidio.InAadhaarRecognizer(),
        "IN_PAN": presidio.InPanRecognizer(),
        "KR_RRN": presidio.KrRrnRecognizer(),
        "CA_SIN": presidio.CaSinRecognizer(),
        "DE_TAX_ID": presidio.DeTaxIdRecognizer(),
    }
