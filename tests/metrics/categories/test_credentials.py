"""Credentials: known formats, assignments, connection strings; hashes and placeholders are none. All are invented."""

from __future__ import annotations

import pytest

from metrics.categories.credentials import entropy, find_credentials


def types(text: str) -> list[str]:
    return [span.type for span in find_credentials(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE", "PRIVATE_KEY"),
        ("-----BEGIN PRIVATE KEY-----\n", "PRIVATE_KEY"),
        ("RIVATE KEY-----\nMIIEowIBAAKCAQEAv1Qk8JdGx2Tq5bYwZr0Lq\n", "PRIVATE_KEY"),
        ("id AKIA" + "Q3EGRI7UZ5PLX2WD", "AWS_ACCESS_KEY"),
        ("use ghp_" + "k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4", "GITHUB_TOKEN"),
        ("use glpat-" + "k3JfQ9sLx02MvTzR8yWb", "GITLAB_TOKEN"),
        ("use xoxb-" + "2384720394-k3JfQ9sLx02MvTzR", "SLACK_TOKEN"),
        ("use sk_live_" + "k3JfQ9sLx02MvTzR8yWbNc7E", "STRIPE_KEY"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI4MTcyIn0.k3JfQ9sLx02MvTzR8yWb", "JSON_WEB_TOKEN"),
        ("DB_PASSWORD=tr4cKt0r!99\n", "PASSWORD"),
        ("password: 'Vi0let*Harbour'", "PASSWORD"),
        ('"api_key": "8f3a91c04be7d25a8f3a91c04be7d25b",', "PASSWORD"),
        ("aws_secret_access_key = k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4zzzz", "PASSWORD"),
        ("machine ftp login tamsin password tr4cKt0r", "PASSWORD"),
        ("postgres://svc:tr4cKt0rz@db1.internal:5432/app", "CONNECTION_STRING"),
        ("redis://:p0ntoon@cache.lan:6379/0", "CONNECTION_STRING"),
        ("Authorization: Basic dGFtc2luOnRyNGNLdDByOTk=", "AUTHORIZATION"),
    ],
)
def test_found(text: str, kind: str) -> None:
    assert kind in types(text)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq",
        "AKIAIOSFODNN7EXAMPLE",
        '"integrity": "sha512-k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4=="',
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "checksum = 9f86d081884c7d659a2feaa0c55ad015",
        "password = getpass.getpass()",
        "password=None, token=None, secret: str",
        "password: <your password>",
        'PASSWORD = "changeme"',
        "password=${DB_PASSWORD}",
        "token = tokens[position]",
        "self.token = token_stream.next_token",
        "postgres://user:password@localhost/db",
        "http://example.org:8080/path@home",
        "The secret is: patience and a sharp knife.",
        "primary_key=customer_id1",
        "Please enter your password. The password is case sensitive.",
        "key = 'keyboard'",
    ],
)
def test_none(text: str) -> None:
    assert types(text) == []


def test_entropy_by_hand() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("abcdefgh") == 3


def test_the_span_is_the_secret_alone() -> None:
    text = "login at postgres://svc:tr4cKt0rz@db1.internal/app"
    (span,) = find_credentials(text)
    assert text[span.start : span.end] == "tr4cKt0rz"
