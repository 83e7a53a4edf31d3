"""Credentials: private keys, tokens of known formats, passwords in assignments, connection strings.

Formats with a fixed prefix need no more than the prefix. Everything else needs a name that promises a secret
(`password`, `api_key`) or a place where only a password stands, and a value that looks chosen and not written
(`secret_values.py`). A hash alone is never a credential, since nothing next to it says that it opens anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from metrics.categories.evidence import LIKELY, SPANS_TYPE, Category, Evidence, Rows, Span, reasons, without_overlaps
from metrics.categories.matches import first_matches
from metrics.categories.prefilters import CREDENTIALS as PREFILTER
from metrics.categories.private_keys import find_private_keys
from metrics.categories.secret_values import entropy, is_basic, is_password, is_salt, is_token, is_url_password
from metrics.categories.setting_lines import words_in_settings
from metrics.metric import Column

_TOKENS: tuple[tuple[str, str], ...] = (
    ("AWS_ACCESS_KEY", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("GITHUB_TOKEN", r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_\w{20,255}"),
    ("GITLAB_TOKEN", r"\bglpat-[\w-]{20,64}"),
    ("SLACK_TOKEN", r"\bxox[abprs]-[\w-]{10,250}|\bhooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{12,40}"),
    ("STRIPE_KEY", r"\b[sr]k_(?:live|test)_[0-9a-zA-Z]{16,250}"),
    ("GOOGLE_KEY", r"\bAIza[\w-]{35}|\bya29\.[\w-]{20,250}"),
    ("OPENAI_KEY", r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,250}"),
    ("PACKAGE_TOKEN", r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[\w-]{40,250}"),
    ("HUGGING_FACE_TOKEN", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    ("SENDGRID_KEY", r"\bSG\.[\w-]{16,64}\.[\w-]{16,64}"),
    ("GOOGLE_CLIENT_SECRET", r"\bGOCSPX-[\w-]{20,40}"),
    ("DIGITAL_OCEAN_TOKEN", r"\bdop_v1_[0-9a-f]{64}"),
    ("SHOPIFY_TOKEN", r"\bshpat_[0-9a-fA-F]{32}"),
    ("TELEGRAM_TOKEN", r"\b[0-9]{8,10}:AA[\w-]{33}"),
    ("AGE_KEY", r"\bAGE-SECRET-KEY-1[0-9A-Z]{50,60}"),
    ("JSON_WEB_TOKEN", r"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{8,2000}"),
)
_TOKEN_PATTERNS = tuple((name, re.compile(pattern, re.ASCII)) for name, pattern in _TOKENS)

_URL_PASSWORD = re.compile(
    r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?P<user>[^\s:/@'\"<>]{0,64}):(?P<value>[^\s@/'\"<>]{3,100})@"
    r"(?P<host>[\w.\[-][\w.-]{0,80})",
    re.ASCII,
)
# A password in other languages.
_FOREIGN = r"contrase[\u00f1\u00d1n]a|kennwort|wachtwoord|senha|clave|mdp|mot[ _-]?de[ _-]?passe|has[\u0142\u0141l]o"
_OTHER_LETTERS = (  # without a case in ASCII, or spaces between words
    r"\u043f\u0430\u0440\u043e\u043b\u044c|\u041f\u0430\u0440\u043e\u043b\u044c|\u041f\u0410\u0420\u041e\u041b\u042c|"
    r"\u5bc6\u7801|\u30d1\u30b9\u30ef\u30fc\u30c9"
)
# Some end a longer word (`dbpassword`); the others stand alone or behind a small letter (`bypass`, but `dbPwd`).
_NAME = (
    rf"(?P<name>pass(?:wor[dt]|wd|phrase)|{_OTHER_LETTERS}|(?:(?<![A-Za-z])|(?-i:(?<=[a-z])(?=[A-Z])))"
    rf"(?:{_FOREIGN}|pass(?:code)?|pwd?|psk|secret(?:[ _-]?(?:access[ _-]?)?key(?:_base)?)?|"
    r"(?:access|auth|api|refresh|bearer|session)?[ _-]?token|"
    r"(?:api|access|auth|account|private|encryption|signing|master)[ _-]?key|apikey|client[ _-]?secret|credentials?))"
)
# What a string can begin with: `u`, `rb`, `$@`, `r#`.
_PREFIX = r"[urbfl@$]{0,2}#?"
# A type between name and value; only a quoted value, so that `token: a=b` stays one value.
_TYPE = (
    r"(?:[ \t]{0,4}:[ \t]{0,4}&?(?:'static )?[a-z][a-z0-9_.]{0,30}(?:[\[<][a-z]{1,20}[\]>])?\??|[ \t]{1,4}string)"
    rf"(?=[ \t]{{0,8}}=[ \t]{{0,8}}{_PREFIX}[\"'`])"
)
# `password = `, `pass[] = u`, `"password": `, `\"password\":`, `password: String = @`, with what quotes the value.
# Chinese and Japanese have an equals sign, a colon, a comma and a full stop of their own.
_ASSIGNMENT = re.compile(
    rf"{_NAME}(?:\[[0-9]{{0,4}}\]|(?:\\{{0,3}}[\"'])?\]?)(?:{_TYPE})?"
    r"[ \t]{0,8}(?P<joint>=>|:=|==?|[:\uff1a\uff1d]|\bis\b:?)[ \t]{0,8}"
    rf"(?:{_PREFIX}(?=[\"']))?(?P<quote>\"{{3}}|'{{3}}|(?:\\{{0,3}}[\"'`])?)"
    r"(?P<value>[^\s\"'`<>\u3000-\u3002\uff08\uff09\uff0c\uff1b]{4,200})",
    re.IGNORECASE | re.ASCII,
)
# Name and value side by side: `define('NAME', 'value')`, `#define NAME "value"`, `setenv("NAME", "value")`.
_DEFINITION = re.compile(
    r"\b(?:define|setenv|putenv|setdefault|setProperty)(?:\([ \t]{0,4}[\"']|[ \t]{1,4})"
    r"[\w.-]{0,40}?(?P<name>pass(?:word|wd|phrase)?|pwd|psk|secret|token|key|salt)[\"']?(?:,[ \t]{0,16}|[ \t]{1,16})"
    r"(?P<quote>[\"'])(?P<value>[^\"'\n]{4,200})",
    re.IGNORECASE | re.ASCII,
)
# Calls: `source.setPassword("value")`, `builder.password("value")`, `params.put("password", "value")`.
_SECRET = r"(?P<name>pass(?:word|wd|phrase)?|pwd|psk|secret|token|api_?key)"
_CALLS = tuple(
    re.compile(rf"{call}{_PREFIX}(?P<quote>[\"'`])(?P<value>[^\s\"'`]{{4,200}})", re.IGNORECASE | re.ASCII)
    for call in (
        rf"(?:\bset\w{{0,30}}?|\.(?=pass[wp])){_SECRET}\([ \t]{{0,4}}",
        rf"\b(?:put|set|add|append|(?:set|add)(?:Parameter|Attribute))\([ \t]{{0,4}}[\"'][\w.-]{{0,40}}?{_SECRET}[\"'],"
        r"[ \t]{0,16}",
    )
)
_SPOKEN = re.compile(
    r"(?:\b(?:login|role|user(?:name)?)[ \t]{1,4}\S{1,64}[ \t]{1,4}"
    r"(?:(?:with|encrypted|login|superuser|createdb|createrole)[ \t]{1,4}){0,5}password|\b(?:requirepass|masterauth))"
    r"[ \t]{1,4}(?P<quote>['\"]?)(?P<value>[^\s'\"]{4,100})|"
    r"(?<![\w-])--(?:[a-z]{1,12}-)?(?:password|passwd|passphrase)[ \t]{1,4}['\"]?(?P<option>[^\s'\"]{4,100})",
    re.IGNORECASE | re.ASCII,
)
# Places that only a password has: SQL, the options of programs (mysql's has no space), an element of XML.
_PLACES = (
    re.compile(r"\bidentified by[ \t]{1,4}['\"](?P<value>[^'\"\s]{4,100})['\"]", re.IGNORECASE | re.ASCII),
    re.compile(r"\bcurl [^\n]{0,200}?(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,64}:(?P<value>[^\s'\"]{4,100})", re.ASCII),
    re.compile(
        r"\b(?:mysql[a-z]{0,8}|mariadb) (?:[^\n]{0,100}? )?-p['\"]?(?P<value>[^\s'\"-][^\s'\"]{3,99})", re.ASCII
    ),
    re.compile(r"\b(?:docker|podman|buildah|oc) login\b[^\n]{0,200}? -p[ =]['\"]?(?P<value>[^\s'\"]{4,100})", re.ASCII),
    re.compile(
        r"(?<![A-Za-z])(?:auth[ ]{0,2}=[ ]{0,2}|HTTPBasicAuth)\([ ]{0,2}[urb]?['\"][^\s'\"]{1,64}['\"],[ ]{0,4}"
        r"[urb]?['\"](?P<value>[^\s'\"]{4,100})['\"]",
        re.ASCII,
    ),
    re.compile(r"\bsshpass[ \t]{1,4}-p[ \t]{0,4}['\"]?(?P<value>[^\s'\"]{4,100})", re.ASCII),
    re.compile(r"<[A-Za-z:_.-]{0,24}pass(?:word|wd)?>(?P<value>[^<\s]{6,200})</", re.IGNORECASE | re.ASCII),
)
_ELEMENT = re.compile(
    r"<[A-Za-z:_.-]{0,24}(?P<name>secret|apikey|token)>(?P<value>[^<\s]{6,200})</", re.IGNORECASE | re.ASCII
)
# `<property name="db.password">value</`, `<add key="Password" value="value"/>`, `<key>password</key><string>value</`.
_NAMED_ELEMENT = re.compile(
    rf"(?:\b(?:name|key|id)=[\"']|<key>)[\w.:-]{{0,60}}?{_NAME}"
    r"(?:[\"']>|[\"']\s{1,8}value=[\"']|</key>\s{0,40}<string>)(?P<value>[^\s\"'<>]{6,200})(?=[\"'<]|\Z)",
    re.IGNORECASE | re.ASCII,
)
_VALUE_FIRST = re.compile(
    rf"\bvalue=[\"'](?P<value>[^\s\"'<>]{{6,200}})[\"']\s{{1,8}}(?:name|key|id)=[\"'][\w.:-]{{0,60}}?{_NAME}[\"']",
    re.IGNORECASE | re.ASCII,
)
# Elements that hold settings, so that a word is a value and no message or label.
_SETTING = re.compile(r"<(?:property|prop|entry|add|setting|param(?:eter)?)\s[^<>]{0,100}\Z", re.IGNORECASE)
_CHANGES_A_ROLE = re.compile(r"\b(?:create|alter)[ \t]{1,4}\Z", re.IGNORECASE)
_FORM_FIELD = re.compile(r"<(?:input|button|option)\b[^<]{0,200}\Z", re.IGNORECASE)
_TITLES_YEAR = re.compile(r" \((?:19|20)[0-9]{2}\)")
_AUTHORIZATION = re.compile(r"\b(?P<scheme>Bearer|Basic)[ \t]{1,4}(?P<value>[A-Za-z0-9+/_.=~-]{12,2000})", re.ASCII)
_OPERATOR = re.compile(r"\w[*/+-]\w")
# `clave` is a key or a code, `mdp` a process of Markov's: a password only behind who uses it.
_AMBIGUOUS = frozenset(("clave", "mdp"))
_USER = re.compile(r"us(?:e?r|u[a\u00e1]rio)|utilisateur|login|identifiant|compte|cuenta|mail|correo", re.IGNORECASE)
_UPPER, _DIGIT = re.compile("[A-Z]"), re.compile("[0-9]")
# What a token or key of another sort is called: a checksum, a part of a database, a mark that a form sends back.
_NO_SECRET_NAME = re.compile(
    r"(?:sha\d{0,3}|md5|hash|digest|checksum|integrity|csrf|xsrf|authenticity|verification|page|next|continuation|cursor|"
    r"public|foreign|primary|sort|cache)[\w.-]{0,12}$",
    re.IGNORECASE,
)


def find_credentials(text: str) -> list[Span]:
    """The credentials in a text.

    Args:
        text: Any text.

    Returns:
        Spans without overlaps, in order, of types `PRIVATE_KEY`, `AWS_ACCESS_KEY` and the other known token formats,
        `CONNECTION_STRING`, `PASSWORD`, `AUTHORIZATION`.
    """
    return without_overlaps([*_tokens(text), *find_private_keys(text), *_assigned(text), *_placed(text), *_sent(text)])


def _assigned(text: str) -> Iterator[Span]:
    """Values given to the name of a password, a token or a key."""
    for match in first_matches(_ASSIGNMENT, text):
        if match.group().startswith("PASS:"):
            continue  # what Automake writes before the name of a test
        start, joint = match.start(), match["joint"]
        name, value = match["name"].lower(), match["value"]
        if _NO_SECRET_NAME.search(text, max(0, start - 24), start):
            continue
        if name in _AMBIGUOUS and not _USER.search(text, max(0, start - 80), start):
            continue
        closed = bool(match["quote"]) and text.startswith(match["quote"][-1], match.end())
        if match["quote"].startswith("\\"):
            value = value.rstrip("\\")  # of the quote that ends it
        elif joint == ":" and not closed and _TITLES_YEAR.match(text, match.end()):
            continue
        # A number behind a colon may be the next column or a date; a passcode is a number.
        plain = (closed and joint != "==") or joint in {"=", "=>", ":="} or name == "passcode"
        bare = name == "token" and re.match(r"[\w.-]", text[start - 1 : start]) is None
        if _is_secret(name, value, closed, plain, bare):
            why = f"value assigned to a secret's name, entropy {entropy(value):.1f} bits a character"
            yield Span("PASSWORD", match.start("value"), match.start("value") + len(value), 0.8, why)
    for match in first_matches(_DEFINITION, text):
        value, closed = match["value"], text.startswith(match["quote"], match.end())
        if " " in value and not is_salt(value):
            continue  # a sentence
        if _is_secret(match["name"].lower(), value, closed, closed, bare=False):
            yield Span("PASSWORD", *match.span("value"), 0.8, "value defined under a secret's name")
    for pattern in _CALLS:
        for match in first_matches(pattern, text):
            name, start = match["name"].lower(), match.start("name")
            closed = text.startswith(match["quote"], match.end())
            bare = name == "token" and text[start - 1] in "\"'"
            if not _NO_SECRET_NAME.search(text, max(0, start - 24), start) and _is_secret(
                name, match["value"], closed, closed, bare
            ):
                yield Span("PASSWORD", *match.span("value"), 0.8, "value handed over under a secret's name")

    for start, end in words_in_settings(text):
        yield Span("PASSWORD", start, end, 0.7, "word that a line of settings assigns")


def _is_secret(name: str, value: str, quoted: bool, plain: bool, bare: bool) -> bool:
    if name.endswith(("token", "key", "key_base", "salt")):
        return is_token(value, quoted, bare)
    if name in {"pass", "pw"}:
        plain = plain and quoted  # `pass = 2048` counts tests
    if name == "pw" and not quoted and _OPERATOR.search(value):
        return False  # `pw = x1*dx2`
    # Not for words of other languages: a word behind them is a translation as often.
    return is_password(value, quoted, plain and name.startswith(("pass", "pw", "psk")) and name != "passwort")


def _placed(text: str) -> Iterator[Span]:
    """Values where a password stands."""
    for match in first_matches(_URL_PASSWORD, text) if "://" in text else ():
        if is_url_password(match["user"], match["value"], match["host"]):
            why = f"password in a URL, entropy {entropy(match['value']):.1f} bits a character"
            yield Span("CONNECTION_STRING", *match.span("value"), 0.9, why)
    for match in first_matches(_SPOKEN, text):
        group = "value" if match["value"] else "option"
        start, closed = match.start(), bool(match["quote"]) and text.startswith(match["quote"], match.end())
        plain = closed and _CHANGES_A_ROLE.search(text, max(0, start - 12), start) is not None
        if is_password(match[group], quoted=group == "value", plain=plain):
            yield Span("PASSWORD", *match.span(group), 0.7, "value where a password stands")
    for pattern in _PLACES:
        for match in first_matches(pattern, text):
            if is_password(match["value"], quoted=True, plain=True):
                yield Span("PASSWORD", *match.span("value"), 0.7, "value where a password stands")
    for match in first_matches(_ELEMENT, text):
        if _is_secret(match["name"].lower(), match["value"], quoted=True, plain=False, bare=False):
            yield Span("PASSWORD", *match.span("value"), 0.7, "element named after a secret")
    for match in (*first_matches(_NAMED_ELEMENT, text), *first_matches(_VALUE_FIRST, text)):
        start = match.start("name")
        if _NO_SECRET_NAME.search(text, max(0, start - 24), start):
            continue
        if _FORM_FIELD.search(text, max(0, match.start() - 200), match.start()):
            continue  # what a form sends back
        bare = match["name"].lower() == "token" and text[start - 1] in "\"'>"
        plain = _SETTING.search(text, max(0, match.start() - 120), match.start()) is not None
        if _is_secret(match["name"].lower(), match["value"], quoted=True, plain=plain, bare=bare):
            yield Span("PASSWORD", *match.span("value"), 0.7, "element named after a secret")


def _sent(text: str) -> Iterator[Span]:
    """Values of authorization headers."""
    for match in first_matches(_AUTHORIZATION, text):
        value = match["value"]
        if is_basic(value) if match["scheme"] == "Basic" else is_token(value, quoted=False):
            yield Span("AUTHORIZATION", *match.span("value"), 0.85, "value of an authorization header")


def _tokens(text: str) -> Iterator[Span]:
    for name, pattern in _TOKEN_PATTERNS:
        for match in first_matches(pattern, text):
            if name == "OPENAI_KEY" and not (_UPPER.search(match.group()) and _DIGIT.search(match.group())):
                continue  # `sk-spinner-three-bounce`
            if "EXAMPLE" not in match.group() and entropy(match.group()) >= 2.8:
                yield Span(name, match.start(), match.end(), 0.95, "known token format")


def find(rows: Rows) -> Evidence:
    """Evidence of credentials in each row; a row that does not pass the prefilter has none."""
    may_hold = rows.may_hold.get("credentials")
    evidence = [
        _evidence(find_credentials(text)) if may_hold is None or may_hold[row] else _NOTHING
        for row, text in enumerate(rows.texts)
    ]
    holds, types, spans, why = map(list, zip(*evidence, strict=True)) if evidence else ([], [], [], [])
    columns = {"has_credentials": holds, "credential_types": types, "credentials": spans}
    return Evidence(holds, columns, why)


def _evidence(spans: list[Span]) -> tuple[bool, list[str], list[dict[str, object]], str]:
    """Of one row: whether it holds credentials, their types, where they stand, and why."""
    types = sorted({span.type for span in spans if span.score >= LIKELY})
    return bool(types), types, [span.as_dict() for span in spans], reasons(spans)


_NOTHING = _evidence([])


CATEGORY = Category(
    name="credentials",
    harmful=True,
    description="Private keys, tokens, passwords and connection strings.",
    columns=(
        Column("has_credentials", "bool", "A private key, a token, a password or a connection string is in the row."),
        Column("credential_types", "list<string>", "Types of the credentials found, sorted."),
        Column(
            "credentials", SPANS_TYPE, "Where each credential stands: character offsets into the text, and its score."
        ),
    ),
    find=find,
    prefilter=PREFILTER,
)
