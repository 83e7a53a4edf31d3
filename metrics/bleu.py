"""Sentence BLEU exactly as sacreBLEU computes it by default, for many pairs at once.

`sacrebleu.sentence_bleu` runs the tokenizer's regular expressions over one short string at a time and counts n-grams in
dictionaries. Here the strings are one array of code points, in which every rule is a comparison with the neighbours,
and n-grams are whole numbers, counted for all pairs at once. The score takes the reference's operations in the
reference's order: the tests hold the two equal to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

import numpy as np

MAX_ORDER = 4

_PUNCTUATION = '{|}~[\\]^_`!"#$%&()*+:;<=>?@/'
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_MARK, _STOP, _DASH, _DIGIT, _OTHER = range(5)
_KINDS = np.full(129, _OTHER, dtype=np.uint8)  # of ASCII characters; 128 stands for all others
for _kind, _characters in ((_MARK, _PUNCTUATION), (_STOP, ".,"), (_DASH, "-"), (_DIGIT, "0123456789")):
    _KINDS[[ord(character) for character in _characters]] = _kind


def tokenize_13a(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text under mteval-v13a, sacreBLEU's default tokenization.

    Args:
        texts: N strings.

    Returns:
        N lists of words.

    >>> tokenize_13a(["Mr. Smith paid $3.50, twice."])
    [['Mr', '.', 'Smith', 'paid', '$', '3.50', ',', 'twice', '.']]
    """
    lines = []
    for text in texts:
        line = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        if "&" in line:
            for entity, character in _ENTITIES:
                line = line.replace(entity, character)
        # No rule reaches across the spaces at either end, so the lines can be rewritten as one text.
        lines.append(f" {line} ")
    return [line.split() for line in _spaced("\n".join(lines)).split("\n")] if lines else []


def _spaced(text: str) -> str:
    """The text with spaces around what is a word of its own; it starts and ends with a space.

    A mark is one, and so is a dash behind a digit. Of periods and commas the rules take two characters at a time: any
    but a digit and the stop behind it, then a stop and any but a digit behind it. In a run of stops the first rule thus
    takes every second one, the first of them where no digit stands before the run; the second rule takes all that are
    left but a last one with a digit behind it. That one still has a space before it where other stops do, as those
    have spaces around them.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kind = _KINDS[np.minimum(codes, 128)]
    before = kind == _MARK
    before[1:] |= (kind[1:] == _DASH) & (kind[:-1] == _DIGIT)
    after = before.copy()
    stops = np.flatnonzero(kind == _STOP)
    if stops.size:
        starts_run = np.diff(stops, prepend=-1) > 1
        first = stops[starts_run][np.cumsum(starts_run) - 1]
        index = stops - first  # in its run, from 0
        taken_first = (index % 2 == 0) != (kind[first - 1] == _DIGIT)
        kept = ~taken_first & (kind[stops + 1] == _DIGIT)
        before[stops] = ~kept | (index > 0)
        after[stops] = ~kept
    places = np.arange(len(codes)) + np.cumsum(before)
    places[1:] += np.cumsum(after[:-1])
    spaced = np.full(places[-1] + 1, ord(" "), dtype=np.uint32)  # the last character is a space, with none behind it
    spaced[places] = codes
    return spaced.tobytes().decode("utf-32-le", "surrogatepass")


def matching_ngrams(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> np.ndarray:
    """How many n-grams of each hypothesis occur in its reference, each no more often than it occurs there.

    Args:
        hypotheses: N lists of words.
        references: N lists of words.

    Returns:
        int64 [N, MAX_ORDER], the clipped counts for n = 1, 2, ...

    >>> matching_ngrams(["the the cat".split()], ["the cat sat".split()])
    array([[2, 1, 0, 0]])
    """
    N = len(hypotheses)
    words = list(chain.from_iterable(chain(hypotheses, references)))
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    word = np.fromiter(map(numbers.__getitem__, words), dtype=np.int64, count=len(words))
    lengths = np.fromiter(map(len, chain(hypotheses, references)), dtype=np.int64, count=2 * N)
    line = np.repeat(np.arange(2 * N), lengths)
    end = np.cumsum(lengths)[line]
    pair, in_reference = line % max(N, 1), line >= N
    matches = np.zeros((N, MAX_ORDER), dtype=np.int64)
    at = np.arange(len(words))  # where the n-grams start that may still match
    ngram = pair.copy()  # which n - 1 words start there, a number for each pair and n-gram
    for order in range(1, MAX_ORDER + 1):
        at = at[at + order <= end[at]]
        if not at.size:
            break
        kinds, same = np.unique(ngram[at] * len(words) + word[at + order - 1], return_inverse=True)
        theirs = in_reference[at]
        found = np.minimum(
            np.bincount(same[~theirs], minlength=len(kinds)), np.bincount(same[theirs], minlength=len(kinds))
        )
        owner = np.empty(len(found), dtype=np.int64)
        owner[same] = pair[at]
        matches[:, order - 1] = np.bincount(owner, weights=found, minlength=N)
        ngram[at] = same
        at = at[found[same] > 0]  # what does not match does not match with a word more
    return matches


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """SacreBLEU of each hypothesis against its one reference.

    BLEU = BP exp((1/4) sum_{n=1..4} log precision_n), signature
    `nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp`: the defaults of `sacrebleu.sentence_bleu`. A hypothesis of fewer
    than four words has as many orders as words; the i-th order without a match counts 2^-i matches.

    Args:
        hypotheses: N strings.
        references: N strings.

    Returns:
        float64 [N], percent, in [0, 100]. Papineni et al. 2002; Post 2018.

    Raises:
        ValueError: The two differ in length.

    >>> sentence_bleu(["the cat sat on the mat"], ["the cat sat on a mat"]).round(2)
    array([53.73])
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses but {len(references)} references; give one reference for each")
    ours, theirs = tokenize_13a(hypotheses), tokenize_13a(references)
    matches = matching_ngrams(ours, theirs)
    length = np.fromiter(map(len, ours), dtype=np.int64, count=len(ours))
    ngrams = np.maximum(length[:, None] - np.arange(MAX_ORDER), 1)
    smoothed = 2.0 ** np.cumsum(matches == 0, axis=1)
    precision = np.where(matches > 0, 100.0 * matches / ngrams, 100.0 / (smoothed * ngrams))
    # math, not numpy: their logarithms and exponentials differ in the last digit
    logs = list(map(math.log, precision.ravel().tolist()))
    scores = np.zeros(len(ours))
    for row in np.flatnonzero(matches[:, 0]).tolist():
        our_words, their_words = len(ours[row]), len(theirs[row])
        orders = min(our_words, MAX_ORDER)
        mean = sum(logs[row * MAX_ORDER : row * MAX_ORDER + orders]) / orders
        penalty = math.exp(1 - their_words / our_words) if our_words < their_words else 1.0
        scores[row] = min(penalty * math.exp(mean), 100.0)  # a perfect match comes out as 100.00000000000004
    return scores
