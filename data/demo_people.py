"""Invented people and the documents that carry their personal data: mails, signatures, records, letters, lists.

Names and streets come from Faker, everything else from the same seed. Domains are two surnames joined, telephone
numbers valid in form with exchanges other than 555, so that none of it is a reserved placeholder.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from faker import Faker

AREA_CODES = (212, 303, 312, 404, 415, 503, 512, 602, 612, 617, 702, 713, 717, 804, 816, 860, 901, 919)
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")


@dataclass(frozen=True)
class Document:
    """A generated text and the strings in it that must not be cut away.

    Attributes:
        text: What is to be tokenized.
        marks: Personal data or secrets in it; a sequence made from it keeps at least one of them whole and
            has one in its suffix.
    """

    text: str
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist."""

    first: str
    last: str
    mail: str
    phone: str
    street: str
    city: str
    state: str
    postcode: str
    job: str
    company: str
    born: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"

    @property
    def place(self) -> str:
        """City, state and postcode, as on an envelope."""
        return f"{self.city}, {self.state} {self.postcode}"


class People:
    """A seeded source of invented people and of documents about them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.faker = Faker("en_US")
        self.faker.seed_instance(seed)

    def person(self) -> Person:
        """The next person."""
        rng, faker = self.rng, self.faker
        first, last = faker.first_name(), faker.last_name()
        user = rng.choice(
            (
                f"{first}.{last}",
                f"{first[0]}{last}",
                f"{last}.{first}",
                f"{first}{rng.randint(60, 99)}",
                f"{first}_{last}",
                f"{last}{rng.randint(1, 99)}",
            )
        )
        domain = f"{faker.last_name()}{rng.choice(('', '-'))}{faker.last_name()}.{rng.choice(('com', 'org', 'net'))}"
        exchange = rng.choice([number for number in range(220, 990) if number != 555 and number % 100 != 11])
        phone = rng.choice(("({}) {}-{:04}", "{}-{}-{:04}", "+1 {} {} {:04}", "{}.{}.{:04}")).format(
            rng.choice(AREA_CODES), exchange, rng.randint(1000, 9899)
        )
        return Person(
            first=first,
            last=last,
            mail=f"{user}@{domain}".lower().replace("'", ""),
            phone=phone,
            street=f"{rng.randint(11, 9899)} {faker.street_name()}",
            city=faker.city(),
            state=faker.state_abbr(include_territories=False),
            postcode=f"{rng.randint(10001, 99498)}",
            job=faker.job(),
            company=f"{faker.last_name()} {faker.company_suffix()}",
            born=f"{rng.randint(1940, 2003)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        )

    def document(self, shape: Callable[[People], Document] | None = None) -> Document:
        """A document of the given shape, or of a random one of `SHAPES`."""
        return (shape or self.rng.choice(SHAPES))(self)

    def subject(self) -> str:
        """A subject line of three to six words."""
        return " ".join(self.faker.words(self.rng.randint(3, 6))).capitalize()

    def sentence(self) -> str:
        """A sentence that says nothing."""
        return self.faker.sentence(self.rng.randint(5, 9))


def mail_header(people: People) -> Document:
    """From, To, Cc, Subject."""
    a, b, c = people.person(), people.person(), people.person()
    rng = people.rng
    date = f"{rng.choice(DAYS)}, {rng.randint(1, 28)} {rng.choice(MONTHS)[:3]} {rng.randint(1999, 2019)}"
    subject = f"Subject: {people.subject()}\n"
    head = f"From: {a.name} <{a.mail}>\n"
    rest = f"To: {b.name} <{b.mail}>\nCc: {c.name} <{c.mail}>\n"
    lines = rng.choice((f"{head}{rest}Date: {date}\n{subject}", f"Date: {date}\n{head}{rest}{subject}"))
    return Document(lines, (a.mail, b.mail, c.mail))


def signature(people: People) -> Document:
    """The end of a mail, with the sender's telephone and address."""
    a = people.person()
    regards = people.rng.choice(("Best regards,", "Thanks,", "Kind regards,", "Cheers,", "Sincerely,"))
    first = people.rng.choice((f"Phone: {a.phone}\n{a.mail}", f"{a.mail}\nTel. {a.phone}", f"M {a.phone} | {a.mail}"))
    text = f"{people.sentence()}\n\n{regards}\n{a.name}\n{a.job}, {a.company}\n{first}\n{a.street}, {a.place}\n"
    return Document(text, (a.phone, a.mail, a.street))


def contact_record(people: People) -> Document:
    """Labelled fields, one a line."""
    a = people.person()
    fields = [
        f"Phone: {a.phone}",
        f"Email: {a.mail}",
        f"Address: {a.street}, {a.place}",
        f"Date of birth: {a.born}",
        f"Company: {a.company}",
    ]
    people.rng.shuffle(fields)
    return Document("\n".join([f"Name: {a.name}", *fields]) + "\n", (a.phone, a.mail, a.street))


def letter(people: People) -> Document:
    """A postal address, a salutation and how to reach the writer."""
    a, b = people.person(), people.person()
    date = f"{people.rng.choice(MONTHS)} {people.rng.randint(1, 28)}, {people.rng.randint(1989, 2019)}"
    reach = people.rng.choice(
        (f"Please call me at {a.phone} or write to {a.mail}.", f"You can reach me at {a.mail} or on {a.phone}.")
    )
    text = f"{b.name}\n{b.street}\n{b.place}\n\n{date}\n\nDear {b.first},\n\n{reach} {people.sentence()}\n\n{a.name}\n"
    return Document(text, (a.phone, a.mail, b.street))


def salutation(people: People) -> Document:
    """A short mail that passes on how to reach somebody else."""
    a, b = people.person(), people.person()
    title = people.rng.choice(("Mr.", "Ms.", "Dr.", "Mrs."))
    where = people.rng.choice(
        (
            f"my new number is {a.phone} and my mail is now {a.mail}.",
            f"{b.name} moved to {b.street}, {b.place}. The new phone is {b.phone}.",
            f"please send the papers to {b.name}, {b.street}, {b.place}, or to {b.mail}.",
        )
    )
    text = f"Dear {title} {a.last},\n\n{people.sentence()} As of {people.rng.choice(MONTHS)}, {where}\n"
    text += f"{people.sentence()}\n\nYours,\n{a.name}\n{a.phone}\n{a.mail}\n"
    return Document(text, (a.phone, a.mail, b.phone, b.mail, b.street))


def directory(people: People) -> Document:
    """Several people, one a line."""
    everybody = [people.person() for _ in range(5)]
    line = people.rng.choice(("{0.last}, {0.first}  {0.phone}  {0.mail}", "{0.name} <{0.mail}>, {0.phone}"))
    line = people.rng.choice((line, "{0.name}; {0.street}; {0.city}; {0.phone}"))
    text = "\n".join(line.format(person) for person in everybody) + "\n"
    return Document(text, tuple(mark for person in everybody for mark in (person.phone, person.mail)))


def invoice(people: People) -> Document:
    """Where something is shipped to."""
    a = people.person()
    text = f"Order no. {people.rng.randint(10000, 99999)}\nShip to: {a.name}, {a.street}, {a.place}\n"
    text += f"Telephone {a.phone}, e-mail {a.mail}\n{people.sentence()} Contact person at the gate: {a.name}.\n"
    return Document(text, (a.phone, a.mail, a.street))


def forwarded(people: People) -> Document:
    """A forwarded mail of a company with departments."""
    a, b = people.person(), people.person()
    unit = people.rng.choice(("HOU/ECT", "NA/Corp", "LON/ECT", "PDX/ENA"))
    text = f"---- Forwarded by {a.name}/{unit} ----\n{b.name} <{b.mail}>\nTo: {a.mail}\n"
    text += f"Subject: {people.subject()}\n\n{a.first}, call me at {b.phone}. {people.sentence()}\n{b.first}\n"
    return Document(text, (a.mail, b.mail, b.phone))


def attribution(people: People) -> str:
    """A copyright or authorship header; personal data published as attribution."""
    a = people.person()
    year = people.rng.randint(1996, 2019)
    name = people.rng.choice((f"{a.name} <{a.mail}>", f"{a.name} ({a.mail})"))
    start = people.rng.choice(
        (f"Copyright (c) {year} {name}\n", f"Copyright (C) {year}-{year + 4} {name}. All rights reserved.\n")
    )
    return start + people.rng.choice(("", "\n"))


SHAPES = (mail_header, signature, contact_record, letter, salutation, directory, invoice, forwarded)
