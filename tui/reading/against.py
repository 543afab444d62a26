"""What there is to say of a stage beside its reference, before a number of either is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..drawing.text import plain

if TYPE_CHECKING:
    from ...engine.analysis.compare import Alignment, Comparison, Difference, Reference
    from ...engine.commands.session import Session

NO_PARTNER = "∅"


@dataclass(frozen=True, slots=True)
class Against:
    """What a stage is held against, and how it stands.

    Attributes:
        title: the reference, as it was typed; number: how many were compared before, and it.
        refused: why this stage cannot be compared; "" when it can.
        tokens: labels of rows and columns: both tokens where they differ.
        alone: for each text, places of tokens that have no partner; None where all have.
        figures: largest, mean and relative difference and so on, the most important first.
        verdict: whether it is beyond tolerance, and which stage is the first that is.
        beyond: whether it is.
        notes: what was paired though different, what has no partner.
    """

    title: str
    number: int
    refused: str = ""
    tokens: tuple[tuple[str, ...], ...] = ()
    alone: tuple[tuple[int, ...], ...] | None = None
    figures: tuple[str, ...] = ()
    verdict: str = ""
    beyond: bool = False
    notes: tuple[str, ...] = ()


def against_of(session: Session, stage: str) -> Against | None:
    """What a stage is held against; None before anything was compared. Runs on the engine's thread, computes nothing."""
    from ...engine.analysis.compare import align
    from ...engine.analysis.compare.align import patched_tokens
    from ...engine.messages.errors import InputError, one_line

    reference = session.reference
    if reference is None:
        return None
    if reference.trace is session.trace:
        return Against(
            reference.title, session.compared, f"this run is {reference.title} itself: compare it with another"
        )
    try:
        reference.difference(session.trace, stage)
    except InputError as error:
        return Against(reference.title, session.compared, one_line(error))
    current = reference.ours is session.trace
    alignment = (
        reference.alignment if current else align(patched_tokens(session.trace), patched_tokens(reference.trace))
    )
    tokens, alone = _labels(_Held(alignment))
    figures, verdict, beyond = _judged(session, reference, stage, current)
    return Against(reference.title, session.compared, "", tokens, alone, figures, verdict, beyond, _notes(alignment))


def _notes(alignment: Alignment) -> tuple[str, ...]:
    """What has no partner comes first: pairs of different tokens are seen on the labels."""
    notes = [note.removeprefix("text 0: ") if len(alignment.pairs) == 1 else note for note in alignment.notes()]
    return tuple(sorted(notes, key=lambda note: "paired" in note))


class _Held:
    """An alignment that is told from others by which object it is."""

    def __init__(self, alignment: Alignment) -> None:
        self.alignment = alignment

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.alignment is self.alignment

    def __hash__(self) -> int:
        return id(self.alignment)


@lru_cache(maxsize=2)
def _labels(held: _Held) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[int, ...], ...] | None]:
    """Tokens as both sides call them, and where there is only one side."""
    alignment = held.alignment
    ours, theirs = alignment.ours.strings, alignment.theirs.strings
    rows = [[plain(word) for word in row] for row in ours]
    alone = [set(range(len(row))) for row in ours]
    for pair in alignment.pairs:
        for mine, other in zip(pair.ours.tolist(), pair.theirs.tolist(), strict=True):
            alone[pair.row].discard(mine)
            if ours[pair.row][mine] != theirs[pair.other][other]:
                rows[pair.row][mine] += f"≠{plain(theirs[pair.other][other])}"
    if alignment.same:
        return tuple(map(tuple, rows)), None
    for row, places in enumerate(alone):
        for place in places:
            rows[row][place] += f"≠{NO_PARTNER}"
    return tuple(map(tuple, rows)), tuple(tuple(sorted(places)) for places in alone)


def _judged(session: Session, reference: Reference, stage: str, current: bool) -> tuple[tuple[str, ...], str, bool]:
    """Figures, verdict, and whether it is beyond tolerance."""
    comparison = reference.comparison
    row = next((row for row in comparison.rows if row.name == stage), None) if comparison else None
    if comparison is None or row is None:
        return (), "", False
    if not current or reference.generation != session.generation:
        return (), f"values have changed since: `compare {reference.title}` again for figures", False
    return _figures(row), _verdict(row, comparison), row.beyond


def _figures(row: Difference) -> tuple[str, ...]:
    if not row.dtype:
        return (f"{row.differing:,} of {row.count:,} differ",)
    found = [
        f"largest {row.largest:.3g}",
        f"mean {row.mean:.3g}",
        f"relative {row.relative:.3g}",
        f"{row.ulps:.3g} ulps",
    ]
    if row.added is not None and row.inherited is not None:
        found += [f"added {row.added:.3g}", f"inherited {row.inherited:.3g}"]
    odd = ((row.nan, "NaN"), (row.inf, "infinite"), (row.hidden, "masked"))
    return (*(f"{count:,} {what} on one side" for count, what in odd if count), *found)


def _verdict(row: Difference, comparison: Comparison) -> str:
    first = comparison.first
    if not row.differing and not row.unlike:
        said = "equal to the last bit"
    elif not row.beyond:
        said = f"within tolerance {row.tolerance:.2g}"
    elif row is first:
        return f"✗ the first stage beyond tolerance {row.tolerance:.2g}"
    else:
        said = f"✗ beyond tolerance {row.tolerance:.2g}"
    return f"{said}; first: {first.name} (D)" if first is not None else f"{said}; no stage is beyond"
