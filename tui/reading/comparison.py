"""How all stages stand beside what they were last compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ...engine.program.faces import faces_of
from ..drawing.text import plain
from ..state.comparison import Compared, PlacesOfTexts, StringsOfTexts

if TYPE_CHECKING:
    from ...engine.analysis.compare import Alignment, Reference
    from ...engine.commands.session import Session
    from ..state.position import Position

NO_PARTNER = "∅"


def compared_of(session: Session, before: Position | None) -> Compared | None:
    """The last comparison as the screen needs it; None before there was one. Computes nothing.

    Args:
        before: the copy made before; what it knows is kept if nothing has changed since.
    """
    from ...engine.analysis.compare import align
    from ...engine.analysis.compare.align import patched_inputs

    reference, trace = session.reference, session.trace
    if reference is None:
        return None
    known = before.compared if before is not None else None
    if (
        known is not None
        and before is not None
        and (before.generation, known.number) == (session.generation, session.compared)
    ):
        return known
    if reference.trace is trace:
        return Compared(reference.title, session.compared, itself=True)
    current = reference.ours is trace
    alignment = reference.alignment if current else align(patched_inputs(trace), patched_inputs(reference.trace))
    labels = {name: _labels(_Held(each)) for name, each in alignment.every.items()}
    alone = None if alignment.same else {name: lonely for name, (_, lonely) in labels.items()}
    comparison = reference.comparison
    beside, refused = _beside(session, replace(reference, ours=trace, alignment=alignment))
    return Compared(
        reference.title,
        session.compared,
        False,
        refused,
        {name: tokens for name, (tokens, _) in labels.items()},
        alone,
        _notes(alignment),
        {row.name: row for row in comparison.rows} if comparison else {},
        comparison.first if comparison else None,
        current and reference.generation == session.generation,
        beside,
    )


def _beside(session: Session, reference: Reference) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The dtype of what a comparison puts beside each stage; why it cannot be compared, for those that cannot."""
    from ...engine.messages.errors import InputError, one_line

    beside: dict[str, dict[str, str]] = {}
    refused: dict[str, str] = {}
    for stage in session.trace.program:
        try:
            every = reference.beside(session.trace, stage)
            beside[stage.name] = {what: made().dtype for what, made in every.items()}
        except InputError as error:
            refused[stage.name] = one_line(error)
    return beside, refused


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


@lru_cache(maxsize=8)
def _labels(held: _Held) -> tuple[StringsOfTexts, PlacesOfTexts]:
    """Tokens as both sides call them, and where there is only one side."""
    alignment = held.alignment
    ours, theirs = alignment.ours.strings, alignment.theirs.strings
    faces = faces_of(alignment.theirs)
    rows = [[plain(word) for word in row] for row in faces_of(alignment.ours)]
    alone = [set(range(len(row))) for row in ours]
    for pair in alignment.pairs:
        beside: Iterable[tuple[int, int]] = zip(pair.ours.tolist(), pair.theirs.tolist(), strict=True)
        for mine, other in beside:
            alone[pair.row].discard(mine)
            if ours[pair.row][mine] != theirs[pair.other][other]:
                rows[pair.row][mine] += f"≠{plain(faces[pair.other][other])}"
    if alignment.same:  # padding has its partner too
        return tuple(tuple(row) for row in rows), ((),) * len(rows)
    for row, places in enumerate(alone):
        for place in places:
            rows[row][place] += f"≠{NO_PARTNER}"
    return tuple(tuple(row) for row in rows), tuple(tuple(sorted(places)) for places in alone)
