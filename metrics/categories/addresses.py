"""Postal addresses: a house number and a street, a box, or a city with its postcode."""

# ruff: noqa: SIM905 (word lists read better as text)

from __future__ import annotations

import re

from metrics.categories.evidence import Span

_STREET_WORD = (
    r"(?:Street|Str|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Ter|Parkway|"
    r"Pkwy|Circle|Cir|Highway|Hwy|Trail|Crescent|Close|Grove|Gardens|Row|Mews|Alley|Plaza|Loop|Ridge|Heights|Estates?|Manor|"
    r"Crossing|Point|Path|Pike|Turnpike|Freeway|Expressway|Route|Walk|Quay|Meadows?|Villages?|Station|Springs?|Shores?|Harbou?rs?|"
    r"Junctions?|Islands?|Hills?|Hollow|Fields?|Gateway|Forest|Forks?|Falls|Canyon|Bypass|Causeway|Center|Centre|Cape|Camp|Brook|"
    r"Bridge|Branch|Bluffs?|Bend|Beach|Bayou|Arcade|Club|Cliffs?|Common|Corners?|Course|Cove|Creek|Dale|Dam|Divide|Expressway|"
    r"Extensions?|Ferry|Flats?|Fords?|Forges?|Fort|Garden|Glens?|Greens?|Groves?|Haven|Inlet|Isle|Keys?|Knolls?|Lakes?|Landing|"
    r"Light|Locks?|Lodge|Mall|Mills?|Mission|Motorway|Mountains?|Neck|Orchard|Oval|Overpass|Parks?|Parkways|Pass|Passage|Pines?|"
    r"Plains?|Ports?|Prairie|Radial|Ramp|Ranch|Rapids?|Rest|River|Roads|Rue|Run|Shoals?|Skyway|Spurs?|Squares|Stravenue|Stream|"
    r"Streets|Summit|Throughway|Trace|Track|Trafficway|Tunnel|Underpass|Unions?|Valleys?|Via|Viaduct|Views?|Ville|Vista|Walks|"
    r"Wall|Ways|Wells?)"
)
_PLACE = r"(?:[A-Z][\w.'’-]{1,24} ){0,2}[A-Z][\w.'’-]{1,24},?\s{1,3}(?P<state>[A-Z]{2})\s{1,2}\d{5}(?:-\d{4})?"
_STREET = re.compile(
    rf"(?<![\w.,/-])\d{{1,6}}[A-Za-z]?\s(?:[NSEW]\.?\s)?(?:[A-Z][\w'’.-]{{1,24}}\s){{1,3}}{_STREET_WORD}\b\.?"
    r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm)\.?\s#?\w{1,6})?"
    rf"(?P<place>(?:,\s?|\s{{1,3}}){_PLACE})?"
)
_CITY = re.compile(rf"(?<![\w]){_PLACE}\b")
_BOX = re.compile(r"\b(?:P\.?\s?O\.?\s?Box|Postfach|Casilla)\s\d{1,6}\b|\bUnit \d{3,5} Box \d{3,5}\b", re.IGNORECASE)
_GERMAN = re.compile(
    r"\b[A-ZÄÖÜ][a-zäöüß-]{1,24}(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer) \d{1,4}[a-z]?\b"
)
_LABELLED = re.compile(
    r"\b(?:(?:home|mailing|postal|street|billing|shipping|delivery|residential)[ _-]?)?"
    r"address\s{0,2}:\s{0,3}(?P<value>\d{1,6}\s[^\n]{4,80})",
    re.IGNORECASE,
)
_US_STATES = frozenset(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR "
    "PA PR RI SC SD TN TX UT VT VA WA WV WI WY AS GU MH MP VI PW FM AA AE AP".split()
)
# Addresses that stand in licences and belong to nobody's home.
_INSTITUTION = re.compile(
    r"Franklin St|Temple Place|Mass(?:achusetts)? Ave|Second Street, Suite 300|Main Street, Suite 500", re.IGNORECASE
)


def find_addresses(text: str) -> list[Span]:
    """The postal addresses in a text, type `ADDRESS`; 0.9 with a postcode or a label, less without.

    Of addresses in foreign forms only German streets are known; box numbers are.
    """
    spans = []
    for match in _STREET.finditer(text):
        if _INSTITUTION.search(match.group()):
            continue
        score = 0.9 if match["place"] else 0.6
        why = "street with city and postcode" if match["place"] else "house number and street"
        spans.append(Span("ADDRESS", match.start(), match.end(), score, why))
    for match in _CITY.finditer(text):
        institution = _INSTITUTION.search(text, max(0, match.start() - 60), match.end())
        if match["state"] in _US_STATES and not institution:
            spans.append(Span("ADDRESS", match.start(), match.end(), 0.6, "city, state and postcode"))
    for match in _LABELLED.finditer(text):
        spans.append(Span("ADDRESS", *match.span("value"), 0.9, "value of an address field"))
    for pattern, why in ((_BOX, "box number"), (_GERMAN, "street and house number")):
        spans.extend(Span("ADDRESS", match.start(), match.end(), 0.6, why) for match in pattern.finditer(text))
    return spans
