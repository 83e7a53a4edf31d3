"""Whether a value beside a secret's name is a secret: no placeholder, no name of something else, and chosen.

People choose passwords, so a word in quotes can be one; tokens and keys are drawn by machines, so they are long and mix
letters with digits. A value without quotes may be an expression of the language around it: then it is a name.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3}|^<.{0,200}>$|^\[.{0,200}\]$|^\{.{0,200}\}$|^\(.{0,200}\)$|^%.{0,200}%$|^\$(?-i:[A-Z_][A-Z0-9_]{0,60})$|"
    r"your(?:_|[^a-z]|own|pass|pwd|secret|token|key|api|app|auth|client|db|user|name|account|access|private)|"
    r"example|change_?(?:me|it)|placeholder|redacted|dummy|sample|foobar|"
    r"^(?:none|null|true|false|nil|undefined|password|passwd|secret|token|test|string|str|bytes|int|bool|required|optional)\b|"
    r"\$\{|\{\{|\{[a-z_][a-z0-9_.]{0,40}\}|%\(|[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|"  # filled in, or a sentence
    r"^%s$|<.{0,100}>|^[\w.$:>-]{1,60}(?:\(.{0,100}\)|\[.{0,60}\])$|^self\.|^os\.|^process\.env|^this\.|"
    r"^#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$|"  # a colour
    r"^(?:~|\.{1,2})/|^/(?:etc|home|usr|var|opt|tmp|root|srv|mnt|run|dev|Users)/|^[a-z]:[\\/]|"  # where a secret lies
    r"\.(?:pem|key|crt|cer|p12|pfx|jks|ppk|gpg|json|txt|ya?ml)$|"
    # What is named after the secret stands for it: `my_db_password`, `AUTH_TOKEN_2`, `api-key-goes-here1`.
    r"(?:^|[_.-])(?:pass|password|passwd|pwd|secret|token|key)(?:[_.-]|[0-9]{0,2}$)|^(?:my|the|some|new|old)pass(?:word)?",
    re.IGNORECASE | re.ASCII,
)
# Without quotes a value with brackets is an expression, or cut out of one.
_EXPRESSION = re.compile(r"^[<\[{$%(]|[\])}>]$|\w\(|\w\[|%s", re.ASCII)
# What stands in a field for a password, in forms, schemas and translations, and is none.
_NO_PASSWORD = re.compile(
    r"pass|pwd|secret|token|user|login|admin|auth|client|cred|phrase|input|text|field|value|valid|key$|name$|word$|"
    r"^(?:string|varchar|hidden|missing|confirm\w{0,5}|forgot\w{0,3}|wrong|incorrect|mandatory|default|plain|database|hash\w{0,3}|"
    r"(?:en|de)crypt\w{0,3}|bcrypt|enabled|disabled|nullable|strong|weak|secure|kennwort|contrase\u00f1a|contrasena|motdepasse|wachtwoord|parola|"
    r"senha|clave|has\u0142o|haslo|heslo|l\u00f6senord|losenord)$",
    re.IGNORECASE,
)
_PHRASE = re.compile(r"[a-z]{3,12}(?:-[a-z]{3,12}){3,9}")  # four words or more, as dice choose them

# Names in a program, made of words: a digit in one stands behind a word (`utf8`) or before its unit (`2D`).
# The quantifiers give nothing back, so that there is one way to cut a value into words.
_WORD = r"(?:(?:[A-Z]?[a-z]{2,30}+|[A-Z]{2,30}+)[0-9]{0,4}+|[A-Z][0-9]{1,2}+)"
_NAME = re.compile(rf"_{{0,2}}(?:{_WORD}|[A-Z])(?:[_.-]?{_WORD}|[_-][0-9]{{1,3}}[A-Za-z]?){{0,9}}_{{0,2}}")
_CONSTANT = re.compile(r"[A-Z]{2,30}[0-9]{0,3}(?:_(?:[A-Z]{1,30}[0-9]{0,3}|[0-9]{1,3}[A-Z]?)){1,9}")
_NUMBERS = re.compile("[0-9]{1,4}")
_MOST_NUMBERS = 2  # in a name; random letters and digits have more
_SEPARATED = re.compile(r"[A-Za-z0-9][._]|::|->")
_END_OF_EXPRESSION = re.compile(r"[,;&|)]")

# A digest, a commit, a UUID. Beside the bare word `token` such a value marks a thing as often as it opens one.
_IDENTIFIER = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    re.IGNORECASE,
)
_LETTER, _DIGIT, _SIGN = re.compile(r"[^\W\d_]"), re.compile("[0-9]"), re.compile(r"[!$%&*?#@^+~]")
_SIGNS, _SALT_SIGNS = re.compile(r"[^\w\s.,:;'\"-]"), 5
_ALL_DIGITS = "01234567890123456789"
_SHORTEST = 6
_SHORTEST_TOKEN = 12  # what a machine draws; no format has fewer

_DEFAULT_USERS = frozenset(("anonymous", "ftp", "guest"))
_DEFAULT_PASSWORDS = frozenset(("pass", "pwd", "passwd", "guest", "anonymous", "abc", "xyz", "foo", "bar", "baz"))
# RFC 2606 and 6761: nobody's.
_NOBODYS_HOST = re.compile(r"(?:[\w-]{1,63}\.){0,4}(?:example(?:\.(?:com|org|net))?|test|invalid)(?![\w.-])", re.ASCII)
_PORT = re.compile("[0-9]{1,5}")


def entropy(value: str) -> float:
    """Shannon entropy of a string's characters in bits per character; 0 for an empty one."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts) if value else 0.0


def is_placeholder(value: str, quoted: bool = False) -> bool:
    """Whether a value stands for a secret and is none: `changeme`, `<your key>`, `${NAME}`, `get_token()`."""
    return _PLACEHOLDER.search(value) is not None or (not quoted and _EXPRESSION.search(value) is not None)


def is_password(value: str, quoted: bool, plain: bool = False) -> bool:
    """Whether the value of a field for a password looks chosen.

    Args:
        value: What stands there, at most a few hundred characters.
        quoted: It stands in quotes that close right behind it, or where nothing but a password can stand.
        plain: A number is a password there, and in quotes a word (`sunflower`) or four of them.
    """
    value = value.rstrip(",;.")
    if _too_plain(value, quoted) or (not quoted and _is_name(value, separated=True)):
        return False
    digits, letters = _DIGIT.search(value) is not None, _LETTER.search(value) is not None
    if digits and letters:
        return True
    if plain and value.isascii() and value.isdigit():
        return value not in _ALL_DIGITS
    mixed = not value.islower() and not value.isupper() and not value.istitle()
    signs = _SIGN.search(value.rstrip("?!*")) is not None  # `Forgot?` and `Name*` are words
    if not quoted:
        return (signs and letters and mixed) or (len(value) >= 24 and mixed and entropy(value) >= 4.0)
    if signs or (len(value) >= 16 and mixed and entropy(value) >= 3.5):
        return True
    is_word = (value.isalpha() and value.islower()) or _PHRASE.fullmatch(value) is not None
    return plain and is_word and not _NO_PASSWORD.search(value)


def is_token(value: str, quoted: bool, bare: bool = False) -> bool:
    """Whether the value of a field for a token or key looks drawn by a machine.

    Args:
        value: What stands there, at most a few thousand characters.
        quoted: It stands in quotes.
        bare: The field is called `token` and no more, so a digest or a UUID is no secret.
    """
    if quoted and is_salt(value):
        return True
    value = value.rstrip(",;.")
    if len(value) < _SHORTEST_TOKEN or _too_plain(value, quoted) or _is_name(value, separated=False):
        return False
    if bare and _IDENTIFIER.fullmatch(value):
        return False
    if _DIGIT.search(value) and _LETTER.search(value):
        return True
    return len(value) >= (16 if quoted else 24) and _mixed_case(value) and entropy(value) >= (3.5 if quoted else 4.0)


def is_salt(value: str) -> bool:
    """Whether a value was drawn from all the signs of a keyboard, spaces among them, as WordPress draws its salts."""
    return len(value) >= 32 and len(set(_SIGNS.findall(value))) >= _SALT_SIGNS and entropy(value) >= 4.5


def is_url_password(user: str, password: str, host: str) -> bool:
    """Whether the password in `://user:password@host` is somebody's: no port, no default, no host of documentation."""
    weak = password.lower() in _DEFAULT_PASSWORDS or _PORT.fullmatch(password) or password == user
    return not (weak or user.lower() in _DEFAULT_USERS or is_placeholder(password) or _NOBODYS_HOST.match(host))


def is_basic(value: str) -> bool:
    """Whether a value is what Basic authentication sends (RFC 7617): base64 of `user:password`, maybe cut short."""
    value = value.rstrip("._~-")
    try:
        sent = base64.b64decode(value[: len(value) // 4 * 4], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return False
    user, colon, password = sent.partition(":")
    if not (user and colon and password and sent.isprintable()):
        return False
    return not is_placeholder(password) and password != "open sesame"  # the RFC's own


def _too_plain(value: str, quoted: bool) -> bool:
    if len(value) < _SHORTEST or is_placeholder(value, quoted):
        return True
    return entropy(value) < 2.2 or bool(_CONSTANT.fullmatch(value))


def _is_name(value: str, separated: bool) -> bool:
    """Whether a value is a name in a program; if `separated`, only one of several words with signs between them."""
    first = _END_OF_EXPRESSION.split(value, maxsplit=1)[0].replace("->", ".").replace("::", ".")
    if separated and not _SEPARATED.search(value):
        return False
    one_word = first.isalnum() and (first.islower() or first.isupper())
    return _NAME.fullmatch(first) is not None and len(_NUMBERS.findall(first)) <= (1 if one_word else _MOST_NUMBERS)


def _mixed_case(value: str) -> bool:
    return not value.islower() and not value.isupper() and not value.istitle()
