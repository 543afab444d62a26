"""The cursor: motion in both directions over a straight-line program, and where it stops.

The cursor stands *on* the last stage that ran, whose value can be looked at; before the first it is at -1. Moving back
undoes nothing: a stage's value depends on its inputs alone, so it is the same whichever way it is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..messages.errors import InputError, Interrupted
from ..program.element import Place
from ..program.source_lines import is_line
from ..program.stage import Stage
from ..program.trace import Trace
from .breakpoints import Breakpoint, Condition, Watched, written
from .cancel import never
from .parts import Part, blocks, part_end, part_start, rooms

START = -1


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a motion ended and why.

    Attributes:
        position: index of the stage; -1 before the first.
        stage: that stage; None before the first.
        reason: `step` (it went where it was told), `breakpoint`, `end`, `start`, `interrupt`.
        breakpoint: the one that stopped it.
        held: what made its condition true.
        place: the element or the row of the stage's value that did; () where it is all of it.
    """

    position: int
    stage: Stage | None
    reason: str
    breakpoint: Breakpoint | None = None
    held: str = ""
    place: Place = ()


class Debugger:
    """A cursor over a trace, with breakpoints.

    Args:
        trace: a run or a recording.
        stopped: whether the motion that is under way is to stop; asked before every stage.
    """

    def __init__(self, trace: Trace, stopped: Callable[[], bool] = never) -> None:
        self.trace = trace
        self._stopped = stopped
        self.moves = False
        self.position = START
        self.furthest = START
        self.breakpoints: dict[int, Breakpoint] = {}
        self.held = False  # by a breakpoint, since the last motion
        self.place: Place = ()  # what the last stop named of the value under the cursor
        self._watched: dict[int, float | bool] = {}
        self._numbers = 0
        self._past: list[int] = []
        self._future: list[int] = []

    def over(self, trace: Trace) -> Debugger:
        """Another debugger at the same place with the same breakpoints, over another trace of the same program."""
        other = Debugger(trace, self._stopped)
        other.position, other.furthest, other.place = self.position, self.furthest, self.place
        other.breakpoints, other._numbers = dict(self.breakpoints), self._numbers
        return other

    @property
    def stage(self) -> Stage | None:
        """The stage under the cursor; None before the first."""
        return self.trace.program.stages[self.position] if self.position >= 0 else None

    @property
    def last(self) -> int:
        """Position of the last stage."""
        return len(self.trace.program) - 1

    # -- motion ------------------------------------------------------------------------------------------------

    def step(self, count: int = 1) -> Stop:
        """Run the next `count` stages, or fewer where a breakpoint or the end comes first."""
        return self._run_to(self.position + count)

    def reverse_step(self, count: int = 1) -> Stop:
        """Go back `count` stages, or fewer where a breakpoint or the start comes first."""
        return self._run_to(self.position - count)

    def next(self, count: int = 1) -> Stop:
        """Run the rest of the current block: all of `layers.0.attention`, of `layers.0.ffn`; of somebody's own code, of the line."""
        return self._by_part(blocks(self.trace.program), count)

    def reverse_next(self, count: int = 1) -> Stop:
        """Go back to before the current block, or line."""
        return self._by_part(blocks(self.trace.program), -count)

    def finish(self, count: int = 1) -> Stop:
        """Run the rest of the current layer (or of the embeddings, or of the head); of somebody's own code, of the module."""
        return self._by_part(rooms(self.trace.program), count)

    def reverse_finish(self, count: int = 1) -> Stop:
        """Go back to before the current layer, or module."""
        return self._by_part(rooms(self.trace.program), -count)

    def cont(self) -> Stop:
        """Run to the next breakpoint or the end."""
        return self._run_to(self.last)

    def reverse_cont(self) -> Stop:
        """Go back to the previous breakpoint or the start."""
        return self._run_to(START)

    def until(self, name: str) -> Stop:
        """Run, forwards or backwards, to a stage, stopping at breakpoints on the way."""
        return self._run_to(self.position_of(name))

    def position_of(self, name: str) -> int:
        """The place of the stage that is meant; of a line of source, where it is passed next, or was passed last.

        Raises:
            InputError: no such stage, or several.
        """
        program = self.trace.program
        ends = program.line_ends(name) if name not in program else []
        ahead = [place for place in ends if place > self.position]
        return ahead[0] if ahead else ends[-1] if ends else program.index(program.resolve(name))

    def goto(self, position: int) -> Stop:
        """Move to a position in either direction without stopping on the way; -1 is before the first stage."""
        self._remember()
        self._arrive(max(START, min(position, self.last)))
        return self._stop("step")

    def back(self) -> Stop:
        """Return to where the cursor was before its last motion."""
        return self._recall(self._past, self._future, "the first place the cursor was")

    def forward(self) -> Stop:
        """Undo a `back`."""
        return self._recall(self._future, self._past, "the last place the cursor was")

    def _by_part(self, parts: Sequence[Part], count: int) -> Stop:
        position = self.position
        for _ in range(min(abs(count), len(parts))):
            position = part_end(parts, position) if count > 0 else part_start(parts, position)
        return self._run_to(position if count and position != self.position else self.position + count)

    def _run_to(self, target: int) -> Stop:
        """Walk to `target` (clipped to the program), stopping where a breakpoint holds: the one idea of motion."""
        start, end = self.position, max(START, min(target, self.last))
        if end == start:
            return self._stop("end" if start == self.last else "start" if start == START else "step")
        self._remember()
        self.moves = True
        try:
            return self._walk(start, end)
        finally:
            self.moves = False

    def _walk(self, start: int, end: int) -> Stop:
        step = 1 if end > start else -1
        ahead = start  # how far stages have been run so that they can be looked at together
        for position in range(start + step, end + step, step):
            if self._stopped():
                return self._stop("interrupt")
            if position > ahead and step > 0 and self.breakpoints:
                ahead = self.trace.reach_ahead(position, end)
            before = self.position
            try:
                self._arrive(position, reached=position <= ahead)
                stop = self._hit()
            except Interrupted:  # not arrived there: whoever goes on comes to it again
                self.position = before
                return self._stop("interrupt")
            if stop:
                return stop
        return self._stop("end" if end == self.last else "start" if end == START else "step")

    def _arrive(self, position: int, *, reached: bool = False) -> None:
        if position >= 0 and not reached:
            self.trace.reach(position)
        self.position = position
        self.furthest = max(self.furthest, position)

    def _stop(self, reason: str, hit: Breakpoint | None = None, held: str = "") -> Stop:
        self.held, self.place = hit is not None, ()
        return Stop(self.position, self.stage, reason, hit, held)

    def _remember(self) -> None:
        self._past.append(self.position)
        self._future.clear()

    def _recall(self, source: list[int], other: list[int], limit: str) -> Stop:
        if not source:
            raise InputError(f"already at {limit}")
        other.append(self.position)
        self._arrive(source.pop())
        return self._stop("step")

    # -- breakpoints -------------------------------------------------------------------------------------------

    def add(
        self,
        pattern: str,
        condition: Condition | None = None,
        *,
        watch: Watched | None = None,
        temporary: bool = False,
    ) -> Breakpoint:
        """Set a breakpoint on every stage a name or glob means; with `watch`, one that stops where that changes.

        On a line of source it stops where the line has run; a condition is asked of every stage of the line.

        Raises:
            InputError: nothing is called that; the message suggests the nearest names.
        """
        stages = self.stops(pattern) if condition is None and watch is None else self._meant(pattern)
        self._numbers += 1
        made = Breakpoint(self._numbers, pattern.strip(), stages, condition, watch, temporary)
        self.breakpoints[made.number] = made
        return made

    def stops(self, pattern: str) -> frozenset[str]:
        """Where a breakpoint without a condition stops: at every stage that is meant, of a line where each passage of it ends.

        Raises:
            InputError: nothing is called that.
        """
        stages, program = self._meant(pattern), self.trace.program
        ends = program.line_ends(pattern) if is_line(pattern.strip()) and pattern.strip() not in program else ()
        return frozenset(program[place].name for place in ends) or stages

    def _meant(self, pattern: str) -> frozenset[str]:
        return frozenset(self.trace.program.expect(pattern))

    def delete(self, number: int) -> Breakpoint:
        """Take a breakpoint away.

        Raises:
            InputError: there is none of that number.
        """
        self._known(number)
        return self.breakpoints.pop(number)

    def change(self, number: int, *, enabled: bool | None = None, ignore: int | None = None) -> Breakpoint:
        """Switch a breakpoint on or off, or let it pass `ignore` times."""
        before = self._known(number)
        enabled = before.enabled if enabled is None else enabled
        self.breakpoints[number] = replace(before, enabled=enabled, ignore=before.ignore if ignore is None else ignore)
        return self.breakpoints[number]

    def at(self, name: str) -> list[Breakpoint]:
        """The breakpoints set on a stage."""
        return [point for point in self.breakpoints.values() if name in point.stages]

    def _known(self, number: int) -> Breakpoint:
        if number not in self.breakpoints:
            raise InputError(f"no breakpoint number {number}; there are {_list(self.breakpoints)}")
        return self.breakpoints[number]

    def _hit(self) -> Stop | None:
        """The stop that a breakpoint asks for at the cursor, after counting it."""
        stage = self.stage
        if stage is None:
            return None
        for point in list(self.breakpoints.values()):
            if not point.enabled or stage.name not in point.stages:
                continue
            held = self._held(point, stage)
            if held is None:
                continue
            if point.ignore:
                self.breakpoints[point.number] = replace(point, ignore=point.ignore - 1)
                continue
            counted = replace(point, hits=point.hits + 1)
            if point.temporary:
                del self.breakpoints[point.number]
            else:
                self.breakpoints[point.number] = counted
            stop = self._stop("breakpoint", counted, held)
            self.place = point.condition.place(self.trace, stage) if point.condition is not None else ()
            return replace(stop, place=self.place)
        return None

    def _held(self, point: Breakpoint, stage: Stage) -> str | None:
        """What makes a breakpoint stop at a stage, for people; None when it does not."""
        if point.condition is not None:
            return point.condition.holds(self.trace, stage) or None
        if point.watch is None:
            return ""
        made = point.watch.made
        now = point.watch.value(self.trace, stage) if made in ("", stage.name) else None
        if now is None:
            return None
        before = self._watched.get(point.number)
        self._watched[point.number] = now
        if before is not None and before != now:
            return f"{point.watch.text}: {written(before)} -> {written(now)}"
        # a named value appears when its stage runs; a figure of every stage has no beginning
        return f"{point.watch.text} = {written(now)}" if made else None


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
