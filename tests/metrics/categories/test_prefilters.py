"""The prefilters: nothing that the detectors find is in a row that they hold back."""

from __future__ import annotations

import csv
import random
import re
import time
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.label_hostile import examples
from data.demo_people import SHAPES as LETTERS
from data.demo_people import People
from data.demo_secrets import SHAPES as SECRETS
from data.demo_secrets import Secrets
from metrics.categories import PREFILTERS, names, phone_numbers
from metrics.categories.credentials import CATEGORY as CREDENTIALS
from metrics.categories.credentials import find_credentials
from metrics.categories.evidence import Rows
from metrics.categories.personal_data import CATEGORY as PERSONAL_DATA
from metrics.categories.personal_data import find_personal_data
from metrics.categories.prefilters import passing

PIECES = (
    "Dear ", "From: ", "Kind regards,\n", "Zephrine Oduya", "Margaret Dunmore", "\n", "\n\n", " ", "  ", ", ", "; ",
    "<", "> ", "(", "@", "z.oduya@harrowgate.net", "(at)", " at harrowgate dot org ", "Tel. ", "call me at ", " fax",
    "312-482-7719", "(312) 482-7719", "+44 20 7946 1823", "0044 20 7946 1823", "81.93.212.77", "2a02:8108::7",
    "born on 3 May 1961", "DOB: ", "1961-04-23", "418 Larkspur Lane", "Tolland, CT 06084", "P.O. Box 1182",
    "Lindenstraße 14", "address: 14 Mill ", "/LON/ECT", "@ECT", "Signed-off-by: ", "SSN ", "536-22-8143", "card ",
    "4539 5787 6362 1486", "4539578763621486", "DE89370400440532013000", "NHS ", "943 476 5919", "DNI 12345678Z",
    "contact ", "<quell> ", "------\n", "oduya\n", "Thanks for the note.\n", "Hi ", "skype: ", "RT @oduya",
    "password", "=", ": ", "\"", "'", "tr4cKt0r!99", "KEY-----\n", "-----BEGIN PRIVATE KEY-----\n",
    "://svc:tr4cKt0rz@db1", "Bearer ", "dGFtc2luOnRyNGNLdDByOTk", "AKIAQ3EGRI7UZ5PLX2WD", "sk_live_",
    "k3JfQ9sLx02MvTzR8yWbNc7E", "Private-Lines: 3\n", "curl -u svc:", "identified by '", "<secret>", "é", "\u00a0",
    "ſ", "K", "१२३", "\ud800", "aA1", "00442079461823", "</O=HARROW", "Thanks Margaret\n", "define('DB_", "sshpass -p ",
    "mysql -u root ", "-p'k3Jf", "-by:", "1312 482-7719", "\t", "https://hooks.slack.com/services/T02M7RZ8Y/B04/",
)  # fmt: skip


def held_back(texts: list[str]) -> list[tuple[str, str, str]]:
    """What the detectors find in texts that do not pass, names in prose left out: type, why, and the finding."""
    passed, found = passing(texts, PREFILTERS), []
    for place, text in enumerate(texts):
        if not passed["pii"][place]:
            found += [(text, s) for s in find_personal_data(text) if s.type != "PERSON" or s.score >= 0.5]
        if not passed["credentials"][place]:
            found += [(text, s) for s in find_credentials(text)]
    return [(span.type, span.why, text[span.start : span.end]) for text, span in found]


def test_generated_rows() -> None:
    people, secrets, rng = People(3), Secrets(3), random.Random(3)
    windows = []
    for shape in LETTERS + SECRETS:
        for _ in range(12):
            document = (people if shape in LETTERS else secrets).document(shape)  # type: ignore[arg-type]
            for _ in range(4):
                start = rng.randrange(max(1, len(document.text) - 80))
                windows.append(document.text[start : start + 200])
    assert held_back(windows) == []
    assert sum(bool(find_personal_data(window) or find_credentials(window)) for window in windows) > 500


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12))
def test_any_text(pieces: list[str]) -> None:
    assert held_back(["".join(pieces)]) == []


@pytest.mark.parametrize(
    "text",
    [
        "Thanks Margaret\n",
        "Many thanks for it all\n\nMargaret",
        "Signed-off-by:Margaret",
        "Forwarded by\tMargaret Oduya",
        "Oduya, Margaret </o=harrow/ou=na",
        "ring 1312 482-7719",
        "she wrote 00442079461823- on it",
        "30 4482 7719 EXT 4 Office",
        "https://hooks.slack.com/services/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",
        "define('DB_PASSWORD', 'k3Jf-Q9sLx02')",
        "mysql -u root -pk3JfQ9sLx02",
        "sshpass -p k3JfQ9sLx02 ssh",
        "mytool --db-password k3JfQ9sLx02",
        'char pass[] = "k3JfQ9sLx02"',
        'val password: String = "sunflower"',
        'PASSWORD = u"sunflower"',
        '\\"password\\":\\"k3JfQ9sLx02\\"',
        'source.setPassword("sunflower")',
        'params.put("password", "sunflower")',
        "auth=('mara','k3JfQ9sLx02')",
        "HTTPBasicAuth('mara', 'sunflower')",
        "ALTER ROLE mara WITH LOGIN PASSWORD 'k3JfQ9sLx02'",
        "docker login -u mara -p k3JfQ9sLx02",
        "requirepass k3JfQ9sLx02",
        "secret_key_base: 9f86d081884c7d659a2feaa0c55ad015",
        '<property name="password" value="k3JfQ9sLx02"',
        '<entry key="db.password">k3JfQ9sLx02</entry>',
        "<key>password</key>\n  <string>k3JfQ9sLx02</string>",
        '<add value="k3JfQ9sLx02" name="password"/>',
        'var password = $@"sunflower"',
        'password = """sunflower"""',
        "const password = `sunflower`",
        "contrase\u00f1a: k3JfQ9sLx02",
        "HAS\u0141O=k3JfQ9sLx02",
        "mot de passe : k3JfQ9sLx02",
        "wachtwoord: k3JfQ9sLx02",
        "\u041f\u0410\u0420\u041e\u041b\u042c: k3JfQ9sLx02",
        "WLAN\u5bc6\u7801\uff1ak3JfQ9sLx02",
        "\u30d1\u30b9\u30ef\u30fc\u30c9=k3JfQ9sLx02",
        "userPw: k3JfQ9sLx02",
        "DB_PASSWORD=sunflower",
        'password: str = """k3JfQ9sLx02"""',
        "password: str = '''k3JfQ9sLx02'''",
        'source.setPassword("k3<fQ9sLx02")',
        'params.put("password", "k3>fQ9sLx02")',
        '<property name="password">k3`fQ9sLx02</property>',
        "TE KEY BLOCK-----\n\n" + "lQOYBGJ8zk1BCADq" * 4 + "\n",
        "-----BEGIN RSAPRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 4 + "\n",
        "sshpass -p-k3JfQ9sLx02 ssh",
        'customerIban = "gb82west12345698765432"',
        "host-2a02:8108::7",
        "Mob.0044 20 7946 1823",
        "\n-0044 20 7946 1823",
        "Mob.00442079461823",
        "00683 4000",
        "password = sunflower\r\n",
        '<property name="password">sunflower</property>',
    ],
)
def test_forms_that_are_easily_held_back(text: str) -> None:
    likely = [span for span in find_personal_data(text) if span.score >= 0.5]
    passed = passing([text], PREFILTERS)
    assert (passed["pii"][0] and likely) or (passed["credentials"][0] and find_credentials(text))


DETECTORS = (
    "addresses", "credentials", "dates_of_birth", "handles", "identity_numbers", "mail_addresses", "names",
    "network_addresses", "phone_numbers", "private_keys",
    "setting_lines",
)  # fmt: skip
# What a detector looks up in lists of names or numbering plans, as it stands in its expressions, and what these have.
KNOWN = (
    (names._FULL, "(?:Margaret Oduya|Émile Dunmore|Bo Quell)"),
    (names._ANY, "(?:Margaret|Émile Dunmore|Bo van Quell)"),
    (names._JOINED, "(?:Margaret_Oduya|Bo[.]Quell)"),
    (f"(?P<first>{names._WORD})", "(?P<first>Margaret|Bo)"),
    (f"(?P<last>{names._WORD})", "(?P<last>Oduya|Dunmore)"),
    (phone_numbers._NUMBER, r"(?:020 7946 0018|\(503\) 889-4471|503[.]889[.]4471|5038894471 ext 12)"),
)


def expressions() -> dict[str, re.Pattern[str]]:
    """The expressions of the detectors by where they stand, with known names and numbers in the place of any."""
    found = {}

    def look(name: str, value: object) -> None:
        if isinstance(value, re.Pattern):
            source = value.pattern
            for any_name, known in KNOWN:
                source = source.replace(any_name, known)
            found[name] = re.compile(source, value.flags)
        elif isinstance(value, tuple):
            for place, one in enumerate(value):
                look(f"{name}[{place}]", one)
        elif hasattr(value, "shape"):
            look(name, value.shape)

    for module in DETECTORS:
        for name, value in vars(import_module(f"metrics.categories.{module}")).items():
            look(f"{module}.{name}", value)
    return found


@pytest.fixture(scope="module")
def matched() -> dict[str, list[str]]:
    """Texts that the detectors' own expressions match."""
    return {name: examples(pattern) for name, pattern in expressions().items()}


# An example of each of these that a detector finds turns up; many others need a check digit, a suffix, a list of words.
FOUND = (
    "addresses._BOX", "addresses._GERMAN", "addresses._LABELLED", "addresses._STREET", "credentials._ASSIGNMENT",
    "credentials._CALLS[0]", "credentials._CALLS[1]", "credentials._NAMED_ELEMENT", "credentials._PLACES[5]",
    "credentials._DEFINITION", "credentials._PLACES[1]", "credentials._PLACES[2]", "credentials._PLACES[3]",
    "credentials._SPOKEN", "credentials._TOKEN_PATTERNS[0][1]", "credentials._TOKEN_PATTERNS[3][1]",
    "dates_of_birth._BORN", "dates_of_birth._FIELD", "handles._FIELD", "handles._MENTION", "handles._POST",
    "handles._PROFILE", "handles._REPLY", "identity_numbers._DASHED_SSN", "names._LAST_FIRST",
    "phone_numbers._INTERNATIONAL", "phone_numbers._NORTH_AMERICAN", "phone_numbers._RUN_ON",
    "phone_numbers._WORD_AFTER", "phone_numbers._WORD_BEFORE", "private_keys._PUTTY_KEY",
    "credentials._VALUE_FIRST", "setting_lines._LINE",
    *(f"names._CONTEXTS[{place}][2]" for place, context in enumerate(names._CONTEXTS) if context[0] != "title"),
)  # fmt: skip


def test_what_the_detectors_own_expressions_match(matched: dict[str, list[str]]) -> None:
    found = set()
    for name, texts in matched.items():
        assert held_back(texts) == [], name
        for text in texts:
            if find_credentials(text) or any(s.type != "PERSON" or s.score >= 0.5 for s in find_personal_data(text)):
                found.add(name)
    assert set(FOUND) - found == set()


def real_rows(folder: Path) -> list[str]:
    rows = []
    for name in ("pythia70m_labelled.csv", "lm_extraction_by_domain.csv", "pile_validation.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)]
        rows += [text[at : at + 220] for text in texts for at in range(0, len(text), 220)]
    return rows


def test_real_rows(shared_data: Path) -> None:
    rows = real_rows(shared_data)
    assert len(held_back(rows)) == 0  # not shown: it is real
    passed = passing(rows, PREFILTERS)
    assert passed["pii"].mean() <= 0.06
    assert passed["credentials"].mean() <= 0.01


@pytest.mark.parametrize("category", [PERSONAL_DATA, CREDENTIALS], ids=lambda category: category.name)
def test_rows_that_are_held_back_are_not_looked_at(category: object) -> None:
    texts = ["Dear Zephrine,\npassword = 'tr4cKt0r!99'"] * 2
    rows = Rows(texts, [-1, -1], False, {category.name: [True, False]})  # type: ignore[attr-defined]
    evidence = category.find(rows)  # type: ignore[attr-defined]
    assert evidence.holds == [True, False]


BAIT = [
    "a", "A", "1", " ", "\n", "@", "a@", "a.", "a@a.", "1.", "1-", "1 ", "+1", "12 ", "Aa ", "A1", "A a,", "::", "a:",
    "<a> ", "<", "(", "/", "Dear A", "To: Aa ", "call ", "tel 1", "born ", "at ", " (at) a dot ", "1 Aa St ", "AA 1",
    "AA 12345 ", "key=", "key=a1", "pass:", "://a:", "://", "eyJ", "eyJa.", "KEY-----", "-----END PRIVATE KEY",
    "AAAAAAAA\n", "-", "sk-", "login a ", "Private-Lines: 1", "Basic a", "curl ", "<secret>", "\0", "é", "Éa ",
    "\u202e", "312-482-7719 ", "4539 5787 6362 1486 ", "81.93.212.77 ", "John Smith ", "z@oduya.io ", "Thanks\n",
    "------\n", "Copyright a@b.de ", "\n * a@b.de", "Universit", "20 ^a ",
    "Aa, Aa </O", "Message-ID:", "References: <a@b.de> ", "<a@b.de> ", "Thanks a ", "\nThanks A", "define('a_",
    "536-22-8143 ",
    "docker login ", "set", "setpass", "put('a", 'name="a', "<key>a", "key>", "password: a", "password string ",
    "role a ", "with ", "role a with ", "auth=('a','", "key\\", "<input ", "requirepass ", "key[", "<key>key</key> ",
    "PASSWORD=sunflower\n", "password=aaaaaa\n", "value='aaaaaa' ", "contrase", "pw",
    "mysql -u ", "1999 Aa St ", "all rights reserved ", "© a@b.de\n", "Universit Institut ", "--password ", "A_A/",
]  # fmt: skip


@pytest.mark.parametrize("bait", BAIT, ids=repr)
def test_time_is_linear(bait: str) -> None:
    """A long row takes no longer a character than 25 microseconds for each: quadratic searches take hours."""
    find_personal_data("81.93.212.77 312-482-7719")  # the libraries are loaded
    text = (bait * 40_000)[:40_000]
    start = time.process_time()
    rows = Rows([text], [-1])
    passing([text], PREFILTERS)
    PERSONAL_DATA.find(rows)
    CREDENTIALS.find(rows)
    assert time.process_time() - start < 1.0
