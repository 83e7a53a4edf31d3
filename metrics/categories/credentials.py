"""Credentials: private keys, tokens of known formats, passwords in assignments, connection strings.

Formats with a fixed prefix need no more than the prefix. Everything else needs a name that promises a secret
(`password`, `api_key`) and a value that looks chosen and not written: long enough, of mixed characters, no placeholder,
no expression. A hash alone is never a credential, since nothing next to it says that it opens anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from metrics.categories.evidence import LIKELY, SPANS_TYPE, Category, Evidence, Rows, Span, reasons, without_overlaps
from metrics.categories.matches import first_matches
from metrics.categories.prefilters import CREDENTIALS as PREFILTER
from metrics.metric import Column

_TOKENS: tuple[tuple[str, str], ...] = (
    ("AWS_ACCESS_KEY", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("GITHUB_TOKEN", r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_\w{20,255}"),
    ("GITLAB_TOKEN", r"\bglpat-[\w-]{20,64}"),
    ("SLACK_TOKEN", r"\bxox[abprs]-[\w-]{10,250}|hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/\w{12,40}"),
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

# Lines of base64, also with their ends escaped as in JSON.
_BASE64_LINES = r"(?:(?:\\r)?(?:\\n)?\s{0,4}[A-Za-z0-9+/=]{8,80}){0,80}"
_KEY_BLOCK = re.compile(r"(?<![A-Za-z0-9_])(?P<label>[A-Z ]{0,30})KEY(?: BLOCK)?-{4,5}" + _BASE64_LINES)
_STATIC_KEY = re.compile(r"(?<![A-Za-z0-9_])OpenVPN Static key V[0-9]-{0,5}(?:\s{0,4}[0-9a-f]{8,64}){0,40}")
_PUTTY_KEY = re.compile(r"(?<![A-Za-z0-9_])Private-Lines: ?[0-9]{1,4}(?:\s{0,4}[A-Za-z0-9+/=]{8,80}){0,80}")
_KEY_END = re.compile(r"-{4,5}END [A-Z ]{0,20}PRIVATE KEY")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/=]{4,80}\r?")
_MOST_LINES = 80
# A window that begins in the middle of the line that opens a PEM block.
_CUT_BLOCK = re.compile(
    r"\A(?:EY|Y)?-{0,5}\n[A-Za-z0-9+/]{64}\n[A-Za-z0-9+/=\n]{8,8000}\Z|\A(?:EY|Y)?-{1,5}\n[A-Za-z0-9+/]{40,64}\n?[A-Za-z0-9+/\n=]{0,8000}\Z"
)
_URL_PASSWORD = re.compile(
    r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s:/@'\"<>]{0,64}:(?P<value>[^\s@/'\"<>]{3,100})@[\w.\[-]", re.ASCII
)
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|psk|secret(?:[_-]?(?:access[_-]?)?key)?|(?:access|auth|api|refresh|bearer|session)?[_-]?"
    r"token|(?:api|access|auth|account|private|encryption|signing|master)[_-]?key|apikey|client[_-]?secret|credentials?)"
)
_ASSIGNMENT = re.compile(
    rf"(?<![A-Za-z]){_NAME}[\"']?\]?[ \t]{{0,8}}(?P<joint>=>|:=|==?|:|\bis\b)[ \t]{{0,8}}(?P<quote>[\"'`]?)"
    r"(?P<value>[^\s\"'`<>]{4,200})",
    re.IGNORECASE | re.ASCII,
)
_SPOKEN = re.compile(
    r"\b(?:login|user(?:name)?)[ \t]{1,4}\S{1,64}[ \t]{1,4}password[ \t]{1,4}(?P<value>\S{4,100})",
    re.IGNORECASE | re.ASCII,
)
# Other places that only a password has: SQL, the command line of curl, an element of XML.
_PLACES = (
    re.compile(r"\bidentified by[ \t]{1,4}['\"](?P<value>[^'\"\s]{4,100})['\"]", re.IGNORECASE | re.ASCII),
    re.compile(r"\bcurl [^\n]{0,200}?(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,64}:(?P<value>[^\s'\"]{4,100})", re.ASCII),
    re.compile(
        r"<[A-Za-z:_.-]{0,24}(?:pass(?:word|wd)?|secret|apikey|token)>(?P<value>[^<\s]{6,200})</",
        re.IGNORECASE | re.ASCII,
    ),
)
_AUTHORIZATION = re.compile(r"\b(?:Bearer|Basic)[ \t]{1,4}(?P<value>[A-Za-z0-9+/_.=~-]{12,2000})", re.ASCII)
_PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3}|^[<\[{$%(].{0,200}|.{0,200}[\])}>]$|your|example|change_?me|placeholder|redacted|dummy|sample|foobar|"
    r"^(?:none|null|true|false|nil|undefined|password|passwd|secret|token|test|string|str|bytes|int|bool|required|optional)\b|"
    r"\$\{|\{\{|%\(|%s|<.{0,100}>|\w\(|\w\[|^self\.|^os\.|^process\.env|^this\.",
    re.IGNORECASE,
)
_UPPER, _DIGIT = re.compile("[A-Z]"), re.compile("[0-9]")
_DIGEST_NAME = re.compile(
    r"(?:sha\d{0,3}|md5|hash|digest|checksum|integrity|csrf|public|foreign|primary|sort|cache)[\w.-]{0,12}$",
    re.IGNORECASE,
)


def entropy(value: str) -> float:
    """Shannon entropy of a string's characters in bits per character; 0 for an empty one."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts) if value else 0.0


def _chosen(value: str, quoted: bool) -> bool:
    """Whether a value looks like a secret: mixed characters, no word, no placeholder, no expression."""
    value = value.rstrip(",;.")
    if len(value) < 6 or _PLACEHOLDER.search(value) or entropy(value) < 2.2:
        return False
    digits = any(character.isdigit() for character in value)
    letters = any(character.isalpha() for character in value)
    mixed_case = not value.islower() and not value.isupper() and not value.istitle()
    signs = any(character in "!$%&*?#@^+~" for character in value)
    if digits and letters:
        return True
    if quoted:
        return signs or (len(value) >= 16 and mixed_case and entropy(value) >= 3.5)
    return (signs and letters and mixed_case) or (len(value) >= 24 and mixed_case and entropy(value) >= 4.0)


def find_credentials(text: str) -> list[Span]:
    """The credentials in a text.

    Args:
        text: Any text.

    Returns:
        Spans without overlaps, in order, of types `PRIVATE_KEY`, `AWS_ACCESS_KEY` and the other known token formats,
        `CONNECTION_STRING`, `PASSWORD`, `AUTHORIZATION`.
    """
    spans = [*_tokens(text), *_keys(text)]
    for match in first_matches(_URL_PASSWORD, text) if "://" in text else ():
        value = match["value"]
        if not _PLACEHOLDER.search(value) and value.lower() not in {"pass", "pwd", "passwd"}:
            why = f"password in a URL, entropy {entropy(value):.1f} bits a character"
            spans.append(Span("CONNECTION_STRING", *match.span("value"), 0.9, why))
    for match in first_matches(_ASSIGNMENT, text):
        if match.group().startswith("PASS:"):
            continue  # what Automake writes before the name of a test
        if _DIGEST_NAME.search(text, max(0, match.start() - 24), match.start()):
            continue
        if _chosen(match["value"], bool(match["quote"])):
            why = f"value assigned to a secret's name, entropy {entropy(match['value']):.1f} bits a character"
            spans.append(Span("PASSWORD", *match.span("value"), 0.8, why))
    for pattern in (_SPOKEN, *_PLACES):
        for match in first_matches(pattern, text):
            if _chosen(match["value"], quoted=True):
                spans.append(Span("PASSWORD", *match.span("value"), 0.7, "value where a password stands"))
    for match in first_matches(_AUTHORIZATION, text):
        if _chosen(match["value"], quoted=False):
            spans.append(Span("AUTHORIZATION", *match.span("value"), 0.85, "value of an authorization header"))
    return without_overlaps(spans)


def _tokens(text: str) -> Iterator[Span]:
    for name, pattern in _TOKEN_PATTERNS:
        for match in first_matches(pattern, text):
            if name == "OPENAI_KEY" and not (_UPPER.search(match.group()) and _DIGIT.search(match.group())):
                continue  # `sk-spinner-three-bounce`
            if "EXAMPLE" not in match.group() and entropy(match.group()) >= 2.8:
                yield Span(name, match.start(), match.end(), 0.95, "known token format")


def _keys(text: str) -> Iterator[Span]:
    """Blocks of private keys: whole, without their end, or without their beginning."""
    for match in first_matches(_KEY_BLOCK, text) if "KEY" in text else ():
        label = match["label"].lstrip()
        if "PRIVATE" in label.split() and not label.startswith("END "):
            yield Span("PRIVATE_KEY", match.start(), match.end(), 0.95, "opening line of a private key")
        elif match.start() == 0 and "PRIVATE ".endswith(label) and label.strip():
            yield Span("PRIVATE_KEY", match.start(), match.end(), 0.7, "cut opening line of a private key")
        elif match.start() == 0 and not label and re.search(r"[A-Za-z0-9+/]{40}", match.group()):
            yield Span("PRIVATE_KEY", match.start(), match.end(), 0.5, "cut opening line of a key")
    for match in first_matches(_KEY_END, text) if "PRIVATE KEY" in text else ():
        start = _first_line_of_base64(text, match.start())
        if start < match.start():
            yield Span("PRIVATE_KEY", start, match.end(), 0.95, "closing line of a private key")
    for pattern, why in ((_STATIC_KEY, "static key of OpenVPN"), (_PUTTY_KEY, "private lines of a PuTTY key")):
        for match in first_matches(pattern, text):
            yield Span("PRIVATE_KEY", match.start(), match.end(), 0.95, why)
    cut = _CUT_BLOCK.match(text)
    if cut and entropy(text[:400]) >= 4.5:
        yield Span("PRIVATE_KEY", 0, len(text), 0.5, "lines of a PEM block whose opening line is cut away")


def _first_line_of_base64(text: str, end: int) -> int:
    """Where the lines of base64 that stand right before `end` begin."""
    start = end
    for _ in range(_MOST_LINES):
        line = text.rfind("\n", 0, max(0, start - 1)) + 1
        if start - line > 82 or not _BASE64_LINE.fullmatch(text, line, max(line, start - 1)):
            break
        start = line
    return start


def find(rows: Rows) -> Evidence:
    """Evidence of credentials in each row; a row that does not pass the prefilter has none."""
    may_hold = rows.may_hold.get("credentials")
    found: list[list[Span]] = [
        find_credentials(text) if may_hold is None or may_hold[row] else [] for row, text in enumerate(rows.texts)
    ]
    types = [sorted({span.type for span in spans if span.score >= LIKELY}) for spans in found]
    holds = [bool(kinds) for kinds in types]
    return Evidence(
        holds=holds,
        columns={
            "has_credentials": holds,
            "credential_types": types,
            "credentials": [[span.as_dict() for span in spans] for spans in found],
        },
        why=[reasons(spans) for spans in found],
    )


CREDENTIALS = Category(
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
