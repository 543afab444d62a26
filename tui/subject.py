"""What the inspector knows of the stage it shows before it has read a single number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .against import Against, against_of

if TYPE_CHECKING:
    from ..engine.session import Session

Place = Literal["here", "done", "ahead"]


@dataclass(frozen=True, slots=True)
class Subject:
    """One stage, as the screen needs it: facts and words, no numbers, no torch.

    Attributes:
        stage: canonical name; shape, axes, dtype: of its value.
        formula: with names; formula_of_shapes: the same with shapes.
        tokens: the tokens' strings, `tokens[batch][token]`.
        labels: names of the places along the axis `label`.
        place: where it lies from the debugger's cursor: under it, behind it or ahead of it.
        readable: whether there are numbers: it has run once, and the recording holds it.
        missing: whether it has run but the recording does not hold it.
        patched: whether its value was put there by hand.
        generation: the session's, when this was written; numbers of another generation are not this stage's.
        nearest_with_heads: the nearest stage whose value has a head axis; "" when no stage has.
        against: what it was compared with; None before anything was.
    """

    stage: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    dtype: str = "float32"
    formula: str = ""
    formula_of_shapes: str = ""
    tokens: tuple[tuple[str, ...], ...] = ()
    place: Place = "done"
    readable: bool = True
    missing: bool = False
    patched: bool = False
    generation: int = 0
    nearest_with_heads: str = ""
    against: Against | None = None
    labels: tuple[str, ...] = ()

    def size(self, axis: str) -> int:
        """Size of an axis; 0 when the value has no such axis."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 0


def subject_of(session: Session, stage_name: str) -> Subject:
    """What there is to know of a stage, gathered on the engine's thread. Computes nothing.

    Args:
        session: whose cursor says what is done and what is ahead.
        stage_name: canonical.
    """
    trace, debugger = session.trace, session.debugger
    value = trace.value(stage_name)
    position = trace.program.index(stage_name)
    place: Place = "here" if position == debugger.position else "done" if position < debugger.position else "ahead"
    reached, held = position <= debugger.furthest, trace.has(stage_name)
    formula, formula_of_shapes = trace.formulas(stage_name)
    return Subject(
        stage_name,
        tuple(value.shape),
        tuple(value.axes),
        value.dtype,
        formula,
        formula_of_shapes,
        tuple(tuple(row) for row in (value.tokens or trace.tokens.strings)),
        place,
        reached and held,
        reached and not held,
        stage_name in trace.patched,
        session.generation,
        _nearest_with_heads(session, position),
        against_of(session, stage_name),
        tuple(value.labels),
    )


def _nearest_with_heads(session: Session, position: int) -> str:
    program = session.trace.program
    found = [place for place, stage in enumerate(program) if "head" in stage.axes]
    # of two as near, the one in the same layer is meant
    here = program[position].layer
    best = min(found, key=lambda place: (program[place].layer != here, abs(place - position)), default=None)
    return program[best].name if best is not None else ""
