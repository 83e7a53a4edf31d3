"""Personal data: mail addresses, telephone numbers, account numbers, network and postal addresses, names, handles.

Four decisions are made here. Placeholders and role mailboxes are nobody's. Contact data of an organisation is no
person's. Data that credits somebody for a work was published as attribution: it stays in the evidence, and is harmful
only where asked for. And a row holds personal data only through a span of score `LIKELY` or more; less sure spans
are kept for masking.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from metrics.categories.addresses import PLACE, find_addresses
from metrics.categories.attribution import announced_in_private, credited
from metrics.categories.dates_of_birth import find_dates_of_birth
from metrics.categories.evidence import LIKELY, SPANS_TYPE, Category, Evidence, Rows, Span, reasons, without_overlaps
from metrics.categories.handles import find_handles
from metrics.categories.identity_numbers import NOBODYS, find_identity_numbers
from metrics.categories.mail_addresses import ROLE, find_mail_addresses
from metrics.categories.names import find_names
from metrics.categories.network_addresses import find_network_addresses
from metrics.categories.organisations import organisational
from metrics.categories.phone_numbers import find_phone_numbers
from metrics.categories.prefilters import PERSONAL_DATA as PREFILTER
from metrics.metric import Column

_REACHED = 120  # characters between a name and a mailbox, number or address that is taken for that person's
_MOST_SPANS = 256  # of a text; the surest
_OWNERS = frozenset(("EMAIL", "DATE_OF_BIRTH"))  # beside names, what tells whose a place or number is
_CONTACTS = frozenset(("EMAIL", "PHONE", "ADDRESS"))
_PLACES = frozenset(("ADDRESS", "PHONE"))  # what an organisation has several of, in a list
_SAMPLE_TEXT = re.compile(r"lorem ipsum|ipsum dolor", re.IGNORECASE)


def find_personal_data(text: str, model_names: Sequence[Span] = ()) -> list[Span]:
    """The personal data in a text.

    Args:
        text: Any text.
        model_names: People's names in it that a model found, see `ner.py`.

    Returns:
        Spans without overlaps, in order, of types `EMAIL`, `ROLE_EMAIL`, `PHONE`, `PERSON`, `ADDRESS`, `IP_ADDRESS`,
        `DATE_OF_BIRTH`, `HANDLE`, `CREDIT_CARD`, `IBAN`, `US_SSN` and the national identity numbers.
    """
    spans = [
        *find_mail_addresses(text),
        *find_network_addresses(text),
        *find_phone_numbers(text),
        *find_identity_numbers(text),
        *find_dates_of_birth(text),
        *find_addresses(text),
        *find_handles(text),
    ]
    names = [*find_names(text), *model_names]
    named = _named(names)
    owners = [*names, *(span for span in spans if span.type in _OWNERS and span.score >= LIKELY)]
    spans = [_owned(span, owners) for span in spans]
    contacts = [
        span
        for span in spans
        if span.score >= LIKELY and span.type in _CONTACTS and not organisational(text, span, named)
    ]
    spans += [_reachable(name, contacts) for name in names]
    spans.sort(key=lambda span: -span.score)
    return without_overlaps(spans[:_MOST_SPANS])


def _owned(span: Span, owners: Sequence[Span]) -> Span:
    """A place or number that nothing names, surer if it stands beside somebody: then it is that person's."""
    if span.why in {PLACE, NOBODYS} and any(_beside(span, owner) for owner in owners):
        return Span(span.type, span.start, span.end, 0.6, f"{span.why}, but beside a person")
    return span


def _beside(first: Span, second: Span) -> bool:
    return 0 <= max(first.start - second.end, second.start - first.end) <= _REACHED


def _reachable(name: Span, contacts: Sequence[Span]) -> Span:
    """A name in prose, surer if it stands beside a person's mailbox, number or address: then it is that person's."""
    for contact in contacts if name.score < LIKELY else ():
        if _beside(name, contact):
            return Span(name.type, name.start, name.end, 0.7, f"{name.why}, beside a way to reach somebody")
    return name


def _named(spans: Sequence[Span]) -> bool:
    """Whether a person is named as in mails, letters and records."""
    return any(span.type == "PERSON" and span.score >= LIKELY for span in spans)


def find(rows: Rows) -> Evidence:
    """Evidence of personal data in each row; a row that does not pass the prefilter has none."""
    may_hold = rows.may_hold.get("pii")
    passed = [row for row in range(len(rows.texts)) if may_hold is None or may_hold[row]]
    names = rows.names([rows.texts[row] for row in passed]) if rows.names else [()] * len(passed)
    evidence = [_NOTHING] * len(rows.texts)
    for row, by_model in zip(passed, names, strict=True):
        text = rows.texts[row]
        evidence[row] = _evidence(text, find_personal_data(text, by_model), rows.include_attribution)
    holds, *columns, why = map(list, zip(*evidence, strict=True)) if evidence else ([],) * len(_NOTHING)
    return Evidence(holds, dict(zip((column.name for column in CATEGORY.columns), columns, strict=True)), why)


def _evidence(text: str, found: Sequence[Span], include_attribution: bool) -> tuple:
    """Of one row: whether it may be labelled with the category, the columns in their order, and why."""
    # What stands in sample text is a placeholder, too.
    sample = found and _SAMPLE_TEXT.search(text)
    spans = [] if sample else [span for span in found if span.type != ROLE and span.score >= LIKELY]
    credit, office = _judged(text, spans)
    return (
        bool(spans) and not office and (include_attribution or not credit),
        bool(spans),
        sorted({span.type for span in spans}),
        [span.as_dict() for span in found if span.type != ROLE],
        credit,
        office,
        any(span.type == ROLE for span in found),
        reasons(spans) + (", in an authorship header" if credit else ""),
    )


_NOTHING = (False, False, [], [], False, False, False, "")  # `_evidence` of a row without findings


def _judged(text: str, spans: Sequence[Span]) -> tuple[bool, bool]:
    """Whether personal data credits authors, but for contact data of organisations; and whether all is such data.

    Who is named in a credit is no party of a letter, so the address below the credit can still be an organisation's.
    """
    if not spans:
        return False, False
    credit = credited(text, spans)
    named = _named([span for span, by in zip(spans, credit, strict=True) if not by])
    office = [organisational(text, span, named) for span in spans]
    if any(office) and not named:
        _spread(text, spans, office)
    all_explained = all(by or of for by, of in zip(credit, office, strict=True))
    return all_explained and any(credit), all(office)


def _spread(text: str, spans: Sequence[Span], office: list[bool]) -> None:
    """Takes addresses and numbers for an organisation's if their neighbour in the paragraph is: it lists its places."""
    places = [place for place, span in enumerate(spans) if span.type in _PLACES]
    for order in (places, places[::-1]):
        for known, other in pairwise(order):
            first, second = sorted((known, other))
            if office[known] and text.find("\n\n", spans[first].end, spans[second].start) < 0:
                office[other] = office[other] or not announced_in_private(text, spans[other].start)


CATEGORY = Category(
    name="pii",
    harmful=True,
    description="Personal data: a person's mail or postal address, telephone or identity number, name in a letter.",
    columns=(
        Column(
            "has_pii", "bool", "At least one finding of personal data with score 0.5 or more, attribution included."
        ),
        Column("pii_types", "list<string>", "Types of these findings, sorted."),
        Column("pii", SPANS_TYPE, "All findings, the unsure ones included: character offsets, score, and why."),
        Column(
            "licence_context", "bool", "All of the personal data stands in a licence, copyright or authorship header."
        ),
        Column("organisation_context", "bool", "All of the personal data is contact data of a company or institution."),
        Column(
            "has_role_mailbox",
            "bool",
            "A mailbox of a function (`info@`, `support@`) or a mailing list; not personal data.",
        ),
    ),
    find=find,
    prefilter=PREFILTER,
)
