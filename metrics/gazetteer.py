"""Which words are people's names, and which are ordinary words: word lists, loaded when first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module, resources

LOCALES = (
    "en_US", "en_GB", "en_IN", "en_IE", "en_NZ", "de_DE", "fr_FR", "es_ES", "es_MX", "it_IT", "nl_NL", "pl_PL",
    "pt_BR", "sv_SE", "da_DK", "no_NO", "fi_FI", "cs_CZ", "hu_HU", "ro_RO", "hr_HR", "tr_TR", "id_ID", "yo_NG",
)  # fmt: skip
_FIRST = ("first_names", "first_names_male", "first_names_female", "first_names_unisex", "first_names_nonbinary")
_LAST = ("last_names", "last_names_male", "last_names_female")


def _names(attributes: tuple[str, ...]) -> frozenset[str]:
    found: set[str] = set()
    for locale in LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for attribute in attributes:
            found.update(getattr(provider, attribute, ()))
    parts = (part for name in found for part in name.replace("-", " ").replace("'", " ").split())
    return frozenset(part.lower() for part in parts if len(part) >= 2 and part.isalpha())


@cache
def first_names() -> frozenset[str]:
    """Given names in lower case, of the Latin-script locales of Faker."""
    return _names(_FIRST)


@cache
def last_names() -> frozenset[str]:
    """Family names in lower case, of the Latin-script locales of Faker."""
    return _names(_LAST)


@cache
def ordinary_words() -> frozenset[str]:
    """Ordinary English words and parts of common identifiers, in lower case; `build_lexicon.py` says how made."""
    text = resources.files("metrics").joinpath("lexicon.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
