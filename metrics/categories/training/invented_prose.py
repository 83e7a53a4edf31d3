"""Prose and records that are no code, though full of digits, colons, brackets, short lines or wide gaps.

All names, companies and addresses are Faker's: nobody's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from faker import Faker

_FOREIGN = ["fr_FR", "de_DE", "es_ES", "ru_RU", "el_GR", "zh_CN", "ja_JP", "pl_PL", "it_IT", "ar_AA"]
_REPORTERS = ("U.S.", "F.2d", "F.3d", "S.Ct.", "A.2d", "N.E.2d")


class _Writer:
    """Writes one piece for each method of `forms`."""

    def __init__(self, source: random.Random) -> None:
        self.draw = source
        self.fake = Faker(["en_US", "en_GB"])
        self.fake.seed_instance(source.getrandbits(31))
        self.foreign = Faker(_FOREIGN)
        self.foreign.seed_instance(source.getrandbits(31))

    def forms(self) -> tuple[Callable[[], str], ...]:
        """In a fixed order; plain prose several times."""
        return (
            self.letter, self.record, self.mail, self.office_mail, self.counter, self.places, self.dialogue,
            self.judgment, self.court_page, self.references, self.categories, self.bullets, self.glossary, self.hearing,
            self.chat, self.diary, self.study, self.stray_tags, self.capitals, self.rulers, self.foreign_prose,
            self.prose, self.prose, self.prose,
        )  # fmt: skip

    def clause(self) -> str:
        return self.fake.sentence().rstrip(".")

    def number(self, top: int = 999) -> int:
        return self.draw.randint(1, top)

    def year(self) -> int:
        return self.draw.randint(1900, 2019)

    def letter(self) -> str:
        fake = self.fake
        return f"Dear {fake.name()},\n\n{fake.paragraph(5)}\n\nSincerely,\n{fake.name()}\n{fake.phone_number()}"

    def record(self) -> str:
        fake = self.fake
        record = (
            f"Name: {fake.name()}\nPhone: {fake.phone_number()}\nEmail: {fake.email()}\nAddress: {fake.address()}\n"
        )
        return record * 2

    def mail(self) -> str:
        fake = self.fake
        return f"From: {fake.name()} <{fake.email()}>\nTo: {fake.email()}\nSubject: {self.clause()}\n\n{fake.text()}"

    def office_mail(self) -> str:
        name, unit = self.fake.name, self.draw.choice(("HOU/ECT@ECT", "NA/Corp@Corp", "LON/XYZ@XYZ"))
        names = ", ".join(f"{name()}/{unit}" for _ in range(4))
        return f"{name()} {self.fake.date()} 02:14 PM\nTo: {names}\ncc: {name()}/{unit}\nSubject: Re: {self.clause()}\n"

    def counter(self) -> str:
        label = self.draw.choice(("Item ", "Page ", "Row ", "Chapter ", "Figure ", "Part ", "Section ", "Table "))
        start = self.number()
        return self.draw.choice(("\n", ", ", " ", "; ", ".\n")).join(f"{label}{start + step}" for step in range(40))

    def places(self) -> str:
        return "\n".join(f"{self.fake.city()}  {self.number()}  {self.draw.random():.2f}" for _ in range(20))

    def dialogue(self) -> str:
        said = ("said", "asked", "wrote")
        return " ".join(
            f'“{self.clause()},” {self.draw.choice(said)} {self.fake.last_name()}. "{self.clause()}?" ({self.year()}).'
            for _ in range(5)
        )

    def judgment(self) -> str:
        return " ".join(
            f"{self.fake.last_name()} v. {self.fake.company()}, {self.number()} {self.draw.choice(_REPORTERS)} "
            f"{self.number()}, {self.number()} ({self.year()}) ({self.draw.choice('abc')}); see § {self.number()}"
            f"({self.draw.choice('abc')})({self.number(9)}). {self.clause()}."
            for _ in range(4)
        )

    def court_page(self) -> str:
        gap = " " * self.draw.randint(10, 60)
        fake = self.fake
        return (
            f"{gap}-{self.number(40)}-\n\n{gap}IN THE COURT OF {fake.city().upper()}\n\n{fake.name().upper()},{gap}No. "
            f"{self.number(99)}-{self.number(9999)}\n         Plaintiff,\n   v.{gap}{fake.date()}\n{fake.company()},\n"
            f"     ({self.draw.choice('abc')}) {fake.sentence()}\n\n{gap[:9]}({self.number(9)}) {fake.paragraph(3)}\n"
        )

    def references(self) -> str:
        fake = self.fake
        return "\n\n".join(
            f"[{index}] {fake.last_name()}, {fake.first_name()[0]}.{fake.first_name()[0]}., & {fake.last_name()}, "
            f"{fake.first_name()[0]}. {self.year()}, {self.clause()}, {self.number()}, {self.number()}-{self.number()}."
            for index in range(8)
        )

    def categories(self) -> str:
        return "\n".join(f"Category:{self.clause()[:30]}" for _ in range(14))

    def bullets(self) -> str:
        return "\n".join(f"{self.draw.choice('*-•')} {self.clause()}" for _ in range(12))

    def glossary(self) -> str:
        return "\n\n".join(f"{self.fake.word().upper()}\n\n: {self.clause()};" for _ in range(12))

    def hearing(self) -> str:
        return "\n".join(f"Q. {self.clause()}?\nA. {self.clause()}." for _ in range(6))

    def chat(self) -> str:
        return "\n".join(f"<{self.fake.user_name()}> {self.clause()}" for _ in range(8))

    def diary(self) -> str:
        return "\n".join(f"{self.fake.date()}{self.draw.choice((' ', ', ', ': '))}{self.clause()}" for _ in range(8))

    def study(self) -> str:
        fake = self.fake
        return (
            f"{fake.paragraph(2)} (Fig. {self.number(9)}) {fake.paragraph(2)} *P* < 0.{self.number(9)}; n = "
            f"{self.number(90)}, {self.draw.random() * 90:.1f}% ± {self.draw.random():.2f} vs {self.number(50)}.2%, "
            f"respectively. {fake.paragraph(2)} [{self.number(40)},{self.number(40)}]. See https://www."
            f"{fake.domain_name()}/{fake.word()}. {fake.paragraph(2)}"
        )

    def stray_tags(self) -> str:
        tag = self.draw.choice(("<br>", "<br />\n", "<p>", "&nbsp;", "&amp;", "<i>", "**", "[link]"))
        return " ".join(f"{self.fake.paragraph(3)}{tag}" for _ in range(4))

    def capitals(self) -> str:
        return self.fake.paragraph(8).upper()

    def rulers(self) -> str:
        return "\n".join([self.draw.choice("-=*#~+_") * self.draw.randint(5, 40), self.fake.sentence()] * 12)

    def foreign_prose(self) -> str:
        return self.foreign.text(300)

    def prose(self) -> str:
        return self.fake.paragraph(8)


def invented_prose(source: random.Random) -> Iterator[str]:
    """Endless pieces of some hundred characters, one of each form in turn."""
    writer = _Writer(source)
    while True:
        for form in writer.forms():
            yield form()
