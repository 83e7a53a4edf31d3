"""Personal data: what is found, what is nobody's, and what was published as attribution. All people are invented."""

from __future__ import annotations

import pytest

from metrics.categories.evidence import LIKELY, Rows
from metrics.categories.personal_data import find, find_personal_data


def likely(text: str) -> set[tuple[str, str]]:
    return {(span.type, text[span.start : span.end]) for span in find_personal_data(text) if span.score >= LIKELY}


def holds(text: str, include_attribution: bool = False) -> bool:
    return find(Rows([text], [-1], include_attribution)).holds[0]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to ottilie.vantreight@harrowgate.net today", "EMAIL", "ottilie.vantreight@harrowgate.net"),
        ("o_vantreight+news@mail.harrowgate.co.uk,", "EMAIL", "o_vantreight+news@mail.harrowgate.co.uk"),
        ("ottilie (at) harrowgate (dot) org", "EMAIL", "ottilie (at) harrowgate (dot) org"),
        ("as I told bquell@quellh", "EMAIL", "bquell@quellh"),
        ("ring 312-482-7719 or", "PHONE", "312-482-7719"),
        ("ring (312) 482-7719 x204 or", "PHONE", "(312) 482-7719 x204"),
        ("ring 312.482.7719.", "PHONE", "312.482.7719"),
        ("+44 20 7946 1823 is the", "PHONE", "+44 20 7946 1823"),
        ("Tel: 030 4482 7719 in", "PHONE", "030 4482 7719"),
        ("card 4539 5787 6362 1486 of", "CREDIT_CARD", "4539 5787 6362 1486"),
        ("pay to DE89 3704 0044 0532 0130 00 by", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("SSN 536-22-8143 of", "US_SSN", "536-22-8143"),
        ("seen from 81.93.212.77 at", "IP_ADDRESS", "81.93.212.77"),
        ("Date of birth: 1961-04-23", "DATE_OF_BIRTH", "1961-04-23"),
        ("lives at 418 Larkspur Lane, Tolland, CT 06084 now", "ADDRESS", "418 Larkspur Lane, Tolland, CT 06084"),
        ("P.O. Box 1182 in", "ADDRESS", "P.O. Box 1182"),
        ("wohnt Lindenstraße 14 in", "ADDRESS", "Lindenstraße 14"),
        ("Zephrine Oduya <z@oduya.io> wrote", "PERSON", "Zephrine Oduya"),
        ("Dear Zephrine,\n", "PERSON", "Zephrine"),
        ("Kind regards,\nZephrine Oduya\n", "PERSON", "Zephrine Oduya"),
        ("Signed-off-by: Zephrine Oduya", "PERSON", "Zephrine Oduya"),
        ("sent by Tamsin Greer/LON/ECT on", "PERSON", "Tamsin Greer"),
        ("\nOduya, Margaret  ext 4\n", "PERSON", "Oduya, Margaret"),
        ("To Mrs. Zephrine Oduya,\n\nI write to you", "PERSON", "Zephrine Oduya"),
        ("Thanks a lot for the seeds.\n\nMargaret\n", "PERSON", "Margaret"),
        ('please contact "Margaret Oduya" by mail', "PERSON", "Margaret Oduya"),
        ("by Tamsin Greer/NA/Harrow@Harrow on", "PERSON", "Tamsin Greer"),
        ("Hi Margaret,\n", "PERSON", "Margaret"),
        ("sent to Oduya, Margaret </O=HARROW/OU=NA/CN=RECIPIENTS/CN=MODUYA> on", "PERSON", "Oduya, Margaret"),
        ('"Tamsin Greer" </o=harrow/ou=na/cn=recipients/cn=tgreer>', "PERSON", "Tamsin Greer"),
        ("sent by Margaret_Oduya/NA/Harrow", "PERSON", "Margaret_Oduya"),
        ("sent by Margaret.Oduya/HOU/ECT", "PERSON", "Margaret.Oduya"),
        ("sent by Margaret_Q_Oduya/HOU/ECT", "PERSON", "Margaret_Q_Oduya"),
        ("write to ottilie at harrowgate dot org,", "EMAIL", "ottilie at harrowgate dot org"),
        ("reach ottilie@harrowgate.net.Then wait", "EMAIL", "ottilie@harrowgate.net"),
        (
            "seen from 2a02:8108:9640:1a00:d4c1:3bff:fe21:7a05 at",
            "IP_ADDRESS",
            "2a02:8108:9640:1a00:d4c1:3bff:fe21:7a05",
        ),
        ("seen from 2a02:8108::7a05 at", "IP_ADDRESS", "2a02:8108::7a05"),
        ("I was born on May 4, 1961 in", "DATE_OF_BIRTH", "May 4, 1961"),
        ("D.O.B.: 4/5/1961", "DATE_OF_BIRTH", "4/5/1961"),
        ("ODUYA312-482-7719 is QUELL", "PHONE", "312-482-7719"),
        ("30 4482 7719 office\n", "PHONE", "30 4482 7719"),
        ("nobody was answering at 64-17-38-95", "PHONE", "64-17-38-95"),
        ("<quell> hello\n<oduya> is it up again?\n", "HANDLE", "quell"),
        ("of the mill.\n\n------\nquell42\nI think it is the wheel.", "HANDLE", "quell42"),
        ("skype: zeph.oduya", "HANDLE", "zeph.oduya"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert (kind, value) in likely(text)
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com",
        "jane@example.org and root@localhost",
        "your.email@gmail.com",
        "someone@yourdomain.com",
        "info@harrowgate.net",
        "support+de@harrowgate.net or webmaster@harrowgate.net",
        "kernel-dev@lists.harrowgate.net",
        "icon@2x.png and lodash@4.17.21",
        "@app.route('/') and @property",
        "git@github.com:thing/tool.git",
        "call 555-0134 or (212) 555-0199",
        "127.0.0.1 10.1.2.3 192.168.0.12",
        "192.0.2.44 198.51.100.7 203.0.113.9",
        "Version 12.14.33.71",
        "see 1.2.3.4 of the manual",
        "4111 1111 1111 1111",
        "4539 5787 6362 1487",
        "4802 4804 4806 4808 4810 4812 4814",
        "078-05-1120 and 000-12-3456",
        "DE89 3704 0044 0532 0130 01",
        "The treaty was signed by the king at the mill, in the year 1648.",
        "Name: Qt4 Editor\nFiles: backends/qt_editor",
        "From: the beginning To: the end",
        "Dear customer, dear reader: Dear Sir or Madam,",
        "0.123-456-7890 -1234567890 1234567890123",
        "const uint32_t table[] = { 3124827719, 2125550100 };",
        "51 Franklin Street, Fifth Floor, Boston, MA 02110-1301, USA",
        "int x = 418; Drive the court",
        "booknews@harrowgate.net and pressoffice@harrowgate.net",  # a role with a word, in one
        "harrowgatebooks@harrowgate.net",  # the domain with a word
        "figures@harrowgate.net",  # an ordinary word and nobody's name
        "LL@li.org and EMAIL@ADDRESS",
        "\\diagram@M-",
        "std::dead::beef and 12:34:56 and fe80::1 and 2001:db8::1 and ::1",
        "\n  13.27.15.13 Semantics of Loops\n",
        "Quell (born 3 May 1961) is a miller",
        "cited in 137 S. Ct. 1002",
        "see Instr. 4471",
        "12 Grand Views of the lake",
        "<td> one\n<td> two\n",
        "<U0059> <U0079>\n<U005A> <U007A>\n",
        "Title\n------\nbody\nthe text of it",
        "licence number is 7204418",
        "1234 567 890",
        "Oduya, Margaret\n\n1 The mill",
    ],
)
def test_nobodys(text: str) -> None:
    assert likely(text) - {("ROLE_EMAIL", text)} == set() or {kind for kind, _ in likely(text)} == {"ROLE_EMAIL"}
    assert not holds(text)


def test_role_mailboxes_are_kept_apart() -> None:
    columns = find(
        Rows(["mail info@harrowgate.net or tamsin@harrowgate.net", "mail info@harrowgate.net"], [-1, -1])
    ).columns
    assert columns["has_role_mailbox"] == [True, True]
    assert columns["has_pii"] == [True, False]
    assert [len(spans) for spans in columns["pii"]] == [1, 0]


@pytest.mark.parametrize(
    ("text", "attributed"),
    [
        ("Copyright (c) 2009 Tamsin Greer <tamsin@greerworks.org>\n", True),
        (" * @author Tamsin Greer (tamsin@greerworks.org)\n * @since 2.1\n", True),
        ("# Written by Tamsin Greer,\n#   418 Larkspur Lane, Tolland, CT 06084\n", False),
        ("__author__ = 'Tamsin Greer <tamsin@greerworks.org>'", True),
        ('"author": "Tamsin Greer <tamsin@greerworks.org>",', True),
        ("Tamsin Greer <tamsin@greerworks.org>\n\nPermission is hereby granted, free of charge, to any person", True),
        ("From: Tamsin Greer <tamsin@greerworks.org>\nSubject: the licence", False),
        ("Copyright law is dull.\n\nFrom: Tamsin Greer <tamsin@greerworks.org>\n", False),
        ("Copyright (c) 2009 Tamsin Greer\n\nCall Bo Dunmore on 312-482-7719.", False),
    ],
)
def test_licence_context(text: str, attributed: bool) -> None:
    columns = find(Rows([text], [-1])).columns
    assert columns["has_pii"] == [True]
    assert columns["licence_context"] == [attributed]
    assert holds(text) != attributed
    assert holds(text, include_attribution=True)


@pytest.mark.parametrize(
    ("alone", "beside_somebody"),
    [
        ("ships as 536-22-8143 in blue", "Margaret Dunmore, 536-22-8143"),
        ("ships as 536-22-8143 in blue", "mdunmore@harrowgate.net 536-22-8143"),
        ("Key West, FL 33040", "Margaret Dunmore\nKey West, FL 33040"),
        ("we flew to Key West, FL 33040 in May", "we flew to Key West, FL 33040 in May with Margaret Dunmore"),
    ],
)
def test_places_and_unnamed_numbers_are_somebodys_beside_a_person(alone: str, beside_somebody: str) -> None:
    spans = find_personal_data(alone)
    assert spans and max(span.score for span in spans) < LIKELY  # kept for masking
    assert not holds(alone)
    kind = spans[-1].type
    assert kind in {"US_SSN", "ADDRESS"} and kind in {of for of, _ in likely(beside_somebody)}
    assert holds(beside_somebody)
    assert not holds(alone + " -" * 70 + " Margaret Dunmore")  # 140 characters away


def test_names_in_prose_are_masked_but_decide_nothing() -> None:
    text = "The novel by Margaret Dunmore was read aloud."
    spans = find_personal_data(text)
    assert [(span.type, text[span.start : span.end]) for span in spans] == [("PERSON", "Margaret Dunmore")]
    assert spans[0].score < LIKELY
    assert ("PERSON", "Margaret Dunmore") in likely(text + " Her number is +1 312 482 7719.")


@pytest.mark.parametrize(
    ("text", "organisation"),
    [
        ("Harrowgate Mills Ltd\n418 Larkspur Lane\nTolland, CT 06084\n", True),
        ("418 Larkspur Lane, Tolland, CT 06084\nwww.harrowgate.net\n", True),
        ("For orders call us on 312-482-7719, 24 hours a day.", True),
        ("ring 1-877-482-7719 for", True),  # freephone, whoever is named
        ("Kind regards,\nMargaret Oduya\n1-877-482-7719", False),  # the name is still hers
        ("questions? The help desk: milldesk1@harrowgate.net", True),
        ("The help desk: mhansen@harrowgate.net", False),  # initial and surname
        ("The help desk: qv17@gmx.de", False),  # everybody has a mailbox there
        ("Margaret Oduya <mo@harrowgate.net>\nHarrowgate Mills Ltd\n418 Larkspur Lane, Tolland, CT 06084", False),
        ("Name: Margaret Oduya\nAddress: 418 Larkspur Lane, Tolland, CT 06084\nCompany: Quell Ltd", False),
        ("Phone: 312-482-7719\nCompany: Quell Ltd\n", False),  # a record of a person
        ("she lives at 418 Larkspur Lane, Tolland, CT 06084", False),
        (f"418 Larkspur Lane, {'by the mill ' * 20}\n7 Tolland Road, Harrow\nHarrowgate Mills Ltd", True),  # a list
        (f"418 Larkspur Lane, {'by the mill ' * 20}\n\n7 Tolland Road, Harrow\nHarrowgate Mills Ltd", False),
        (f"home: 418 Larkspur Lane, {'by the mill ' * 20}\n7 Tolland Road, Harrow\nHarrowgate Mills Ltd", False),
    ],
)
def test_contact_data_of_organisations_is_nobodys(text: str, organisation: bool) -> None:
    columns = find(Rows([text], [-1])).columns
    assert columns["has_pii"] == [True]
    assert columns["organisation_context"] == [organisation]
    assert holds(text) != organisation


@pytest.mark.parametrize(
    "text",
    [
        " *     Tamsin Greer <tamsin@greerworks.org>\n *     Bo Dunmore <bo@greerworks.org>\n *\n",
        "# imported key of Tamsin Greer <tamsin@greerworks.org>\n# and that is all",
        "# tamsin@greerworks.org (Tamsin Greer) contributed the tables\nsed -i x\n",
        '"Last-Translator: Tamsin Greer <tamsin@greerworks.org>\\n"\n',
        "University of Tolland and University of Harrow\n\n t.greer@mills.harrow.edu\n",
        "Correspondence: tamsin@greerworks.org",
    ],
)
def test_credits_of_authors_in_other_forms(text: str) -> None:
    assert find(Rows([text], [-1])).columns["licence_context"] == [True]


def test_identity_is_never_a_credit() -> None:
    text = "// Copyright 2009 Tamsin Greer\n// SSN 536-22-8143\n// all rights reserved\n"
    assert find(Rows([text], [-1])).columns["licence_context"] == [False]
    assert holds(text)


def test_sample_text_is_nobodys() -> None:
    assert not holds("LOREM IPSUM, 418 Larkspur Lane, Tolland, CT 06084")


def test_each_finding_says_why_without_the_text() -> None:
    text = "Margaret Oduya <mo@harrowgate.net>, 312-482-7719, born on May 4, 1961, SSN 536-22-8143"
    spans = find(Rows([text], [-1])).columns["pii"][0]
    assert {"EMAIL", "PERSON", "PHONE", "DATE_OF_BIRTH", "US_SSN"} == {span["type"] for span in spans}
    for span in spans:
        assert span["why"]
        assert not any(part in span["why"] for part in ("Oduya", "mo@", "7719", "1961", "8143"))


@pytest.mark.parametrize(
    "text",
    [
        "Aim: This study asks how mills were built.",
        "{aim: true, skype: false, icq: null}",
        "nickname: String",
        "Flash Player 11.2.202.235 is installed",
        "served by nginx/1.10.12.13 today",
        "see Data_Files/SRC/Main and Java.Util/IO/File",
        "Oduya, Mill </td> and Mill </O and a</O=1",
        "the id 00999079461823 and 004420794618231 and 0xa00442079461823",  # no country, too long, within a word
        "kernel 2.6.18.128 is running",
    ],
)
def test_fields_of_other_things_and_versions_of_programs_are_nobodys(text: str) -> None:
    assert [span for span in find_personal_data(text) if span.score >= LIKELY] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("she wrote +442079461823 on it", "PHONE"),
        ("ask +14155552671 instead", "PHONE"),
        ("+49 (0)30 1234567 until five", "PHONE"),
        ("she wrote 00442079461823 on it", "PHONE"),
        ("skype: barnaby.quell77", "HANDLE"),
        ("login from 11.93.212.77 failed", "IP_ADDRESS"),
    ],
)
def test_handles_in_fields_and_addresses_of_machines_are_found(text: str, kind: str) -> None:
    assert kind in {span.type for span in find_personal_data(text) if span.score >= LIKELY}
