"""What is looked for in every row, so that few rows reach the detectors: some regular expressions for each category.

They are RE2's (here pyarrow's), which reads each character once whatever the expression, in a fiftieth of the time that
Python's or Java's takes; but it knows no lookarounds, so what has to stand before a finding is a part of it, and it
counts in states, so long repetitions have no upper bound. Each part is a looser form of a detector's pattern: a row in
which none is found holds nothing that the detectors find, but for names in prose. A test compares the two.

Several expressions and not one: side by side they would have too many states, and RE2 would fall back to trying all of
them at each character.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_CAPITAL = r"[^\x00-@\[-\x7f]"  # A-Z or any character beyond ASCII: how a name can begin
_SPACE = r"[ \t\r\n\f\x0b]"
_NO_LETTER = r"(?:^|[^A-Za-z])"


def _words(words: str, rest: str = "", *, any_case: bool = False) -> str:
    """Patterns separated by spaces (`_` stands for one), and what follows them."""
    either = words.replace(" ", "|").replace("_", " ")
    return (f"(?i:{either})" if any_case else f"(?:{either})") + rest


# At a word's beginning.
_PERSONAL_WORDS = (
    # What a telephone is called before its number.
    _words(
        "tel(?:ephone)? text phone ph pager fax mobile messages? cell(?:phone)? call desk dial voicemail whatsapp sms "
        "hotline ring reach(?:ed)? answering",
        r"(?i:(?: (?:me|us|him|her|them))?(?: (?:at|on|to))? ?(?:no|number|nr|#)?(?: is)?)"
        r"[ \t\n.:)=\"']{1,5}\+?\(?[0-9][0-9 ().-]{5}",
        any_case=True,
    ),
    # What gives a number its meaning.
    _words(
        "of_birth birth.?da(?:te|y) social_(?:sec|ins) soc_sec ss_?# passport driver.{0,3}_licen[cs]e "
        "driving_licen[cs]e medicare medicaid taxpayer_id tax_file individual_taxpayer national_(?:health|insurance) "
        "ni_number pesel henkil.{1,2}tunnus personal_identity_code personnummer samordningsnummer aadha uidai "
        "resident_reg assurance_soc steuer identifikationsn idnr codice_fis fiscal_code",
        any_case=True,
    ),
    _words("ssns? ss_no mbi tfn itin nhs nino hetu rrn", r"(?:[^A-Za-z]|\z)", any_case=True),
    _words(r"d\.?o\.?b\.?", "[^A-Za-z0-9]+[0-9A-Za-z]", any_case=True),
    _words(
        "born(?:_on)?",
        r" (?:[0-9]{1,4}[-/. a-zA-Z]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]*\.? [0-9])",
        any_case=True,
    ),
    # Where names stand in mails, letters and records, and where handles do.
    _words(
        "From To Cc CC Bcc Sent_by Reply-To Attn Attention Name name Surname Contact Contact_[Pp]erson Customer Client "
        "Patient Employee Student Applicant Recipient Sender Ship_to Bill_to Sold_to Deliver_to",
        rf"{_SPACE}?:[ \t]*\"?{_CAPITAL}",
    ),
    _words(
        "Sincerely Yours truly sincerely faithfully Regards regards Wishes wishes Best Thanks thanks you again Cheers "
        "Respectfully Cordially Love care",
        rf",{_SPACE}+[> ]*{_CAPITAL}",
    ),
    _words(
        "Sincerely sincerely Faithfully faithfully Regards regards Wishes wishes Cheers",
        rf"[ \t]*\r?\n[ \t\r\n]*{_CAPITAL}",
    ),
    f"Dear {_CAPITAL}",
    rf"[Cc]ontact[ \t][\"\x{{201c}}]?{_CAPITAL}",
    rf"by:[ \t]*{_CAPITAL}",
    rf"[Ff]orwarded by[ \t]+{_CAPITAL}",
    _words("at AT", " [A-Za-z0-9_-]{2,} (?:dot|DOT) "),
    _words("nick(?:name)? screen_?name skype icq aim", r"[ \t]*:[ \t]*@?[A-Za-z0-9]", any_case=True),
    r"blogger\.com/profile/",
    r"linkedin\.com/in/",
    r"facebook\.com/profile\.php",
    r"plus\.google\.com/",
)
_NUMBERS = (
    # North American numbers, also run together with the word before; others with their country.
    r"(?:^|[^0-9])(?:[0-9]{3}|1[0-9]{3}|001[0-9]{3})(?:\)[ .-]?|[ .-])[2-9][0-9]{2}[ .-][0-9]{4}(?:[^0-9]|\z)",
    r"\+[0-9][0-9 ().-]{5,18}[0-9]",
    r"(?:^|[^A-Za-z0-9_#/=])00[1-9](?:[0-9]{0,2}[ .-][0-9(][0-9 ().-]{3}|[0-9]{8,13}(?:[^A-Za-z0-9_%/]|\z))",
    r"(?:^|[^A-Za-z0-9_:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{1,4}:)*:",
    # With nothing before it that would make it a part of something else:
    r"(?:^|[^A-Za-z0-9_.-])(?:"
    r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?:[^A-Za-z0-9_-]|\z)|"
    r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4}|[0-9]{12,19}(?:[^A-Za-z0-9_/-]|\z)|"
    r"[0-9]{3}-[0-9]{2}-[0-9]{4}(?:[^A-Za-z0-9_/-]|\z)|[0-9]{7,8}-?[A-Z](?:[^A-Za-z0-9_/-]|\z)|"
    # a house number and a street;
    r"[0-9]{1,6}[A-Za-z]?[ \t](?:[NSEW]{1,2}\.?[ \t])?(?:[A-Z0-9][^\x00-&(-,.-/:-@\[-^`{-\x7f]{2,}[ \t]){1,3}"
    r"(?:Street|Str|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Ter|"
    r"Parkway|Pkwy|Circle|Cir|Highway|Hwy|Trail|Crescent|Close|Mews|Alley|Turnpike)(?:[^A-Za-z0-9_]|\z))",
    # behind capitals: an account (IBAN), an identity card, the number of a state;
    r"[A-Z][0-9](?:[0-9](?:[ -]?[A-Z0-9]{4}){2}|(?:[0-9]{6,7}-?|[0-9]{3})[A-Z](?:[^A-Za-z0-9_]|\z))",
    r"[A-Z][A-Z][ \t\n\r]{1,2}[0-9]{5}(?:[^0-9]|\z)",
    # behind what announces it: a box, a street, a field for an address.
    r"(?:[oO][xX]|[fF][aA][cC][hH]|[lL][lL][aA])[ \t\n\r][0-9]",
    r"(?:eg|amm|fer|tr\.|tra\x{df}e|asse|latz|llee) [0-9]",
    r"[sS]:[ \t\n\r]{0,2}[0-9]{1,6}[ \t]",
)
_LINES = (
    rf"[> \t]*(?:To|Hi|Hello|Hey),? {_CAPITAL}[^\n]",
    rf"[> \t]*(?:Many thanks|Thanks|Thank you)[^\n,]*{_SPACE}+{_CAPITAL}[^\n]",
    rf"[> \t]*{_CAPITAL}[^\n,]+,[ \t]{_CAPITAL}[^\n,]+(?:[ \t]{{2}}|[;<(|\t])",
    r"[> \t]*(?:\[?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\]?[ \t])?<[ @+%]?[A-Za-z0-9_`|^\[\]{}\\-]{2,}>[ \t]",
    r"[> \t]*@[A-Za-z0-9_]{2,}:? [A-Z\x{201c}\"]",
    r"\n(?:------|~~~)\n[A-Za-z0-9_-]{2,}\n",
)
_SIGNS = (
    # Mail addresses, also cut off at the end; users who are named.
    r"[A-Za-z0-9_.+'-]@(?:[A-Za-z0-9][A-Za-z0-9_-]*\.[A-Za-z0-9]|[a-z0-9-]*(?:\.[a-z]{0,3})?\z)|[A-Za-z]@[A-Z]",
    r"(?:RT|via|cc|(?:low|me|er|ram):?|[Ff]ollow on [A-Z][a-z]{5}) @[A-Za-z0-9_]{2}",
    r"[(\[{<][aA][tT][)\]}>]",
    # A field for an account, also at the end of a longer name.
    "(?i:iban)",
    # All eight groups of a network address; a mail directory's path.
    r":(?:[0-9A-Fa-f]{1,4}:){6}[0-9A-Fa-f]",
    r"/[A-Z]{2,5}/[A-Z][A-Za-z]|</[oO]=[A-Za-z]",
    # What a telephone is called behind its number, which may end in an extension.
    r"[0-9 ().,eEiInNoOsStTxX-]{6}[0-9][ \t(-]{0,4}(?i:office|fax|mobile|cell|home|work|phone|voice|pager|direct)",
)

_VALUE = r"[^ \t\r\n\f\x0b\"'`<>]"
# A type between a name and a quoted value.
_TYPE = (
    r"(?:[ \t]*:[ \t]*&?(?:'static )?[A-Za-z][A-Za-z0-9_.]*(?:[\[<][A-Za-z]+[\]>])?\??|[ \t]+(?i:string))[ \t]*="
    r"[ \t]*[urbflURBFL@$]{0,2}#?[\"'`]{1,3}"
)
# Behind a secret's name, which may end a longer one: a sign of assignment, of a call or of an element, and a value.
_ASSIGNED = (
    r"(?:\[[0-9]*\]|\\{0,3}[\"']?\]?)(?:"
    rf"(?:{_TYPE}|[ \t]*(?:=>|:=|==?|[:\x{{ff1a}}\x{{ff1d}}]|(?i:is):?)[ \t]*"
    rf"[urbflURBFL@$]{{0,2}}#?\\{{0,3}}[\"'`]{{0,3}}){_VALUE}{{6}}|"
    r"[,(][ \t]*[urbflURBFL@$]{0,2}#?[\"'`][^ \t\r\n\f\x0b\"'`]{4}|"
    rf"(?:{_SPACE}+(?i:value)=[\"']|</(?i:key)>{_SPACE}*<(?i:string)>)[^ \t\r\n\f\x0b\"'<>]{{6}}|>[^<\n]{{6}})"
)
_NAMED = (
    r"(?:[pPsStTkKcC](?i:ass(?:wor[dt]|wd|phrase|code|e)?|w|wd|sk|ecret|oken|ey(?:_base)?|redentials?)|"
    # A password in other languages.
    r"(?i:kennwort|wachtwoord|senha|clave|mdp|contrase[\x{f1}\x{d1}n]a|has[\x{142}\x{141}l]o)|"
    r"\x{430}\x{440}\x{43e}\x{43b}\x{44c}|\x{410}\x{420}\x{41e}\x{41b}\x{42c}|\x{7801}|\x{30b9}\x{30ef}\x{30fc}\x{30c9})"
)
# At a word's beginning.
_SECRET_WORDS = (
    _words(
        "value",
        rf"=[\"'][^ \t\r\n\f\x0b\"'<>]{{6,}}[\"']{_SPACE}+(?i:name|key|id)=[\"']",
        any_case=True,
    ),
    _words("AKIA ASIA ABIA ACCA", "[A-Z0-9]{16}"),
    r"(?:gh[pousr]|github\x5fpat)\x5f[A-Za-z0-9_]{20}",
    r"(?:glpat-|xox[abpr]-|xoxs-|GOCSPX-|shpat\x5f|dop\x5fv1\x5f)[A-Za-z0-9_-]{10}",
    r"AGE-SECRET-KEY-|ya29\.",
    r"[rs]k\x5f(?:live|test)_[0-9A-Za-z]{16}",
    "AIza[A-Za-z0-9_-]{35}",
    "sk-[A-Za-z0-9_-]{20}",
    r"npm\x5f[A-Za-z0-9]{36}",
    "pypi-[A-Za-z0-9_-]{40}",
    r"hf\x5f[A-Za-z0-9]{30}",
    r"SG\.[A-Za-z0-9_-]{16}",
    r"eyJ[A-Za-z0-9_-]{8,}\.eyJ",
    r"(?:Bearer|Basic)[ \t]+[A-Za-z0-9+/_.=~-]{12}",
    _words(
        "login role user(?:name)?",
        r"[ \t]+[^ \t\r\n\f\x0b]+[ \t]+"
        r"(?i:(?:(?:with|encrypted|login|superuser|createdb|createrole)[ \t]+)*password)[ \t]",
        any_case=True,
    ),
    _words("requirepass masterauth", r"[ \t]+[^ \t\r\n\f\x0b]{4}", any_case=True),
    r"(?:docker|podman|buildah|oc) login[^\n]* -p[ =]",
    r"auth *= *\( *[urb]?['\"]",
    r"HTTPBasicAuth\( *[urb]?['\"]",
    _words("identified_by", r"[ \t]+['\"]", any_case=True),
    r"curl [^\n]*(?:-u|--user)",
    r"(?:mysql|mariadb|sshpass)[^\n]*[ \t]-p[^\r\n]",
    _words(
        "define setenv putenv setdefault setProperty",
        r"(?:\([ \t]*[\"']|[ \t]+)[A-Za-z0-9_.-]*(?i:pass|pwd|psk|secret|token|key|salt)",
        any_case=True,
    ),
)
_SECRET_PLACES = (
    "PRIVATE KEY|OpenVPN Static key|Private-Lines:",
    r"://[^ \t\r\n\f\x0b/@'\"<>]*:[^ \t\r\n\f\x0b@/'\"<>]{3,}@",
    ":AA[A-Za-z0-9_-]{33}",
    r"slack\.com/services/",
    r"-(?i:password|passwd|passphrase)[ \t]",  # an option's value
    r"^(?:[A-Z ]*KEY(?: BLOCK)?-----|(?:EY|Y)?-{0,5}\r?\n[A-Za-z0-9+/]{40})",  # the end of a key's heading
)

PERSONAL_DATA = (
    f"{_NO_LETTER}(?:{'|'.join(_PERSONAL_WORDS)})",
    "|".join(_NUMBERS),
    f"(?:^|\n)(?:{'|'.join(_LINES)})",
    "|".join(_SIGNS),
)
CREDENTIALS = (
    f"{_NO_LETTER}(?:{'|'.join(_SECRET_WORDS)})|{'|'.join(_SECRET_PLACES)}",
    f"{_NAMED}{_ASSIGNED}",
)


def passing(texts: Sequence[str], prefilters: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Which texts pass.

    Args:
        texts: N strings.
        prefilters: Expressions for RE2 by name; a text passes where one of them is found.

    Returns:
        bool [N] by name.
    """
    import pyarrow as pa  # starts threads, which no module may that workers are forked with
    import pyarrow.compute as pc

    try:
        array = pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # halves of a surrogate pair, which are no text in UTF-8
        readable = [text.encode(errors="surrogatepass").decode(errors="replace") for text in texts]
        array = pa.array(readable, pa.large_string())
    found = {name: np.zeros(len(texts), bool) for name in prefilters}
    for name, expressions in prefilters.items():
        for expression in expressions:
            found[name] |= np.asarray(pc.match_substring_regex(array, expression))
    return found
