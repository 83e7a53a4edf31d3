"""Invented credentials in the files they leak from: key blocks, cloud keys, passwords, connection strings, tokens."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

from data.demo_people import Document

BASE64 = string.ascii_letters + string.digits + "+/"
ALPHANUMERIC = string.ascii_letters + string.digits
SERVICES = ("billing", "orders", "mailer", "search", "reports", "gateway", "ledger", "catalog", "media", "backup")
HOSTS = ("db", "cache", "queue", "node", "master", "replica", "primary", "vault")
ZONES = ("internal", "lan", "corp", "prod")


class Secrets:
    """A seeded source of documents with credentials."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def document(self, shape: Callable[[Secrets], Document] | None = None) -> Document:
        """A document of the given shape, or of a random one of `SHAPES`."""
        return (shape or self.rng.choice(SHAPES))(self)

    def random_text(self, alphabet: str, length: int) -> str:
        """`length` random characters."""
        return "".join(self.rng.choices(alphabet, k=length))

    def password(self) -> str:
        """A password of 10-16 characters with letters, digits and a sign."""
        rng = self.rng
        body = list(self.random_text(ALPHANUMERIC, rng.randint(7, 13)))
        body += [rng.choice("!$%&*?"), rng.choice(string.digits), rng.choice(string.ascii_uppercase)]
        rng.shuffle(body)
        return rng.choice(string.ascii_letters) + "".join(body)

    def host(self) -> str:
        """A machine of a made-up private network."""
        rng = self.rng
        return f"{rng.choice(HOSTS)}{rng.randint(1, 99)}.{rng.choice(SERVICES)}.{rng.choice(ZONES)}"

    def service(self) -> str:
        """The name of a service account."""
        return f"{self.rng.choice(('svc', 'app', 'adm', 'usr'))}_{self.rng.choice(SERVICES)}{self.rng.randint(1, 99)}"


def private_key(secrets: Secrets) -> Document:
    """The beginning of a PEM block."""
    kind = secrets.rng.choice(("RSA ", "EC ", "OPENSSH ", ""))
    lines = [secrets.random_text(BASE64, 64) for _ in range(5)]
    return Document(f"-----BEGIN {kind}PRIVATE KEY-----\n" + "\n".join(lines) + "\n", (lines[0][:40],))


def cloud_keys(secrets: Secrets) -> Document:
    """An AWS credentials file."""
    key = "AKIA" + secrets.random_text(string.ascii_uppercase + "234567", 16)
    secret = secrets.random_text(BASE64, 40)
    region = f"{secrets.rng.choice(('us', 'eu', 'ap'))}-{secrets.rng.choice(('east', 'west', 'south'))}-1"
    text = f"[{secrets.service()}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\nregion = {region}\n"
    return Document(text + f"output = json\nendpoint = https://{secrets.host()}\n", (key, secret))


def environment_file(secrets: Secrets) -> Document:
    """NAME=value lines with passwords and tokens among harmless settings."""
    rng = secrets.rng
    values = (secrets.password(), secrets.random_text(ALPHANUMERIC, 24), secrets.password())
    name = rng.choice(SERVICES).upper()
    text = f"{name}_HOST={secrets.host()}\n{name}_USER={secrets.service()}\n{name}_PASSWORD={values[0]}\n"
    token = rng.choice(("API_KEY=", "SECRET_KEY=", "ACCESS_TOKEN="))
    text += f"{name}_{token}{values[1]}\nDB_PORT={rng.randint(1025, 9999)}\nDB_PASSWORD={values[2]}\nDEBUG=false\n"
    return Document(text, values)


def connection_strings(secrets: Secrets) -> Document:
    """URLs with user and password."""
    rng = secrets.rng
    values, lines = [], []
    for scheme in rng.sample(("postgres", "mysql", "mongodb", "redis", "amqp"), 3):
        values.append(secrets.random_text(ALPHANUMERIC, rng.randint(10, 16)))
        address = f"{secrets.service()}:{values[-1]}@{secrets.host()}:{rng.randint(1025, 9999)}"
        lines.append(f"{scheme}_url: {scheme}://{address}/{rng.choice(SERVICES)}")
    return Document("\n".join(lines) + "\n", tuple(values))


def password_in_code(secrets: Secrets) -> Document:
    """A client constructed with its password in the source."""
    rng = secrets.rng
    values = (secrets.password(), secrets.random_text(string.hexdigits[:16], 32))
    text = f'client = Client(\n    host="{secrets.host()}",\n    user="{secrets.service()}",\n'
    text += f'    password="{values[0]}",\n    api_key="{values[1]}",\n    timeout={rng.randint(5, 90)},\n)\n'
    return Document(text, values)


def bearer_token(secrets: Secrets) -> Document:
    """A request with its authorization header."""
    rng = secrets.rng
    token = rng.choice(("ghp_", "glpat-", "xoxb-", "sk_live_")) + secrets.random_text(ALPHANUMERIC, 36)
    text = f"POST /{rng.choice(SERVICES)}/v{rng.randint(1, 4)} HTTP/1.1\nHost: {secrets.host()}\n"
    text += f"Authorization: Bearer {token}\nUser-Agent: {secrets.service()}/{rng.randint(1, 9)}\nAccept: */*\n"
    return Document(text, (token,))


def accounts(secrets: Secrets) -> Document:
    """A note with logins, one a line."""
    values = tuple(secrets.password() for _ in range(5))
    line = secrets.rng.choice(("{} login: {} password: {}", "{} - username {}, password: {}", "{}  user={} passwd={}"))
    text = "\n".join(line.format(secrets.host(), secrets.service(), value) for value in values)
    return Document(text + "\n", values)


SHAPES = (
    private_key, cloud_keys, environment_file, connection_strings, password_in_code, bearer_token, accounts,
)  # fmt: skip
