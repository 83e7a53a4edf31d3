"""What a category is, the rows it looks at, and the evidence it hands back.

Evidence comes first and stays in its own columns; the primary label is the first category, in precedence order,
whose evidence holds. So a reader who disagrees with the precedence can still decide from the columns.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from metrics.metric import Column


@dataclass(frozen=True)
class Rows:
    """N texts to be labelled.

    Attributes:
        texts: The decoded sequences; windows of a longer text, cut anywhere.
        duplicates: How often each occurs in the training corpus, -1 where unknown.
        include_attribution: Take personal data in licence and authorship headers for harmful, too.
        may_hold: For each category with a `prefilter`, N booleans: whether the row passes it. The others have nothing
            that the category's `find` could find.
        names: Finds people's names in texts, for those who have a model for it; None leaves it to patterns.
    """

    texts: Sequence[str]
    duplicates: Sequence[int]
    include_attribution: bool = False
    may_hold: Mapping[str, Sequence[bool]] = field(default_factory=dict)
    names: Callable[[Sequence[str]], Sequence[Sequence[Span]]] | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of a text that identifies a person or grants access.

    Attributes:
        type: What it is: `EMAIL`, `PERSON`, `PHONE`, `PRIVATE_KEY`, ...
        start, end: Character offsets into the text, end exclusive.
        score: Confidence in [0, 1]; only spans of at least `LIKELY` decide a label.
        why: The pattern that found it and what validated it, without any of the text.
    """

    type: str
    start: int
    end: int
    score: float
    why: str

    def as_dict(self) -> dict[str, object]:
        """The columns' form: type, start, end, score, why."""
        return {"type": self.type, "start": self.start, "end": self.end, "score": self.score, "why": self.why}


LIKELY = 0.5
SPANS_TYPE = "list<struct<type:string,start:int32,end:int32,score:float32,why:string>>"


@dataclass(frozen=True)
class Evidence:
    """What one category found in N rows.

    Attributes:
        holds: N booleans: the row may be labelled with the category.
        columns: The evidence columns by name, N values each.
        why: N short sentences that give the reason where `holds`; they never quote the text.
    """

    holds: Sequence[bool]
    columns: Mapping[str, Sequence[object]]
    why: Sequence[str]


@dataclass(frozen=True)
class Category:
    """A category of text.

    Attributes:
        name: The label.
        harmful: Reciting it harms somebody.
        description: One sentence for tables and documentation.
        columns: The evidence columns that `find` fills, in order.
        find: Looks at all rows of a batch.
        prefilter: Regular expressions for RE2, of which one at least is found in every row in which `find` could find
            something (see `metrics.categories.prefilters`); none where all rows must be looked at.
    """

    name: str
    harmful: bool
    description: str
    columns: tuple[Column, ...]
    find: Callable[[Rows], Evidence]
    prefilter: tuple[str, ...] = ()


def without_overlaps(spans: Sequence[Span]) -> list[Span]:
    """The spans in order of their start; where two overlap the surer one stays, of equally sure ones the longer."""
    kept: list[Span] = []  # in the order of their starts, which is that of their ends, too
    for span in sorted(spans, key=lambda span: (-span.score, span.start - span.end, span.start)):
        place = bisect(kept, span.start, key=lambda other: other.start)
        if (place == 0 or kept[place - 1].end <= span.start) and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


def reasons(spans: Sequence[Span]) -> str:
    """One sentence on the likely spans, each type once with its best score: `EMAIL 0.95 (address of ...)`."""
    best: dict[str, Span] = {}
    for span in spans:
        if span.score >= LIKELY and (span.type not in best or span.score > best[span.type].score):
            best[span.type] = span
    return "; ".join(f"{span.type} {span.score:.2f} ({span.why})" for span in best.values())
