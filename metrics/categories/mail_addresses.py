"""Mail addresses: a person's, a function's, or nobody's."""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span
from metrics.categories.matches import MOST, first_matches
from metrics.categories.presidio_numbers import recognize
from metrics.gazetteer import first_names, last_names, ordinary_words

EMAIL = "EMAIL"
ROLE = "ROLE_EMAIL"

_LOCAL = re.compile(r"[A-Za-z0-9_.+'-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.){1,6}(?:[A-Za-z]{2,24}|xn--[a-z0-9-]{2,20})(?![\w@])")
_CUT_DOMAIN = re.compile(r"[a-z0-9-]{1,62}[a-z0-9]\.?[a-z]{0,3}\Z")
_SPELT_AT = re.compile(
    r" ?(?:\([aA][tT]\)|\[[aA][tT]\]|\{[aA][tT]\}|<[aA][tT]>) ?| (?:at|AT) (?=[\w-]{2,40} (?:dot|DOT) )"
)
_SPELT_DOMAIN = re.compile(r"[\w-]{2,40}(?:(?: ?[(\[]dot[)\]] ?| dot | DOT |\.)[\w-]{2,20}){1,3}", re.I | re.A)
_DOT = re.compile(r"[ (\[]{1,2}dot[)\] ]{1,2}", re.IGNORECASE)
_RESERVED = re.compile(
    r"(?:^|\.)(?:example(?:\.\w{2,3}){0,2}|test|invalid|localhost|local|localdomain|domain\.(?:com|tld|org)|"
    r"(?:your|my|some)(?:domain|site|company|host)\.\w{2,10}|foo\.bar|(?:foo|bar|baz|qux|quux|foobar)\.(?:com|net|org)|"
    r"(?:company|host|somewhere|email|test|sample)\.com|mail\.gmail\.com)\Z"  # the last is in ids of messages only
)
# `a@b.com`, `xxx@xxx.com`: one letter, again and again, on both sides.
_ONE_LETTER = re.compile(r"([a-z])\1{0,7}@([a-z])\2{0,7}\.[a-z]{2,4}\Z")
_NUMBERED = re.compile(r"(?:user|username|test|tester|example|foo|bar|someone|email)[0-9]{1,3}\Z")
# Ids of messages in the headers of mails have an at sign, but no mailbox; a header is continued on lines of its own.
_MESSAGE_IDS = re.compile(
    r"(?<![A-Za-z])(?:(?:Message|Content)-ID|In-Reply-To|References)[ \t]{0,2}:"
    r"(?:[ \t\r\n>]{0,12}<[^<>\s]{1,250}(?:>|\Z)){1,64}",
    re.IGNORECASE | re.ASCII,
)
_PLACEHOLDERS = frozenset(
    """user username you your yourname your.name youremail your.email your-email me name firstname.lastname
    first.last foo bar foobar example email someone somebody nobody xxx abc test tester john.doe jane.doe
    johndoe janedoe jdoe joe.bloggs foo.bar foo.baz bar.baz baz qux quux""".split()
)
_PLACEHOLDER_ADDRESSES = frozenset(("ll@li.org",))  # of the templates that gettext writes
_ROLES = frozenset(
    """info information support admin administrator administration sales contact contacts contactus help
    helpdesk desk webmaster postmaster hostmaster noreply no-reply donotreply do-not-reply reply office hello
    team security abuse press media jobs careers recruitment hr billing marketing feedback enquiries inquiries
    enquiry inquiry service services customerservice customer customers care subscribe unsubscribe subscriptions
    list lists news newsletter root git svn dev devel develop developer developers bug bugs issues owner mail
    mailman majordomo daemon mailer-daemon www www-data legal licensing license privacy copyright permissions
    opensource community users announce announcements general request requests orders order editor editors
    editorial staff web site accounts accounting finance events register registration reservations booking
    bookings webteam messaging contracts publicity""".split()
)
_LIST_HOSTS = ("lists.", "list.", "groups.", "googlegroups.", "users.noreply.")
# Here people have their own mailboxes, so a name that is an ordinary word says nothing.
FREE_MAIL = re.compile(
    r"(?:gmail|googlemail|yahoo|ymail|hotmail|outlook|live|msn|aol|gmx|web|icloud|me|mac|protonmail|proton|mail|"
    r"yandex|qq|163|126|comcast|verizon|att|sbcglobal|earthlink|btinternet|t-online|free|orange|wanadoo|libero)\.[\w.]{2,6}\Z"
)
_LONG = 4  # letters from which on a word is no accident


def find_mail_addresses(text: str) -> Iterator[Span]:
    """Mail addresses, type `EMAIL` or `ROLE_EMAIL`.

    The domain must end in a public suffix, which Presidio's recognizer checks; placeholders and the ids of messages in
    the headers of mails are left out. An address
    that the end of the text cuts off counts with score 0.5. Each at sign is looked at with the 64 characters before and
    the 256 after it, and the costly check is made for the first 64 addresses.
    """
    at = text.find("@")
    ids = [match.span() for match in _MESSAGE_IDS.finditer(text)] if at >= 0 else []
    checks = 0
    while at >= 0 and checks < MOST:
        while ids and ids[0][1] <= at:
            del ids[0]
        if ids and ids[0][0] < at:
            at = text.find("@", ids[0][1])
            continue
        local = _LOCAL.search(text, max(0, at - 64), at)
        user = local.group().lstrip(".'-+") if local else ""
        domain = _DOMAIN.match(text, at + 1, at + 256) if user else None
        if user and domain:
            checks += 1
            known = _known(user, domain.group())
            kind = mailbox(user, known) if known else ""
            if kind:
                yield Span(kind, at - len(user), at + 1 + len(known), 0.95, "address under a public suffix")
        elif len(user) >= 3 and at > len(user) and _CUT_DOMAIN.match(text, at + 1):
            kind = mailbox(user, text[at + 1 :])
            if kind:
                yield Span(kind, at - len(user), len(text), 0.5, "address cut by the end of the text")
        at = text.find("@", at + 1)
    yield from _spelt(text)


def _spelt(text: str) -> Iterator[Span]:
    """Addresses with the at sign written out: `jane (at) roe (dot) org`."""
    if "at" not in text and "AT" not in text and "At" not in text:
        return
    for sign in first_matches(_SPELT_AT, text):
        local = _LOCAL.search(text, max(0, sign.start() - 64), sign.start())
        domain = _SPELT_DOMAIN.match(text, sign.end(), sign.end() + 128)
        if not local or not domain or len(local.group()) < 2:
            continue
        known = _known(local.group(), _DOT.sub(".", domain.group()))
        kind = mailbox(local.group(), known) if known else ""
        if kind:
            yield Span(kind, local.start(), domain.end(), 0.7, "address with the at sign written out")


def _known(user: str, domain: str) -> str:
    """The domain up to its public suffix, or nothing: what follows a full stop may be the next sentence."""
    for _ in range(3):
        if "." not in domain:
            return ""
        if recognize(EMAIL, f"{user[-1]}@{domain}"):
            return domain
        domain = domain.rpartition(".")[0]
    return ""


def mailbox(user: str, domain: str) -> str:
    """Whose mailbox it is: `EMAIL` for a person's, `ROLE_EMAIL` for a function's or a list's, empty for a placeholder.

    A mailbox is a function's if a part of its name is one (`press`, `village-sales`), if its name is an ordinary word
    and nobody's name (`figures`), or if such a word follows the name of the domain.
    """
    user, domain = user.lower(), domain.lower()
    if _nobodys(user, domain):
        return ""
    user = user.partition("+")[0]  # what follows a plus sign sorts the mail of one mailbox
    parts = re.split(r"[_.-]", user)
    if user in _ROLES or not _ROLES.isdisjoint(parts) or domain.startswith(_LIST_HOSTS):
        return ROLE
    if FREE_MAIL.match(domain):
        return EMAIL
    labels = domain.split(".")
    # The label left of the suffix, or of a second-level suffix such as `co.uk`: the longest is close enough.
    organisation = max(labels[:-1] or labels, key=len)
    rest = user.removeprefix(organisation) if len(organisation) >= _LONG else user
    if (_plain_word(rest) and (rest != user or len(user) >= _LONG)) or _compound_role(user):
        return ROLE
    return EMAIL


def _nobodys(user: str, domain: str) -> bool:
    """Whether an address is a placeholder.

    Placeholders are the domains reserved for examples (RFC 2606) and their like, names such as `user`, `user1` or
    `foo`, and names that the domain completes (`john@doe.com`) or repeats, if it is a function's (`admin@admin.com`).
    """
    name = domain.partition(".")[0]
    return bool(
        _RESERVED.search(domain)
        or user in _PLACEHOLDERS
        or f"{user}.{name}" in _PLACEHOLDERS
        or (user == name and (user in _ROLES or user == "test"))
        or f"{user}@{domain}" in _PLACEHOLDER_ADDRESSES
        or _NUMBERED.match(user)
        or _ONE_LETTER.match(f"{user}@{domain}")
    )


def _plain_word(word: str) -> bool:
    """Whether a word is an ordinary one, of three letters or more, that is no name."""
    return len(word) >= 3 and word in ordinary_words() and word not in first_names() and word not in last_names()


def _compound_role(user: str) -> bool:
    """Whether a mailbox is a role with an ordinary word before or after it, in one word: `millsales`."""
    for cut in range(_LONG, len(user) - 2):
        head, tail = user[:cut], user[cut:]
        if (tail in _ROLES and _plain_word(head)) or (head in _ROLES and _plain_word(tail)):
            return True
    return False


def personal_name(user: str) -> bool:
    """Whether the part before the at sign contains a known name of a person."""
    parts = [part for part in re.split(r"[^a-z]+", user.lower()) if len(part) >= 3]
    return any(part in first_names() or part in last_names() or part[1:] in last_names() for part in parts)
