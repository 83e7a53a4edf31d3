"""Whose contact data it is: a company's, an institution's, a function's, or a person's.

The address of a publisher and the number of a hotline harm nobody. They are told from a person's by the words around
them, since the shape is the same.
"""

from __future__ import annotations

import re

from metrics.categories.attribution import announced_in_private
from metrics.categories.evidence import Span
from metrics.categories.mail_addresses import FREE_MAIL, personal_name
from metrics.gazetteer import first_names

_REACH = 160  # characters before and after: the lines of a letterhead, and what follows it
_NAMES = re.compile(
    r"(?<![A-Za-z])(?:Inc|Ltd|LLC|LLP|Corp|Corporation|Compan(?:y|ies)|GmbH|Limited|Pty|PLC|S\.A\.|e\.V\.|Foundation|Institut\w{0,5}|"
    r"Universit\w{1,4}|Publish(?:ers?|ing)|Press|Books|Bank|Hotel|Restaurant|Clinic|Hospital|School|College|Librar(?:y|ies)|"
    r"Museum|Church|Court|Dep(?:artmen)?t|Offices?|Agency|Ministry|Council|Commission|Association|Society|Committee|"
    r"Cent(?:er|re)|Bureau|Ombudsman|Help ?Desk|Headquarters|Newsroom|Journal|"
    r"Store|Shop|Services?|Charity|Enterprises?)(?![a-z])"
)
# Who answers there, whatever the mailbox is called.
_DESKS = re.compile(
    r"(?<![A-Za-z])(?:help ?desk|hotline|customer (?:services?|care|support)|(?:press|box|journal) office|newsroom)",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"(?<![A-Za-z])(?:publishers?|toll[- ]free|(?:call|contact|e-?mail|visit|reach|join) us|"
    r"our (?:offices?|store|shop|web ?site|team|staff|customers?)|24 hours|reservations?|registration number|"
    r"non-?profit|open(?:ing)? hours|headquarters|open (?:daily|weekdays)|www\.|https?://)",
    re.IGNORECASE,
)
# A public building's name stands right before its address.
_BUILDING = re.compile(
    r"(?<![A-Za-z])(?:White House|Palace|Castle|Cathedral|Capitol|Stadium|Arena|Airport|Theat(?:er|re)|Embassy|"
    r"Consulate|Courthouse|Gallery|Zoo|Aquarium|Abbey|Basilica|Mosque|Synagogue|Memorial|Auditorium|"
    r"(?:City|Town|Concert) Hall)(?: (?:is|stands))?(?: located)?(?:,? at)?[ \t\r\n,:;(-]{1,4}\Z"
)
_BUILDING_REACH = 48  # characters
# Somebody before an address, and words of a sentence between it and a name behind it: "Zephrine Oduya of 14 Larkspur
# Lane was called to the Court".
_SOMEBODY = re.compile(r"(?: of|[A-Z][a-z]{1,24},) \Z")
_SENTENCE = re.compile(r"(?:[ \t\r\n,]+[a-z]{2,24}\b){2}")
# "Lucy Ferrell, of 14 Larkspur Lane": where somebody lives.
_RESIDENT = re.compile(r"(?:([A-Z][\w'’-]{1,24}) [A-Z][\w'’-]{1,24}|\baged [0-9]{1,3}),?(?: aged [0-9]{1,3},?)? of \Z")
_RESIDENT_REACH = 80  # characters
_RECORD_REACH = 1000  # characters
# A record of a person names the employer in a field. Fields for a company or position are one only at the beginning of
# a line or cell, since prose writes "the company:", too.
_RECORD = re.compile(
    r"(?:^|[\n|;,\t]|  )[ \t]{0,8}(?:Company|Position)[ \t]?:|(?<![A-Za-z])(?:Employer|Occupation|Job title)[ \t]?:",
    re.IGNORECASE,
)
# Freephone and shared-cost numbers of North America, Britain, Ireland, Australia and Germany are an organisation's.
_FREEPHONE = re.compile(
    r"(?:\+?1[ .-]?)?\(?8(?:00|33|44|55|66|77|88)(?![0-9])|0[38]00|0808|1[38][05]0(?![0-9])|18[59]0(?![0-9])"
)


def organisational(text: str, span: Span, named: bool) -> bool:
    """Whether a finding is contact data of an organisation.

    Args:
        text: The whole text.
        span: A finding in it.
        named: A person is named in the text in a way that people are named in mails, letters and records. Their desk
            stands in a company, too; only a freephone number is then still the company's.

    Returns:
        True for addresses and telephone numbers with an organisation's name or words beside them, and for mailboxes
        there whose own name tells no person's; not for what words of private contact announce.
    """
    if span.type == "PHONE" and _FREEPHONE.match(text, span.start, span.end):
        return True
    if named or span.type not in {"PHONE", "ADDRESS", "EMAIL"} or _is_record(text, span):
        return False
    if announced_in_private(text, span.start) or _resident(text, span.start):
        return False
    around = text[max(0, span.start - _REACH) : span.start], text[span.end : span.end + _REACH]
    if span.type == "EMAIL":
        user, _, domain = text[span.start : span.end].partition("@")
        own = bool(FREE_MAIL.match(domain.lower())) or personal_name(user)
        return not own and any(_DESKS.search(part) for part in around)
    if any(_DESKS.search(part) or _WORDS.search(part) for part in around) or _NAMES.search(around[0]):
        return True
    behind = _NAMES.search(around[1])
    sentence = behind and _SENTENCE.search(around[1], 0, behind.start()) and _SOMEBODY.search(around[0])
    return bool((behind and not sentence) or _BUILDING.search(around[0][-_BUILDING_REACH:]))


def _resident(text: str, start: int) -> bool:
    """Whether a person of a known given name, or of an age, is said to be of an address."""
    resident = _RESIDENT.search(text, max(0, start - _RESIDENT_REACH), start)
    return bool(resident and (resident.group(1) is None or resident.group(1).lower() in first_names()))


def _is_record(text: str, span: Span) -> bool:
    """Whether a field for an employer stands near; the whole of a long text is not searched for each finding."""
    return bool(_RECORD.search(text, max(0, span.start - _RECORD_REACH), span.end + _RECORD_REACH))
