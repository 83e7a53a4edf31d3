"""What Spark looks for in the JVM before a row reaches the detectors: one regular expression for each category.

Java and Python read them alike: classes are of ASCII characters and spelt out (`\\s`, `\\w`, `\\b`, `\\d` differ), and
`(?![\\s\\S])` stands for the end of the text. Each part is a looser form of a detector's pattern, so a row that passes
none of them holds nothing that the detectors find, but for names in prose. A test compares the two.

Java tries the alternatives one after the other at every character, so there are two: one behind any character that is
no letter, one at the text's beginning. Most characters are letters and fail both at once. Behind the others the
expression branches on what gives a finding away (a number's first digit, an at sign, a line's end, a word's first
letter). Side by side, the alternatives took ten times as long.
"""

from __future__ import annotations

from typing import NamedTuple

_CAPITAL = r"[^\x00-@\[-\x7f]"  # A-Z or any character beyond ASCII: how a name can begin
_SPACE = r"[ \t\r\n\f\x0b]"
_END = r"(?![\s\S])"
_HANDFUL = 3

Words = tuple[str, str, bool]  # patterns separated by spaces (`_` for a space), what follows them, whatever the case


def _by_first_letter(*groups: Words) -> str:
    """An alternation of words that branches on their first letter."""
    tails: dict[str, list[str]] = {}
    for words, rest, any_case in groups:
        letters: dict[str, list[str]] = {}
        for word in words.replace("_", "\0").split():
            letters.setdefault(word[0], []).append(word[1:].replace("\0", " "))
        for letter, ends in letters.items():
            body = "|".join(ends)
            tail = (f"(?i:{body})" if any_case else f"(?:{body})") + rest
            for case in {letter, letter.swapcase()} if any_case else {letter}:
                tails.setdefault(case, []).append(tail)
    branches = [f"{letter}(?:{'|'.join(tails[letter])})" for letter in sorted(tails)]
    return _tree(sorted(tails), branches)


def _tree(letters: list[str], branches: list[str]) -> str:
    """Branches behind classes of their first letters, thirds within thirds: a few looks at a letter, not fifty."""
    if len(letters) <= _HANDFUL:
        return "|".join(branches)
    third = -(-len(letters) // 3)
    return "|".join(
        f"(?=[{''.join(letters[at : at + third])}])(?:{_tree(letters[at : at + third], branches[at : at + third])})"
        for at in range(0, len(letters), third)
    )


_TELEPHONE: Words = (
    "tel(?:ephone)? text phone ph pager fax mobile messages? cell(?:phone)? call desk dial voicemail whatsapp sms "
    "hotline ring reach(?:ed)? answering",
    r"(?i: (?:me|us|him|her|them))?(?i: (?:at|on|to))? ?(?i:no|number|nr|#)?(?i: is)?"
    r"[ \t\n.:)=\"']{1,5}\+?\(?[0-9][0-9 ().-]{5}",
    True,
)
# Words that give a number near them its meaning.
_MEANINGS: Words = (
    "of_birth birth.?da(?:te|y) iban social_(?:sec|ins) soc_sec ssns?(?![a-z]) ss_?# ss_no(?![a-z]) passport "
    "driver.{0,3}_licen[cs]e driving_licen[cs]e medicare medicaid mbi(?![a-z]) taxpayer_id tax_file tfn(?![a-z]) "
    "individual_taxpayer itin(?![a-z]) nhs(?![a-z]) national_(?:health|insurance) ni_number nino(?![a-z]) pesel "
    "hetu(?![a-z]) henkil.{1,2}tunnus personal_identity_code personnummer samordningsnummer aadha uidai rrn(?![a-z]) "
    "resident_reg assurance_soc steuer identifikationsn idnr codice_fis fiscal_code",
    "",
    True,
)
_BIRTH: tuple[Words, ...] = (
    (r"d\.?o\.?b\.?", r"[^A-Za-z0-9]{1,6}[0-9A-Za-z]", True),
    (
        "born(?:_on)?",
        r" (?:[0-9]{1,4}[-/. a-zA-Z]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]{0,6}\.? [0-9])",
        True,
    ),
)
# Where names stand in mails, letters and records, and where handles do.
_NAMES: tuple[Words, ...] = (
    (
        "From To Cc CC Bcc Sent_by Reply-To Attn Attention Name name Surname Contact Contact_[Pp]erson Customer Client "
        "Patient Employee Student Applicant Recipient Sender Ship_to Bill_to Sold_to Deliver_to",
        rf"{_SPACE}?:[ \t]{{0,8}}\"?{_CAPITAL}",
        False,
    ),
    (
        "Sincerely Yours truly sincerely faithfully Regards regards Wishes wishes Best Thanks thanks you again Cheers "
        "Respectfully Cordially Love care",
        rf",{_SPACE}{{1,8}}[> ]{{0,4}}{_CAPITAL}",
        False,
    ),
    (
        "Sincerely sincerely Faithfully faithfully Regards regards Wishes wishes Cheers",
        rf"[ \t]{{0,3}}\r?\n[ \t\r\n]{{0,6}}{_CAPITAL}",
        False,
    ),
    ("Dear", f" {_CAPITAL}", False),
    ("Contact contact", rf"[ \t][\"\u201c]?{_CAPITAL}", False),
    ("by", rf":[ \t]{{0,4}}{_CAPITAL}", False),
    ("Forwarded_by forwarded_by", rf"[ \t]{{1,4}}{_CAPITAL}", False),
    ("at AT", " [A-Za-z0-9_-]{2,40} (?:dot|DOT) ", False),
    ("nick(?:name)? screen_?name skype icq aim", r"[ \t]{0,2}:[ \t]{0,4}@?[A-Za-z0-9]", True),
    (r"blogger\.com/profile/ linkedin\.com/in/ facebook\.com/profile\.php plus\.google\.com/", "", False),
)
# Behind the first digit of a number; what is before it is looked back at.
_NUMBER = "|".join(
    (
        # North American numbers, also run together with the word before; others with their country.
        r"(?:[0-9]{2}|(?<=1)[0-9]{3}|(?<=0)01[0-9]{3})(?:\)[ .-]?|[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])",
        r"(?<=\+[0-9])[0-9 ().-]{5,18}[0-9]",
        # With nothing before it that would make it a part of something else:
        r"(?<![A-Za-z0-9_.-][0-9])(?:"
        r"[0-9]{0,2}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![A-Za-z0-9_-])|"
        r"(?<=[23])[0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{1,4}:){0,6}:|"
        r"0[1-9](?:[0-9]{0,2}[ .-][0-9(][0-9 ().-]{4}|[0-9]{8,13}(?![A-Za-z0-9_%/]))|"
        r"[0-9]{3}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4}|[0-9]{11,18}(?![A-Za-z0-9_/-])|"
        r"[0-9]{2}-[0-9]{2}-[0-9]{4}(?![A-Za-z0-9_/-])|[0-9]{6,7}-?[A-Z](?![A-Za-z0-9_/-])|"
        # a house number and a street;
        r"[0-9]{0,5}[A-Za-z]?[ \t](?:[NSEW]{1,2}\.?[ \t])?(?:[A-Z0-9][^\x00-&(-,.-/:-@\[-^`{-\x7f]{2,24}[ \t]){1,3}"
        r"(?:Street|Str|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Ter|"
        r"Parkway|Pkwy|Circle|Cir|Highway|Hwy|Trail|Crescent|Close|Mews|Alley|Turnpike)(?![A-Za-z0-9_]))",
        # behind capitals: an account (IBAN), an identity card;
        r"(?<=[A-Z][0-9])(?:[0-9](?:[ -]?[A-Z0-9]{4}){2}|(?:[0-9]{6,7}-?|[0-9]{3})[A-Z](?![A-Za-z0-9_]))",
        # behind a space and what announces it, no number: a state, a street, a box, a field for an address.
        r"(?<=[ \t\n\r][0-9])(?<![0-9][ \t\n\r][0-9])(?:"
        r"(?:(?<=[A-Z][A-Z][ \t\n\r][0-9])|(?<=[A-Z][A-Z][ \t\n\r][ \t\n\r][0-9]))[0-9]{4}(?![0-9])|"
        r"(?<=[oO][xX][ \t\n\r][0-9])|(?<=[fF][aA][cC][hH][ \t\n\r][0-9])|(?<=[lL][lL][aA][ \t\n\r][0-9])|"
        r"(?<=eg [0-9])|(?<=amm [0-9])|(?<=fer [0-9])|(?<=tr\. [0-9])|(?<=tra\u00dfe [0-9])|(?<=asse [0-9])|"
        r"(?<=latz [0-9])|(?<=llee [0-9])|"
        r"(?:(?<=[sS]:[ \t\n\r][0-9])|(?<=[sS]:[ \t\n\r][ \t\n\r][0-9]))[0-9]{0,5}[ \t])",
        r"(?<=[sS]:[0-9])[0-9]{0,5}[ \t]",
    )
)
_LINE = (
    rf"[> \t]{{0,8}}(?:"
    rf"(?:To|Hi|Hello|Hey),? {_CAPITAL}[^\n]{{1,80}}(?:\n|{_END})|"
    rf"(?:Many thanks|Thanks|Thank you)[^\n,]{{0,60}}{_SPACE}{{1,6}}{_CAPITAL}[^\n]{{1,120}}(?:\n|{_END})|"
    rf"{_CAPITAL}[^\n,]{{1,24}},[ \t]{_CAPITAL}[^\n,]{{1,28}}(?:[ \t]{{2}}|[;<(|\t])|"
    r"(?:\[?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\]?[ \t])?<[ @+%]?[A-Za-z0-9_`|^\[\]{}\\-]{2,24}>[ \t]|"
    r"@[A-Za-z0-9_]{2,24}:? [A-Z\u201c\"])|"
    r"\n(?:------|~~~)\n[A-Za-z0-9_-]{2,24}\n"
)
_AT = (
    rf"(?<=[A-Za-z0-9_.+'-]@)(?:(?<=[A-Za-z]@)[A-Z]|[A-Za-z0-9][A-Za-z0-9_-]{{0,62}}\.[A-Za-z0-9]|"
    rf"[a-z0-9-]{{0,63}}(?:\.[a-z]{{0,3}})?{_END})|"
    r"(?<= @)(?:(?<=RT @)|(?<=via @)|(?<=cc @)|(?<=low @)|(?<=low: @)|(?<=me @)|(?<=me: @)|(?<=er @)|(?<=er: @)|"
    r"(?<=ram @)|(?<=ram: @)|(?<=[Ff]ollow on [A-Z][a-z]{5} @))[A-Za-z0-9_]{2}"
)
# Behind a sign: all eight groups of an address, a mail directory's path, an at sign written out.
_SIGN = (
    r"(?<=:)(?:[0-9A-Fa-f]{1,4}:){6}[0-9A-Fa-f]|(?<=/)[A-Z]{2,5}/[A-Z][A-Za-z]|(?<=<)/[oO]=[A-Za-z]|"
    r"(?<=[(\[{<])[aA][tT][)\]}>]"
)
# What a telephone is called behind its number, which is at least seven characters long and may end in an extension.
_BEHIND_NUMBER = (
    "(?=[cdfhmopvwCDFHMOPVW])(?=(?i:office|fax|mobile|cell|home|work|phone|voice|pager|direct))(?:"
    + "|".join(rf"(?<=[0-9 ().,eEiInNoOsStTxX-]{{6}}[0-9][ \t(-]{{{gap}}})" for gap in range(5))
    + ")"
)
_VALUE = r"[^ \t\r\n\f\x0b\"'`<>]"
# A character of a value that is neither an ASCII letter nor one of the signs that words have, too.
_CHOSEN = r"[^\x00- \"'(),\-./:;<=>A-Z\[\\\]_`a-z{|}\x7f]"
# A type between a name and a quoted value.
_TYPE = (
    r"(?:[ \t]{0,4}:[ \t]{0,4}&?(?:'static )?[A-Za-z][A-Za-z0-9_.]{0,30}(?:[\[<][A-Za-z]{1,20}[\]>])?\??|"
    r"[ \t]{1,4}(?i:string))(?=[ \t]{0,8}=[ \t]{0,8}[urbflURBFL@$]{0,2}#?[\"'`])"
)
# A secret's name, which may end a longer one, a sign of assignment, of a call or of an element, and a value with a
# digit or sign, or of sixteen characters, or a quoted word. The first letters are told apart only by what follows them.
_ASSIGNED = (
    rf"(?:(?:\[[0-9]{{0,4}}\]|(?:\\{{0,3}}[\"'])?\]?)(?:{_TYPE})?"
    r"(?:[ \t]{0,8}(?:=>|:=|==?|[:\uff1a\uff1d]|(?i:is):?)[ \t]{0,8}(?:[urbflURBFL@$]{0,2}#?(?=[\"']))?"
    r"(?:\"{3}|'{3}|(?:\\{0,3}[\"'`])?)|"
    rf"(?:,[ \t]{{0,16}}|\([ \t]{{0,4}})[urbflURBFL@$]{{0,2}}#?[\"'`]|{_SPACE}{{1,8}}(?i:value)=[\"']|"
    rf"(?:</(?i:key)>{_SPACE}{{0,40}}<(?i:string))?>)"
    rf"(?={_VALUE}{{0,199}}{_CHOSEN}|{_VALUE}{{16}}|(?<=[\"'`>])[^\x00-`{{-\x7f]{{6}}|"
    rf"(?<=[= \t])[a-z]{{6,30}}[ \t]{{0,4}}(?:[\r\n]|{_END})){_VALUE}{{6}}|>[^<\n]{{6}})"
)
_NAMED = (
    r"[pPsStTkKcC](?i:ass(?:wor[dt]|wd|phrase|code|e)?|w(?:d|(?<=[pP]w)(?![iI]))|sk|ecret|oken|ey(?:_base)?|"
    r"redentials?)"
)
_TOKENS: tuple[Words, ...] = (
    # A password in other languages.
    ("kennwort wachtwoord senha clave mdp contrase[\u00f1\u00d1n]a has[\u0142\u0141l]o", _ASSIGNED, True),
    (
        "value",
        rf"=[\"'][^ \t\r\n\f\x0b\"'<>]{{6,200}}[\"']{_SPACE}{{1,8}}(?i:name|key|id)=[\"']",
        True,
    ),
    ("AKIA ASIA ABIA ACCA", "[A-Z0-9]{16}", False),
    (r"ghp\x5f gho\x5f ghu\x5f ghs\x5f ghr\x5f github\x5fpat\x5f", "[A-Za-z0-9_]{20}", False),
    (r"glpat- xoxa- xoxb- xoxp- xoxr- xoxs- GOCSPX- shpat\x5f dop\x5fv1\x5f", "[A-Za-z0-9_-]{10}", False),
    (r"AGE-SECRET-KEY- ya29\.", "", False),
    (r"rk\x5f sk\x5f", r"(?:live|test)_[0-9A-Za-z]{16}", False),
    ("AIza", "[A-Za-z0-9_-]{35}", False),
    ("sk-", "[A-Za-z0-9_-]{20}", False),
    (r"npm\x5f", "[A-Za-z0-9]{36}", False),
    ("pypi-", "[A-Za-z0-9_-]{40}", False),
    (r"hf\x5f", "[A-Za-z0-9]{30}", False),
    (r"SG\.", "[A-Za-z0-9_-]{16}", False),
    ("eyJ", r"[A-Za-z0-9_-]{8,2000}\.eyJ", False),
    (r"PRIVATE_KEY OpenVPN_Static_key Private-Lines:", "", False),
    ("Bearer Basic", r"[ \t]{1,4}[A-Za-z0-9+/_.=~-]{12}", False),
    (
        "login role user(?:name)?",
        r"[ \t]{1,4}[^ \t\r\n\f\x0b]{1,64}[ \t]{1,4}"
        r"(?:(?i:with|encrypted|login|superuser|createdb|createrole)[ \t]{1,4}){0,5}(?i:password)[ \t]",
        True,
    ),
    ("requirepass masterauth", r"[ \t]{1,4}[^ \t\r\n\f\x0b]{4}", True),
    ("docker podman buildah oc", r" login[^\n]{0,200} -p[ =]", False),
    ("auth", r"[ ]{0,2}=[ ]{0,2}\([ ]{0,2}[urb]?['\"]", False),
    ("HTTPBasicAuth", r"\([ ]{0,2}[urb]?['\"]", False),
    ("identified_by", r"[ \t]{1,4}['\"]", True),
    ("curl", r" [^\n]{0,200}(?:-u|--user)", False),
    ("mysql mariadb sshpass", r"[^\n]{0,120}[ \t]-p[^-\r\n]", False),
    ("password", r"(?<=-.{8})[ \t]{1,4}", True),  # an option's value
    ("passwd", r"(?<=-.{6})[ \t]{1,4}", True),
    ("passphrase", r"(?<=-.{10})[ \t]{1,4}", True),
    (
        "define setenv putenv setdefault setProperty",
        r"(?:\([ \t]{0,4}[\"']|[ \t]{1,4})[A-Za-z0-9_.-]{0,40}(?i:pass|pwd|psk|secret|token|key|salt)",
        True,
    ),
)
# Behind the first letter of a password in Russian, Chinese, Japanese; Java is slow at looking for such a first letter.
_OTHER_LETTERS = r"\u0430\u0440\u043e\u043b\u044c|\u0410\u0420\u041e\u041b\u042c|\u7801|\u30b9\u30ef\u30fc\u30c9"


class _Parts(NamedTuple):
    """What is looked for: words at a word's beginning; behind a digit or one of some signs; behind any character that
    is no letter; anywhere; and at the text's beginning."""

    words: tuple[Words, ...]
    behind_sign: str
    behind_any: str
    anywhere: str
    first: str


_PERSONAL = _Parts(
    words=(_TELEPHONE, _MEANINGS, *_BIRTH, *_NAMES),
    behind_sign=rf"(?<=[0-9])(?<![0-9][0-9])(?:{_NUMBER})|(?<=\n)(?:{_LINE})|(?<=@)(?:{_AT})|{_SIGN}",
    behind_any=_BEHIND_NUMBER,
    anywhere="",
    first=_LINE,
)
_SECRET = _Parts(
    words=_TOKENS,
    behind_sign=r"(?<=:)(?://[^ \t\r\n\f\x0b/@'\"<>]{0,64}:[^ \t\r\n\f\x0b@/'\"<>]{3,100}@|AA[A-Za-z0-9_-]{33})|"
    r"(?<=/)(?<=slack\.com/)services/",
    behind_any=rf"(?:{_OTHER_LETTERS}){_ASSIGNED}",
    anywhere=rf"{_NAMED}{_ASSIGNED}",
    first=r"[A-Z ]{0,12}KEY-----|(?:EY|Y)?-{0,5}\r?\n[A-Za-z0-9+/]{40}",
)


def _expression(*wanted: _Parts) -> str:
    """One expression that is found wherever something of the wanted is."""
    tree = _by_first_letter(*(words for parts in wanted for words in parts.words))
    behind_sign, behind_any, anywhere, first = (
        "|".join(filter(None, each)) for each in zip(*(parts[1:] for parts in wanted), strict=True)
    )
    return (
        rf"[^A-Za-z](?:(?<=[0-9\n@:/(\[{{<])(?:{behind_sign})|{behind_any}|{tree})|"
        + (f"{anywhere}|" if anywhere else "")
        + f"^(?:{tree}|{first})"
    )


PERSONAL_DATA = _expression(_PERSONAL)
CREDENTIALS = _expression(_SECRET)
# Found where one of the two is, in three quarters of their time.
EITHER = _expression(_PERSONAL, _SECRET)
