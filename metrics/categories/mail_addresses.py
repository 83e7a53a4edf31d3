"""Mail addresses: a person's, a function's, or nobody's."""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import Span

EMAIL = "EMAIL"
ROLE = "ROLE_EMAIL"

_LOCAL = re.compile(r"[\w.+%'!#$&*=?^`{|}~/-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,62})\.){1,6}(?P<tld>[^\W\d_]{2,24}|xn--[a-z0-9-]{2,20})(?![\w@])")
_CUT_DOMAIN = re.compile(r"[a-zA-Z0-9-]{2,63}\.?[a-z]{0,3}\Z")
_SPELT = re.compile(
    r"\b(?P<local>[\w.+-]{2,40})(?: ?(?:\(at\)|\[at\]|\{at\}|<at>) ?| AT )"
    r"(?P<domain>[\w-]{2,40}(?:(?: ?(?:\(dot\)|\[dot\]) ?| DOT |\.| )[\w-]{2,20}){1,3})"
)
_GENERIC_TLDS = frozenset(
    """com org net edu gov mil int info biz name pro aero coop museum jobs mobi travel tel cat asia post xxx
    arpa app dev xyz online site tech store blog cloud club shop space website email live life world
    today news media agency digital network systems solutions services company group team work page link
    host press center design studio academy school foundation institute international consulting
    software community social health care law legal bank finance money global earth green city london
    berlin paris nyc tokyo wien hamburg swiss eus wales scot google apple""".split()
)
_FILE_SUFFIXES = frozenset("js cs vb el hh gz xz ui db ts".split())  # two letters, and no country's domain
_RESERVED = re.compile(
    r"(?:^|\.)(?:example(?:\.\w{2,3}){0,2}|test|invalid|localhost|local|localdomain|domain\.(?:com|tld|org)|"
    r"yourdomain\.\w{2,10}|foo\.(?:com|bar)|bar\.com|(?:my)?company\.com|host\.com|somewhere\.com|email\.com)\Z"
)
_PLACEHOLDERS = frozenset(
    """user username you your yourname your.name youremail your.email your-email me name firstname.lastname
    first.last foo bar foobar example email someone somebody nobody xxx abc test tester""".split()
)
_ROLES = frozenset(
    """info information support admin administrator sales contact contacts contactus help helpdesk webmaster
    postmaster hostmaster noreply no-reply donotreply do-not-reply office hello team security abuse
    press media jobs careers hr billing marketing feedback enquiries inquiries service services
    customerservice customer care subscribe unsubscribe list lists news newsletter root git svn dev
    devel develop developer developers bug bugs issues owner mail mailman majordomo daemon mailer-daemon
    www www-data legal licensing license privacy copyright permissions opensource community users
    announce announcements general request requests orders order editor editors staff web site accounts
    accounting finance events register registration reservations booking bookings webteam""".split()
)
_LIST = re.compile(
    r"[-_.](?:dev|devel|users?|list|lists|announce|discuss|bugs?|help|support|request|team|owner|commits?|admin)\Z"
)
_LIST_HOSTS = ("lists.", "list.", "groups.", "googlegroups.", "users.noreply.")


def find_mail_addresses(text: str) -> Iterator[Span]:
    """Mail addresses, type `EMAIL` or `ROLE_EMAIL`.

    Placeholders and names of files and packages are left out. An address that the end of the text cuts off counts
    with score 0.5. Each at sign is looked at with the 64 characters before it, so the time is linear in the text.
    """
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        user = local.group().lstrip(".'-/+=*&#!$%?^`{|}~") if local else ""
        domain = _DOMAIN.match(text, at + 1, at + 256)
        if user and domain and _known_tld(domain["tld"]):
            kind = mailbox(user, domain.group())
            if kind:
                yield Span(kind, at - len(user), domain.end(), 0.95, "address with a known top-level domain")
        elif len(user) >= 3 and at > len(user) and _CUT_DOMAIN.match(text, at + 1):
            kind = mailbox(user, text[at + 1 :])
            if kind:
                yield Span(kind, at - len(user), len(text), 0.5, "address cut by the end of the text")
        at = text.find("@", at + 1)
    if "at" in text or " AT " in text:
        for match in _SPELT.finditer(text):
            words = re.split(r"[^\w-]+|DOT|dot", match["domain"])
            kind = mailbox(match["local"], match["domain"])
            if kind and (_known_tld(words[-1]) or words[0].lower() in {"gmail", "yahoo", "hotmail", "googlemail"}):
                yield Span(kind, match.start(), match.end(), 0.7, "address with the at sign spelt out")


def mailbox(user: str, domain: str) -> str:
    """Whose mailbox it is: `EMAIL` for a person's, `ROLE_EMAIL` for a function's or a list's, empty for a placeholder.

    Placeholders are the domains reserved for examples (RFC 2606), their like, and names such as `user` or `foo`.
    """
    user, domain = user.lower(), domain.lower()
    if _RESERVED.search(domain) or user in _PLACEHOLDERS:
        return ""
    stem = re.split(r"[+_.]", user)[0]
    if user in _ROLES or stem in _ROLES or domain.startswith(_LIST_HOSTS) or _LIST.search(user):
        return ROLE
    return EMAIL


def _known_tld(tld: str) -> bool:
    tld = tld.lower()
    return tld in _GENERIC_TLDS or tld.startswith("xn--") or (len(tld) == 2 and tld not in _FILE_SUFFIXES)
