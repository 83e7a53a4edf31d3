"""Network addresses that may lead to a person: public ones, of versions 4 and 6."""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches
from metrics.categories.presidio_numbers import recognize

_OCTET = r"[0-9]{1,3}"
_V4 = re.compile(rf"(?<![A-Za-z0-9_.-]){_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}(?![A-Za-z0-9_-]|\.[0-9])")
_V6 = re.compile(r"(?<![A-Za-z0-9_:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{4,34}(?![A-Za-z0-9_:])")
# Four numbers with dots between them after one of these words are no address.
_VERSION = re.compile(
    r"(?:v|ver|version|release|revision|section|build|firmware|driver|assembly[a-z]{0,20}|§)s?(?: ?(?:no|nr|number))?"
    r"[\"'\s.:=(]{0,4}\Z",
    re.IGNORECASE | re.ASCII,
)
# The name of a program before a small number (`nginx/1.10.12.13`), unless the word means a machine.
_PROGRAM = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+_-]{1,24})[ /]\Z", re.ASCII)
_MACHINES = frozenset(
    """ip ipv4 from to host hosts server servers address addresses addr client clients at on by via is of and or ping
    peer node user users gateway router dns ns nameserver subnet netmask proxy for in with as the was hit got""".split()
)
_LARGEST_VERSION = 25
# What programs go through between two such numbers, unless something of a network does.
_UPGRADE = re.compile(
    r"(?<![A-Za-z])(?:(?:up|down)(?:grad|dat)|patch|bump|migrat|revert|roll(?:ed|ing)? back)[a-z]{0,5}"
    r"[^\n]{0,60}\Z",
    re.IGNORECASE | re.ASCII,
)
_NETWORK = re.compile(
    r"(?<![A-Za-z])(?:ips?|ipv4|address(?:es)?|dns|records?|gateway|router|subnet|netmask|hosts?)(?![a-z])", re.I
)
# A number of that form that opens a line before a capitalised word numbers a section.
_HEADING = re.compile(r" {1,2}[A-Z][a-z]")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_GROUPS = 8


def find_network_addresses(text: str) -> Iterator[Span]:
    """Public addresses, type `IP_ADDRESS`; not private, loopback and documentation ranges, nor versions.

    Addresses of version 4 whose octets are nearly all of one digit look like the numbers of sections, and score 0.3.
    """
    for match in first_matches(_V4, text):
        octets = match.group().split(".")
        if not _public(match.group()) or _VERSION.search(text, max(0, match.start() - 24), match.start()):
            continue
        if recognize("IP_ADDRESS", match.group()):
            opens = not text[max(0, match.start() - 24) : match.start()].rpartition("\n")[2].strip()
            heading = opens and _HEADING.match(text, match.end())
            program = _PROGRAM.search(text, max(0, match.start() - 26), match.start())
            names_program = program and program["name"].lower() not in _MACHINES
            reach = max(0, match.start() - 80), match.start()
            upgraded = _UPGRADE.search(text, *reach) and not _NETWORK.search(text, *reach)
            heading = heading or ((names_program or upgraded) and int(octets[0]) <= _LARGEST_VERSION)
            long = not heading and sum(len(octet) > 1 for octet in octets) >= 2 and octets[0] != "0"
            yield Span("IP_ADDRESS", match.start(), match.end(), 0.6 if long else 0.3, "public address, version 4")
    for match in first_matches(_V6, text):
        if _public(match.group()) and recognize("IP_ADDRESS", match.group()):
            yield Span("IP_ADDRESS", match.start(), match.end(), 0.6, "public address, version 6")


def _public(address: str) -> bool:
    """Whether it reads as an address that is routed publicly.

    A shortened address of version 6 must be of the range that is given out (2000::/3), since names of classes and
    times look like others. One with all eight groups looks like nothing else; it must only not be a private one.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global and not parsed.is_multicast
    whole = address.count(":") == _GROUPS - 1 and "::" not in address
    return parsed.is_global and (parsed in _GLOBAL_UNICAST or (whole and not parsed.is_multicast))
