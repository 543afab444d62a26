"""What the screen is told of the session after every command."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from ...engine.program.position_table import table_rows
from ..state.position import Fork, Position, World
from .comparison import compared_of

if TYPE_CHECKING:
    from ...engine.analysis.tour import TourPage
    from ...engine.commands.session import Session
    from ...engine.debugger.breakpoints import Breakpoint
    from ...engine.program.stage import Shape
    from ...engine.program.trace import Trace


def look(session: Session, before: Position | None) -> Position:
    """Copy what the screen needs; for the engine's thread, right after a command.

    Args:
        before: the copy made before; its world is kept if it is still the one.
    """
    trace, debugger = session.trace, session.debugger
    world = before.world if before else None
    if world is None or world.program is not trace.program or world.inputs is not trace.inputs:
        world = world_of(trace)
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
        compared_of(session, before),
        _tour(session),
    )


def world_of(trace: Trace) -> World:
    """Copy what holds as long as this trace is looked at. Computes nothing."""
    from ...engine.program.trace import LiveTrace
    from ...engine.traces.recorded_values import LeftOutValue

    names = [stage.name for stage in trace.program]
    values = {name: trace.value(name) for name in names}
    return World(
        trace.program,
        trace.inputs,
        dict(trace.shapes),
        dict(trace.about),
        isinstance(trace, LiveTrace),
        {name: value.dtype for name, value in values.items()},
        frozenset(name for name in names if trace.has(name)),
        {name: trace.formulas(name) for name in names},
        dict(trace.weight_shapes),
        _tables(trace) if isinstance(trace, LiveTrace) else {},
        tuple(tuple(map(int, row)) for row in trace.tokens.positions),
        trace.assurances,
        {name: value.left_out for name, value in values.items() if isinstance(value, LeftOutValue)},
    )


def _tables(trace: Trace) -> dict[str, tuple[Shape, bool]]:
    """The shape of every table of positions, and whether it has all that the model has."""
    tokens = trace.tokens.shape[1]
    having = (stage for stage in trace.program if stage.card.by_position)
    return {
        stage.name: (trace.table_value(stage).shape, table_rows(stage, trace.longest, tokens)[1]) for stage in having
    }


def _tour(session: Session) -> TourPage | None:
    """The page of the guided tour, where the learner is on it."""
    if session.tour is None:
        return None
    from ...engine.analysis.tour import page_of, stops_of
    from ...engine.program.trace import LiveTrace

    trace = session.trace
    stops = stops_of(trace.program)
    on_it = session.tour.stop < len(stops)
    return page_of(trace, stops, session.tour) if on_it and isinstance(trace, LiveTrace) else None


def forks_of(session: Session) -> tuple[Fork, ...]:
    """The tree of forks, from the original down."""
    forks: list[Fork] = []

    def add(parent: int | None, depth: int, above: tuple[str, ...]) -> None:
        for branch in session.branches.branches.values():
            if branch.parent == parent:
                patches = tuple(patch.text for patch in getattr(branch.trace, "patches", ()))
                both = zip(patches, above, strict=False)
                shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
                forks.append(Fork(branch.number, depth, patches[shared:]))
                add(branch.number, depth + 1, patches)

    add(None, 0, ())
    return tuple(forks)


def _worth(point: Breakpoint, session: Session) -> str:
    from ...engine.debugger.watches import write_watched
    from ...engine.messages.errors import InputError, one_line

    stage = session.debugger.stage
    try:
        return write_watched(point.watch.value(session.trace, stage) if point.watch and stage else None)
    except InputError as error:
        return one_line(error)
