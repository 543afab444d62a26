"""A session as a script: the command lines that bring another one to where this one is.

What was changed is done again in the order it was done in, since a value may be borrowed from a fork as that was then. Cursor
and breakpoints are written as they stand, fork by fork: how often each stopped on the way there does not matter any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..debugger.breakpoints import Breakpoint
from ..debugger.cursor import START, Debugger

if TYPE_CHECKING:
    from .session import Session

BROKEN = "# what follows had line breaks in it, which a script cannot hold; they are spaces here"


def script(session: Session) -> list[str]:
    """The command lines, in order. Breakpoints are numbered anew, without the gaps that deleted ones left."""
    lines = [line for done in session.done for line in _on_one_line(done)]
    here = session.branches.current  # where the lines so far leave one
    others = [branch for branch in session.branches.branches.values() if branch is not here]
    away = False
    for branch in (*others, here):
        stands = [*_moves(branch.debugger), *_stops(branch.debugger)]
        if branch is here:
            lines += [f"switch {here.number}"] * away
        elif stands:
            lines.append(f"switch {branch.number}")
            away = True
        lines += stands
    return lines


def _on_one_line(line: str) -> list[str]:
    parts = line.splitlines()
    return [line] if len(parts) < 2 else [BROKEN, " ".join(parts)]


def _moves(debugger: Debugger) -> Iterator[str]:
    """To as far as it has been, and back to where it is."""
    if debugger.furthest > debugger.position:
        yield f"goto {debugger.trace.program[debugger.furthest].name}"
    if debugger.furthest > START:
        yield f"goto {debugger.stage.name if debugger.stage else 'start'}"


def _stops(debugger: Debugger) -> Iterator[str]:
    for number, point in enumerate(debugger.breakpoints.values(), 1):
        yield _set(point)
        if point.ignore:
            yield f"ignore {number} {point.ignore}"
        if not point.enabled:
            yield f"disable {number}"


def _set(point: Breakpoint) -> str:
    if point.watch is not None:
        return f"watch {point.watch.text}"
    return f"{'tbreak' if point.temporary else 'break'} {point}"
