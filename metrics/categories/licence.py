"""The language of licences: phrases that hardly occur elsewhere, and runs of up to three words they are made of."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np

from metrics.categories.phrases import Phrases, plain

WEIGHTS_FILE = "licence_words.txt"

# Phrases that hardly occur outside licences, as whole words.
PHRASES: tuple[str, ...] = (
    "licensed under the", "under the terms of the", "permission is hereby granted",
    "free of charge to any person", "without warranty", "without warranties", "any warranty", "warranties of",
    "implied warranty", "implied warranties", "any express or implied", "either express or implied",
    "fitness for a particular purpose", "merchantability", "in no event shall", "in no event will",
    "redistributions of source code", "redistributions in binary form", "redistribution and use",
    "above copyright notice", "this list of conditions", "the following disclaimer",
    "contributors may be used to endorse", "specific prior written permission", "shall not be liable",
    "be liable for any", "holders be liable", "loss of use data", "business interruption",
    "theory of liability", "strict liability or tort", "contract strict liability", "tort or otherwise",
    "tort including", "advised of the possibility", "general public license", "apache license",
    "mit license", "bsd license", "mozilla public license", "eclipse public license", "creative commons",
    "gnu lesser", "gnu affero", "gnu general", "see the license for", "copy of the license",
    "license for more details", "limitations under the license", "required by applicable law or agreed",
    "agreed to in writing software", "use this file except", "contributor license agreement",
    "contributor license agreements", "regarding copyright ownership", "to use copy modify",
    "publish distribute sublicense", "substantial portions of the software",
    "copyright notice and this permission", "royalty free", "derivative works", "covered work",
    "corresponding source", "sublicense", "sublicenses", "sublicensing", "sublicensable", "copyleft",
    "licensor", "licensors", "licensee", "licensees", "free software foundation", "redistribute it and or modify",
    "terms and conditions of this", "the software is provided", "this software is provided", "provided as is",
    "spdx license identifier", "without modification are permitted", "object code form", "the copyright holder",
    "the copyright holders", "copyright owner", "reproduce prepare derivative", "grants you a", "hereby grants",
    "this license agreement", "end user license", "of this license", "under this license", "this agreement",
    "portion of the software", "portions of the software", "attribution notices", "copyright notices",
    "license information please see", "source file is subject to the",
)  # fmt: skip
# Who owns a work, not what others may do with it: by itself no licence, but where licences begin.
NOTICES: tuple[str, ...] = ("copyright c", "c copyright", "copyright copy", "all rights reserved")

# The names under which `licence_words.txt` gives the weights of the phrases: of the first, second and third one found
# (more add nothing), and of a notice.
# The brackets keep them apart from words.
PHRASE_STEPS = ("(first phrase)", "(second phrase)", "(third phrase)")
NOTICE_STEP = "(notice)"


@cache
def _listed() -> tuple[dict[str, float], Phrases, np.ndarray]:
    """The weights of bias, phrases and notices by name; all phrases, notices and runs of words in one list; and
    float64, one for each of these, the weights of the runs and 0 for the others."""
    text = resources.files("metrics.categories").joinpath(WEIGHTS_FILE).read_text(encoding="utf-8")
    lines = (line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    runs = {name: float(weight) for weight, name in lines}
    named = {name: runs.pop(name) for name in ("bias", *PHRASE_STEPS, NOTICE_STEP)}
    weights = [0.0] * (len(PHRASES) + len(NOTICES)) + list(runs.values())
    return named, Phrases((*PHRASES, *NOTICES, *runs)), np.array(weights)


def licence_phrases() -> Phrases:
    """All phrases, notices and weighed runs of words, to be looked up in texts."""
    return _listed()[1]


def licence_evidence(rows: np.ndarray, numbers: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """How much each of N texts reads like a licence.

    Args:
        rows, numbers: int64 [M] each, which of `licence_phrases` are in which text, as `found` returns it.
        texts: N.

    Returns:
        float64 [N], the probability that it is of a licence, in [0, 1]: 1 / (1 + exp(-(bias + weights of its listed
        phrases + weights of the different runs of words in it))); and int64 [N], its number of different phrases.
    """
    named, _, weights = _listed()
    notice = (numbers >= len(PHRASES)) & (numbers < len(PHRASES) + len(NOTICES))
    phrases = np.bincount(rows[numbers < len(PHRASES)], minlength=texts)
    logits = named["bias"] + np.bincount(rows, weights=weights[numbers], minlength=texts)
    logits += named[NOTICE_STEP] * (np.bincount(rows[notice], minlength=texts) > 0)
    for step, name in enumerate(PHRASE_STEPS):
        logits += named[name] * (phrases > step)
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -40, 40))), phrases


def is_licence(text: str) -> bool:
    """Whether a text is without doubt a licence or its header: two different phrases, notices among them."""
    words = plain(text)
    return sum(f" {phrase} " in words for phrase in (*PHRASES, *NOTICES)) >= 2
