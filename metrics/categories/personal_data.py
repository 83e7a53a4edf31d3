"""Personal data: mail addresses, telephone numbers, account numbers, network and postal addresses, people's names.

Three decisions are made here. Placeholders and role mailboxes are nobody's. Data that follows a copyright or
authorship marker was published as attribution: it stays in the evidence, and is harmful only where asked for. And a
row holds personal data only through a span of score `LIKELY` or more; less sure spans are kept for masking.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from metrics.categories.addresses import find_addresses
from metrics.categories.evidence import LIKELY, SPANS_TYPE, Category, Evidence, Rows, Span, reasons, without_overlaps
from metrics.categories.identity_numbers import find_identity_numbers
from metrics.categories.licence import attributed, is_licence
from metrics.categories.mail_addresses import ROLE, find_mail_addresses
from metrics.categories.names import find_names
from metrics.categories.phone_numbers import find_phone_numbers
from metrics.metric import Column

# Rows without any of these hold no personal data that is sought: an at sign, three digits, a place for a name.
_HINT = re.compile(
    r"@|\d{3}|(?:\d{1,3}\.){3}\d|[A-Z][\w'’-]{1,30} (?:[A-Z]\.? )?[A-Z]|Dear |\(at\)|\[at\]| AT |"
    r"[Ff]rom:|[Tt]o:|[Nn]ame:|,\s{1,8}[A-Z]|by:|stra(?:ß|ss)e |Box "
)
_IP = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])")
_VERSION = re.compile(
    r"(?:v|ver|version|release|revision|section|build|assembly\w{0,20})[\"'\s.:=(]{0,4}\Z", re.IGNORECASE
)
_BIRTH = re.compile(
    r"\b(?:date of birth|birth ?date|d\.?o\.?b\.?|born(?: on)?)\b\W{1,4}(?P<value>"
    r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|[A-Z][a-z]{2,8} \d{1,2},? \d{4}|\d{1,2} [A-Z][a-z]{2,8} \d{4})",
    re.IGNORECASE,
)


def find_ip_addresses(text: str) -> Iterator[Span]:
    """Public IPv4 addresses, type `IP_ADDRESS`; not private, loopback and documentation ranges, nor versions."""
    for match in _IP.finditer(text):
        octets = match.group().split(".")
        if any(len(octet) > 1 and octet[0] == "0" for octet in octets) or any(int(octet) > 255 for octet in octets):
            continue
        if not ipaddress.IPv4Address(match.group()).is_global or _VERSION.search(
            text, max(0, match.start() - 24), match.start()
        ):
            continue
        long = sum(len(octet) > 1 for octet in octets) >= 2 and int(octets[0]) > 0
        yield Span("IP_ADDRESS", match.start(), match.end(), 0.6 if long else 0.3, "public address")


def find_personal_data(text: str) -> list[Span]:
    """The personal data in a text.

    Args:
        text: Any text.

    Returns:
        Spans without overlaps, in order, of types `EMAIL`, `ROLE_EMAIL`, `PHONE`, `PERSON`, `ADDRESS`, `IP_ADDRESS`,
        `DATE_OF_BIRTH`, `CREDIT_CARD`, `IBAN`, `US_SSN`.
    """
    if not _HINT.search(text):
        return []
    spans = [
        *find_mail_addresses(text),
        *find_ip_addresses(text),
        *find_phone_numbers(text),
        *find_identity_numbers(text),
    ]
    spans.extend(
        Span("DATE_OF_BIRTH", *match.span("value"), 0.7, "date after a word for birth")
        for match in _BIRTH.finditer(text)
    )
    spans.extend(find_addresses(text))
    names = find_names(text)
    reachable = any(span.score >= LIKELY and span.type in {"EMAIL", "PHONE", "ADDRESS"} for span in spans)
    if reachable:  # a name beside a way to reach somebody is that person's
        names = [Span(span.type, span.start, span.end, max(span.score, 0.7), span.why) for span in names]
    return without_overlaps([*spans, *names])


def find(rows: Rows) -> Evidence:
    """Evidence of personal data in each row."""
    found = [find_personal_data(text) for text in rows.texts]
    personal = [[span for span in spans if span.type != ROLE and span.score >= LIKELY] for spans in found]
    context = [
        bool(spans) and (all(attributed(text, span.start) for span in spans) or is_licence(text))
        for text, spans in zip(rows.texts, personal, strict=True)
    ]
    has_pii = [bool(spans) for spans in personal]
    return Evidence(
        holds=[
            has and (rows.include_attribution or not licence) for has, licence in zip(has_pii, context, strict=True)
        ],
        columns={
            "has_pii": has_pii,
            "pii_types": [sorted({span.type for span in spans}) for spans in personal],
            "pii": [[span.as_dict() for span in spans if span.type != ROLE] for spans in found],
            "licence_context": context,
            "has_role_mailbox": [any(span.type == ROLE for span in spans) for spans in found],
        },
        why=[
            reasons(spans) + (", in an authorship header" if licence else "")
            for spans, licence in zip(personal, context, strict=True)
        ],
    )


PERSONAL_DATA = Category(
    name="pii",
    harmful=True,
    description="Personal data: a person's mail or postal address, telephone or account number, name in a letter.",
    columns=(
        Column(
            "has_pii", "bool", "At least one finding of personal data with score 0.5 or more, attribution included."
        ),
        Column("pii_types", "list<string>", "Types of these findings, sorted."),
        Column(
            "pii", SPANS_TYPE, "All findings, the unsure ones included: character offsets into the text, and the score."
        ),
        Column(
            "licence_context", "bool", "All of the personal data stands in a licence, copyright or authorship header."
        ),
        Column(
            "has_role_mailbox",
            "bool",
            "A mailbox of a function (`info@`, `support@`) or a mailing list; not personal data.",
        ),
    ),
    find=find,
)
