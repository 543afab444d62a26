"""What the screen knows of the session: frozen copies, sent over after every command, so that it never reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.analysis.tour import TourPage
    from ...engine.commands.session import Session
    from ...engine.debugger.cursor import Breakpoint
    from ...engine.program.program import Program
    from ...engine.program.stage import Shape
    from ...engine.program.tokens import Tokens


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What is debugged; another one only when another text, model or recording is opened. Safe to read anywhere.

    Attributes:
        program: the stages, immutable.
        tokens: what went in.
        shapes: of every stage's value.
        about: facts for people: model, family, device, dtype.
        live: whether values can be computed and changed.
    """

    program: Program
    tokens: Tokens
    shapes: Mapping[str, Shape]
    about: Mapping[str, str]
    live: bool = False

    def size(self, stage: str, axis: str) -> int:
        """Length of one axis of a stage's value, 0 where it has no such axis."""
        axes = self.program[stage].axes
        return self.shapes[stage][axes.index(axis)] if axis in axes else 0


@dataclass(frozen=True, slots=True)
class Fork:
    """One of the runs of a session.

    Attributes:
        number: 0 for the original; depth: how many forks lie between it and the original.
        done: its patches, but for those at the beginning that its parent has as well.
    """

    number: int
    depth: int
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where the debugger stands, as of the last command.

    Attributes:
        world: what it stands in.
        cursor: index of the stage that ran last, -1 before the first; furthest: the furthest it has been.
        breakpoints: in order of their numbers.
        patched: stages whose value was put there by hand.
        generation: the session's: grows whenever values seen before may no longer hold.
        watched: what each watch is worth at the cursor, by its number.
        fork: number of the fork that is looked at, 0 for the original; forks: all of them, each before those that were forked from it.
        stale: stages whose value was computed and no longer holds.
        compared: how often this session was compared with something.
        peeked: stages that have not run and can be looked at all the same.
        tour: the stop of the guided tour one is at; None outside it.
    """

    world: World
    cursor: int = -1
    furthest: int = -1
    breakpoints: tuple[Breakpoint, ...] = ()
    patched: frozenset[str] = field(default_factory=frozenset)
    generation: int = 0
    watched: Mapping[int, str] = field(default_factory=dict)
    fork: int = 0
    forks: tuple[Fork, ...] = ()
    stale: frozenset[str] = field(default_factory=frozenset)
    compared: int = 0
    peeked: frozenset[str] = field(default_factory=frozenset)
    tour: TourPage | None = None

    @property
    def stage(self) -> str:
        """Name of the stage under the cursor, "" before the first."""
        return self.world.program[self.cursor].name if self.cursor >= 0 else ""


def look(session: Session, before: Position | None) -> Position:
    """Copy what the screen needs; for the engine's thread, right after a command.

    Args:
        before: the copy made before; its world is kept if it is still the one.
    """
    from ...engine.program.trace import LiveTrace

    trace, debugger = session.trace, session.debugger
    world = before.world if before else None
    if world is None or world.program is not trace.program or world.tokens is not trace.tokens:
        world = World(trace.program, trace.tokens, dict(trace.shapes), dict(trace.about), isinstance(trace, LiveTrace))
    points = tuple(debugger.breakpoints[number] for number in sorted(debugger.breakpoints))
    return Position(
        world,
        debugger.position,
        debugger.furthest,
        points,
        trace.patched,
        session.generation,
        {point.number: _worth(point, session) for point in points if point.watch is not None},
        session.branches.current.number,
        forks_of(session),
        trace.stale,
        session.compared,
        session.peeked,
        _tour(session),
    )


def _tour(session: Session) -> TourPage | None:
    """The page of the guided tour, where the learner is on it."""
    if session.tour is None:
        return None
    from ...engine.analysis.tour import page_of, stops_of

    stops = stops_of(session.trace.program)
    return page_of(session.trace, stops, session.tour) if session.tour.stop < len(stops) else None


def forks_of(session: Session) -> tuple[Fork, ...]:
    """The tree of forks, from the original down."""
    found: list[Fork] = []

    def add(parent: int | None, depth: int, above: tuple[str, ...]) -> None:
        for branch in session.branches.branches.values():
            if branch.parent == parent:
                patches = tuple(patch.text for patch in getattr(branch.trace, "patches", ()))
                both = zip(patches, above, strict=False)
                shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
                found.append(Fork(branch.number, depth, patches[shared:]))
                add(branch.number, depth + 1, patches)

    add(None, 0, ())
    return tuple(found)


def _worth(point: Breakpoint, session: Session) -> str:
    from ...engine.debugger.watches import write_watched
    from ...engine.messages.errors import InputError, one_line

    stage = session.debugger.stage
    try:
        return write_watched(point.watch.value(session.trace, stage) if point.watch and stage else None)
    except InputError as error:
        return one_line(error)
