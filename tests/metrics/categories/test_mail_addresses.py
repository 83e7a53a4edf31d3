"""Mail addresses: ids of messages and placeholders are none; their neighbours that look alike are."""

from __future__ import annotations

import pytest

from metrics.categories.mail_addresses import EMAIL, ROLE, find_mail_addresses


def found(text: str) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in find_mail_addresses(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Message-ID: <20090312.4711@mx.harrowgate.net>\n",
        "message-id:<4F2B@mail.harrowgate.net>",
        "In-Reply-To: <4F2B.quell@harrowgate.net>\nSubject: the wheel\n",
        "> References: <a17.quell@harrowgate.net> <b18.quell@harrowgate.net>\n>  <c19.quell@harrowgate.net>\n",
        "References: <a17.quell@harrowgate.net>\r\n\t<b18.quell@harrowgate.net",  # cut by the window
        "<CAJx4f2b+quell@mail.gmail.com> wrote",  # a host that no mailbox has
    ],
)
def test_ids_of_messages_are_no_addresses(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "References: Bo Dunmore <bo@dunmore.net>",  # people who speak for somebody
        "Message-ID: <4F2B@harrowgate.net>\nFrom: Bo <bo@dunmore.net>\n",
        "In-Reply-To: <4F2B@harrowgate.net>\n\nbo@dunmore.net",
        "my message id is <bo@dunmore.net>",
        "Reply-To: <bo@dunmore.net>",
    ],
)
def test_addresses_beside_ids_are_found(text: str) -> None:
    assert found(text) == [(EMAIL, "bo@dunmore.net")]


@pytest.mark.parametrize(
    "address",
    [
        "admin@admin.com",
        "test@test.com",
        "a@b.com",
        "xxx@xxx.com",
        "foo.bar@baz.com",
        "foo.bar@harrowgate.net",
        "tamsin@qux.org",
        "john@doe.com",
        "your@email.org",
        "user1@harrowgate.net",
        "test123@gmail.com",
        "tamsin@mydomain.org",
        "tamsin@yoursite.com",
    ],
)
def test_placeholders_are_nobodys(address: str) -> None:
    assert found(f"write to {address}, please") == []


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("admin@harrowgate.net", ROLE),
        ("greer@greer.com", EMAIL),  # families have domains
        ("t@greer.com", EMAIL),
        ("ab@cd.com", EMAIL),
        ("john@dunmore.com", EMAIL),
        ("foo.quell@bazaar.com", EMAIL),
        ("user4711@gmail.com", EMAIL),
        ("tamsin@testing.harrowgate.net", EMAIL),
    ],
)
def test_neighbours_of_placeholders_are_somebodys(address: str, kind: str) -> None:
    assert found(f"write to {address}, please") == [(kind, address)]
