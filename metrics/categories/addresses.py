"""Postal addresses: a house number and a street, a box, or a city with its postcode."""

from __future__ import annotations

import re

from metrics.categories.evidence import Span
from metrics.categories.matches import first_matches

_STREET_WORD = (
    r"(?:Street|Str|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Ter|"
    r"Parkway|Pkwy|Circle|Cir|Highway|Hwy|Trail|Crescent|Close|Mews|Alley|Turnpike)"
)
# Words that end names of streets, but more often something else ("12 Angry Views"): they need city and postcode.
_RARE_STREET_WORD = (
    r"(?:Arcade|Beach|Bend|Bluffs?|Branch|Bridge|Brooks?|Bypass|Canyon|Causeway|Cent(?:er|re)|Cliffs?|Club|Common|Corners?|"
    r"Course|Coves?|Creek|Crossing|Dale|Estates?|Expressway|Extensions?|Falls|Ferry|Fields?|Flats?|Fords?|Forest|Forges?|"
    r"Forks?|Freeway|Gardens?|Gateway|Glens?|Greens?|Groves?|Harbou?rs?|Haven|Heights|Hills?|Hollow|Inlet|Islands?|Isle|"
    r"Junctions?|Keys?|Knolls?|Lakes?|Landing|Lights?|Loaf|Locks?|Lodge|Loop|Mall|Manors?|Meadows?|Mills?|Mission|"
    r"Motorway|Mountains?|Neck|Orchard|Oval|Overpass|Parks?|Pass|Passage|Path|Pike|Pines?|Plains?|Plaza|Points?|Ports?|"
    r"Prairie|Quay|Ramp|Ranch|Rapids?|Rest|Ridges?|River|Route|Row|Rue|Run|Shoals?|Shores?|Skyway|Springs?|Spurs?|Station|"
    r"Stream|Summit|Throughway|Trace|Track|Tunnel|Underpass|Unions?|Valleys?|Via|Viaduct|Views?|Villages?|Ville|Vista|"
    r"Walks?|Wall|Wells?)"
)
_SPACE = r"[ \t\r\n]"  # in ASCII: the prefilter knows no other
_CITY_NAME = r"(?:[A-Z][\w.'’-]{1,24} ){0,2}[A-Z][\w.'’-]{1,24}"
_PLACE = (
    rf"{_CITY_NAME},?{_SPACE}{{1,3}}(?P<state>[A-Z]{{2}}){_SPACE}{{1,2}}(?P<zip>[0-9]{{5}})(?:-[0-9]{{4}})?(?![0-9])"
)
PLACE = "city, state and a postcode of it, without a house"
_UNIT = r"(?P<unit>,?[ \t\r\n](?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm)\.?[ \t\r\n]#?[A-Za-z0-9]{1,6})?"
# Each word of the street's name has three letters, but for a direction: "137 S. Ct." is a volume of reports.
_STREET = re.compile(
    r"(?<![\w./-])(?<![0-9],)[0-9]{1,6}[A-Za-z]?[ \t](?:[NSEW]{1,2}\.?[ \t])?(?:[A-Z0-9][\w'’-]{2,24}[ \t]){1,3}"
    rf"(?:{_STREET_WORD}\b|(?P<rare>{_RARE_STREET_WORD}\b))\.?{_UNIT}(?P<place>(?:,{_SPACE}?|{_SPACE}{{1,3}}){_PLACE})?"
)
# What ends in a street's word and is none: measures ("5 Minute Drive"), courts of law, drives of computers, ranks.
_MEASURE = re.compile(
    r"[0-9]{1,6} (?:Minutes?|Mins?|Hours?|Hrs?|Miles?|Kilomet(?:er|re)s?|Met(?:er|re)s?|Yards?|Inch|Foot|Feet|Weeks?|"
    r"Months?|Years?|Seconds|Pounds?|Dollars?|Percent|Million|Billion) |"
    r"[0-9]{1,2} (?:Stars?|Days?|Nights?|Speed|Doors?|Lanes?|Wheels?|Way|Point|Disc|Disk) ",
    re.IGNORECASE | re.ASCII,
)
_NO_STREET = re.compile(
    r" (?:(?:Supreme|High|District|Circuit|Appeals?|Appellate|Superior|Federal|Crown|Criminal|Family|Municipal|"
    r"Magistrates?'?|Probate|Constitutional|Juvenile|Bankruptcy|Traffic|Food|Tennis|Basketball|Squash|Moot) "
    r"(?:Court|Ct)|"
    r"(?:Hard|Disk|Disc|Flash|Floppy|Thumb|Pen|Tape|Zip|USB|SSD|DVD|Test|Blood|Food|Toy|Fund|Wheel|Warp) Drive|"
    r"(?:First|Second|Third|Last) Place|Milky Way|(?:One|Two|Three|Four) Way|(?:Two|Three|Four|Six) Lane [A-Z][a-z]+)\Z"
)
# A number of these is a house's or a year. It is a year after a word that dates, before "The", and before the noun that
# it dates ("2008 Wall Street crash").
_YEAR = re.compile(r"(?:1[89]|20)[0-9]{2} ")
_DATING = re.compile(
    r"(?:\b(?:in|since|until|till|during|by|before|after|early|late|mid|the|a|this|circa|ca\.|Spring|Summer|Fall|Autumn|"
    r"Winter|January|February|March|April|May|June|July|August|September|October|November|December),?[ -])\Z",
    re.IGNORECASE | re.ASCII,
)
_DATED = re.compile(
    r" (?!(?:in|on|at|and|or|where|which|near|is|was|to|by|from|for|with|of|off|since|until|who|when)\b)[a-z]"
)
_STATE_AND_POSTCODE = re.compile(r"[A-Z]{2}[ \t\r\n]{1,2}[0-9]{5}")
_CITY = re.compile(rf"(?<![\w]){_PLACE}\b")
_BOX = re.compile(
    r"\b(?:P\.?[ \t\r\n]?O\.?[ \t\r\n]?Box|Postfach|Casilla)[ \t\r\n][0-9]{1,6}\b|\bUnit [0-9]{3,5} Box [0-9]{3,5}\b",
    re.I | re.A,
)
_GERMAN = re.compile(
    r"\b(?:[A-ZÄÖÜ][a-zäöüß-]{2,24}(?:straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer)|"
    # "Heinrich-Heine-Straße", "Lange Straße"; "Auf Platz 3" is a rank.
    r"(?:[A-ZÄÖÜ][a-zäöüß]{1,20}-){1,3}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse|Damm|Ufer)|"
    r"[A-ZÄÖÜ][a-zäöüß]{2,20} (?:Straße|Strasse|Str\.|Allee|Gasse)) [0-9]{1,4}[a-z]?\b"
)
_LABELLED = re.compile(
    r"\b(?:(?:home|mailing|postal|street|billing|shipping|delivery|residential)[ _-]?)?"
    r"address:[ \t\r\n]{0,2}(?P<value>[0-9]{1,6}[ \t][^\n]{4,80})",
    re.IGNORECASE | re.ASCII,
)
# What of an address may stand before its city: the number of a house, with no sentence's end behind it ("12 St. Ann").
_HOUSE = re.compile(
    r"(?<![\w.,-])#?[0-9]{1,6}[A-Za-z]?,?[ \t\r\n](?:[^.!?]|(?<![a-z]{4})\.){0,60}\Z|"
    r"(?:Box|Apt|Suite|Unit)\b[^.!?]{0,20}\Z"
)
_HOUSE_REACH = 80  # characters
# The first digit of the postcodes of each state.
_POSTCODES = {
    state: digit
    for digit, states in {
        "0": "CT MA ME NH NJ PR RI VT VI AE",
        "1": "DE NY PA",
        "2": "DC MD NC SC VA WV",
        "3": "AL FL GA MS TN AA",
        "4": "IN KY MI OH",
        "5": "IA MN MT ND SD WI",
        "6": "IL KS MO NE",
        "7": "AR LA OK TX",
        "8": "AZ CO ID NM NV UT WY",
        "9": "AK CA HI OR WA AS GU MP PW FM MH AP",
    }.items()
    for state in states.split()
}
# Addresses that stand in licences and belong to nobody's home.
_INSTITUTION = re.compile(
    r"Franklin St|Temple Place|Mass(?:achusetts)? Ave|Second Street, Suite 300|Main Street, Suite 500", re.IGNORECASE
)


def find_addresses(text: str) -> list[Span]:
    """The postal addresses in a text, type `ADDRESS`; 0.9 with a postcode or a label, less without.

    A city with its postcode and no house before it is a place (`PLACE`): likely an address only beside a person.
    Of addresses in foreign forms only German streets are known; box numbers are.
    """
    spans = []
    for match in first_matches(_STREET, text):
        if _INSTITUTION.search(match.group()) or (not match["place"] and (match["rare"] or _other(text, match))):
            continue
        score = 0.9 if match["place"] else 0.6
        why = "street with city and postcode" if match["place"] else "house number and street"
        spans.append(Span("ADDRESS", match.start(), match.end(), score, why))
    for match in first_matches(_CITY, text) if _STATE_AND_POSTCODE.search(text) else ():
        institution = _INSTITUTION.search(text, max(0, match.start() - 60), match.end())
        if match["state"] in _POSTCODES and not institution:
            fits = _POSTCODES[match["state"]] == match["zip"][0]
            why = "city, state and a postcode of it" if fits else "city, state and a postcode of another state"
            score = 0.6 if fits else 0.4
            if fits and not _HOUSE.search(text, max(0, match.start() - _HOUSE_REACH), match.start()):
                score, why = 0.45, PLACE
            spans.append(Span("ADDRESS", match.start(), match.end(), score, why))
    for match in first_matches(_LABELLED, text):
        spans.append(Span("ADDRESS", *match.span("value"), 0.9, "value of an address field"))
    for pattern, why in ((_BOX, "box number"), (_GERMAN, "street and house number")):
        spans.extend(Span("ADDRESS", match.start(), match.end(), 0.6, why) for match in first_matches(pattern, text))
    return spans


def _other(text: str, match: re.Match[str]) -> bool:
    """Whether a number and words that end as a street's name, without city and postcode, are something else."""
    words = match.group().rstrip(".")
    if _MEASURE.match(words) or _NO_STREET.search(words):
        return True
    if not _YEAR.match(words) or match["unit"]:
        return False
    dating = _DATING.search(text, max(0, match.start() - 12), match.start())
    return bool(dating or words[5:9] == "The " or _DATED.match(text, match.end()))
