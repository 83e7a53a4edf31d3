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
        ("-----BEGIN OpenVPN Static key V1-----\n6acbef03d62775b4b1bbd03e53b18772\n", "PRIVATE_KEY"),
        ("Private-Lines: 4\nAAAAgQCkJfQ9sLx02MvTzR8yWbNc7Ea5\n", "PRIVATE_KEY"),
        ("zR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx02Mv\n-----END RSA PRIVATE KEY-----\n", "PRIVATE_KEY"),
        ("EY-----\nMIIEowIBAAKCAQEAv1Qk8JdGx2Tq5bYwZr0LqQk8JdGx2Tq5bYwZr0Lq7Kd9PzUx\nb3Blbn", "PRIVATE_KEY"),
        ('"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\\n', "PRIVATE_KEY"),
        ("psk='Vi0let*Harbour'", "PASSWORD"),
        ("CREATE USER svc IDENTIFIED BY 'tr4cKt0r!99'", "PASSWORD"),
        ("curl -s -u svc:tr4cKt0r!99 https://mill.lan", "PASSWORD"),
        ("<password>tr4cKt0r!99</password>", "PASSWORD"),
        ("bot 7239481022:AAk3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1Pq", "TELEGRAM_TOKEN"),
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
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQCk3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4 svc@mill",
        "MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkq\n-----END CERTIFICATE-----\n",
        "id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "github.com/mill/wheel v1.0.1 h1:k3JfQ9sLx02MvTzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9s=",
        "<password>changeme</password>",
        "identified by 'password'",
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


def test_the_lines_before_the_end_of_a_key_belong_to_it() -> None:
    text = "a note\nzR8yWbNc7Ea5HdUg1PqXo4k3JfQ9sLx0\n2MvTzR8yWbNc7Ea5\n-----END PRIVATE KEY-----\n"
    (span,) = find_credentials(text)
    assert text[span.start : span.end].startswith("zR8y") and text[span.start : span.end].endswith("PRIVATE KEY")


@pytest.mark.parametrize(
    "text",
    [
        "PASS: check_mills2\nPASS: tests/basic2.sh",
        'class="sk-spinner sk-spinner-three-bounce"',
        "sk-learn-contrib-of-mills",
    ],
)
def test_logs_of_tests_and_names_of_styles_are_no_credentials(text: str) -> None:
    assert find_credentials(text) == []
