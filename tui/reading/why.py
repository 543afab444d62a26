"""An explanation, made on the engine's thread: words, and the terms that are near the one that is chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...engine.messages.translation import said, tr, trn
from ..drawing.numbers import Aligned, Scalar, aligned_for, short

if TYPE_CHECKING:
    from ...engine.analysis.why import Explanation, Operand, Row, Terms
    from ...engine.commands.session import Session

TILE = 128


@dataclass(frozen=True, slots=True)
class Part:
    """One of the sums of an explanation.

    Attributes:
        title: "" for the number itself; of a part what it is and comes to.
        about: how many terms, and how many of them make most of it.
        count: of terms; first: of its terms, among those of all sums.
        largest: magnitude of the largest term; 0 where there are no shares to be told.
        format: how its values are written.
    """

    title: str
    about: str
    count: int
    first: int
    largest: float
    format: Aligned


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """Why a number is what it is, as a screen shows it.

    Attributes:
        index, number: the element, in its own dtype.
        place, name: what it is called, at length and shortly; formula: with its own indices.
        sums: how many terms, what they come to, how far that is from the number; brief: the same in few words; holds:
            whether rounding explains it.
        facts, notes: lines; names: what short names stand for.
        parts: the sums; start, rows: the terms at hand, from that one on, with the part each belongs to.
    """

    index: tuple[int, ...]
    number: Scalar
    place: str
    name: str
    formula: str
    sums: tuple[str, ...]
    brief: str
    holds: bool
    facts: str
    notes: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    start: int
    rows: tuple[tuple[int, Row], ...]

    @property
    def count(self) -> int:
        """How many terms there are in all sums."""
        return sum(part.count for part in self.parts)

    def row(self, term: int) -> tuple[int, Row] | None:
        """A term with its part; None where it is not at hand."""
        at = term - self.start
        return self.rows[at] if 0 <= at < len(self.rows) else None


def tile_of(term: int) -> tuple[int, int]:
    """Which terms to read when this one is chosen."""
    first = max(0, term // TILE - 1) * TILE
    return first, first + 3 * TILE


def read_why(session: Session, stage: str, index: tuple[int, ...], start: int, stop: int) -> Why:
    """Explain an element; of its terms only those from `start` to `stop` are made."""
    from ...engine.analysis.why import exactness, explain, write_culprit

    explanation = explain(session.trace, stage, index)
    parts: list[Part] = []
    rows: list[tuple[int, Row]] = []
    first = 0
    for number, sum_ in enumerate(explanation.sums):
        terms = sum_.terms
        parts.append(_part(sum_.title, terms, first))
        low, high = max(0, start - first), max(0, min(len(terms), stop - first))
        rows += [(number, row) for row in explanation.rows(number, low, high)] if low < high else []
        first += len(terms)
    notes = (*map(said, explanation.notes), *write_culprit(explanation, short, "follow"))
    sums, notes = (notes, ()) if explanation.by_hand else (tuple(exactness(explanation)), notes)
    return Why(
        explanation.index, np.asarray(session.trace.value(stage).read(explanation.index)).flat[0], explanation.place, explanation.short,
        explanation.formula, sums, brief_of(explanation), explanation.holds,
        "   ".join(f"{tr(name)} {short(number, 6)}" for name, number in explanation.facts.items()),
        notes, tuple(explanation.names.items()), tuple(parts), start, tuple(rows),
    )  # fmt: skip


def brief_of(explanation: Explanation) -> str:
    """How many terms, and how well they add up, in few words."""
    if explanation.by_hand:
        return tr("put here by hand")
    if explanation.sum is None:
        return ""
    count = len(explanation.terms)
    terms = trn(count, "{count} term", "{count} terms")
    if not explanation.difference:
        return f"{terms}, {tr('exactly the stored number')}"
    mark = "" if explanation.holds else "✗ "
    return f"{terms}, {tr('off by')} {explanation.difference:.2g} ({mark}{tr('may be')} {explanation.bound:.2g})"


def _part(title: str, terms: Terms, first: int) -> Part:
    from ...engine.analysis.why import write_count

    if title:
        title = said(title)
        title = f"{title} = {short(terms.total, 6)}" if "Σ" in title else title
    largest = abs(terms[0].value) if len(terms) > 1 and math.isfinite(terms.magnitude) else 0.0
    return Part(title, write_count(terms), len(terms), first, largest, aligned_for(terms.values))


def find_operand(
    session: Session, stage: str, index: tuple[int, ...], term: int, factor: int, number: int | None
) -> tuple[str, str, tuple[int, ...]]:
    """The operand to be followed, which can be looked at from now on. Runs on the engine's thread.

    Args:
        term, factor: which is chosen, as in `ViewState`.
        number: which was named instead, as `why` numbers them.

    Returns:
        What the number is called that it belongs to, its stage, its index.

    Raises:
        InputError: there is none, or nothing stands behind it.
    """
    name, operand = _operand(session, stage, index, term, factor, number)
    return name, operand.name, operand.index


def _operand(
    session: Session, stage: str, index: tuple[int, ...], term: int, factor: int, number: int | None
) -> tuple[str, Operand]:
    """The operand, and what the number is called that it belongs to; see `find_operand`."""
    from ...engine.analysis.why import explain
    from ...engine.messages.errors import InputError

    explanation = explain(session.trace, stage, index)
    if number is not None:
        return explanation.short, explanation.operand(number)
    for part, sum_ in enumerate(explanation.sums):
        if term < len(sum_.terms):
            row = explanation.rows(part, term, term + 1)[0]
            followed = [number for number in row.numbers if number]
            if followed:
                return explanation.short, explanation.operand(followed[min(factor, len(followed) - 1)])
            behind = " · ".join(operand.place for operand in row.term.factors) or row.term.how
            raise InputError(f"nothing to follow: {behind or 'this term'} comes from no other stage")
        term -= len(sum_.terms)
    raise InputError(f"{explanation.short} is no sum of terms, so there is nothing to follow")
