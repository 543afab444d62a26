"""One person's debugging: a trace, a cursor in it, and the model it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

from ..debugger.cancel import CancelToken
from ..debugger.cursor import Debugger
from ..debugger.forks import Forks
from ..messages.errors import InputError
from ..program.source_lines import is_line
from ..program.trace import Trace
from ..program.writing import Layout

if TYPE_CHECKING:
    from ..analysis.compare import Reference
    from ..analysis.tour import TourPlace
    from ..analysis.why import Explanation
    from ..models.encoder import Encoder

COMPARED = "compared"  # what a reference is called among what gives stages more values


class Session:
    """What commands act on.

    Args:
        trace: a run or a recording.
        encoder: the model of a live run; None when a recording is looked at.

    Attributes:
        generation: counts what made earlier values stale (another text, another recording), so that a view can tell
            whether what it was sent still holds.
        layout: how `print` writes tables.
        compared: how often it was compared with something.
        tour: where the learner stands in the guided tour; None outside it.
        done: the command lines that changed what is computed, in order, since what is looked at was opened.
        last: the command line that was run last, whatever came of it.
        why_path: the explanations that were followed one from another, the latest last.
        opened: when it was, in seconds since 1970.
        begun: the command line that begins such a session, its name first; () where none does.
        compared_line: what it was last compared with, as it was typed: `model './my port' tolerance 1e-5`.
        cancel: stops the order that is being carried out.
        tell: who is told in a line, before an order that takes long has ended, that it does.
        meanwhile: what is done during a motion, between two stages and while one that takes long is waited for: it may look at what is
            at hand and change nothing.
    """

    def __init__(self, trace: Trace, encoder: Encoder | None = None) -> None:
        self.encoder = encoder
        self.generation = 0
        self.layout = Layout()
        self._reference: Reference | None = None
        self.compared = 0
        self.done: list[str] = []
        self.last = ""
        self.why_path: list[Explanation] = []
        self.tour: TourPlace | None = None
        self.cancel = CancelToken()
        self.tell: Callable[[str], object] = lambda line: None
        self.meanwhile: Callable[[], object] = lambda: None
        self._in_between = False  # it is being done
        self.opened = time()
        self.begun: tuple[str, ...] = ()
        self.compared_line = ""
        self.branches = Forks(trace, self.stopped)

    # -- orders --------------------------------------------------------------------------------------------------

    def begin(self, line: str, cancel: CancelToken | None = None) -> None:
        """Take up an order.

        Args:
            line: as it was given.
            cancel: its token; None for one of its own, which nobody else holds.
        """
        self.last, self.cancel = line, cancel or CancelToken()

    def end(self, outer: CancelToken | None = None) -> None:
        """Have carried out an order, or left off: what is looked at from now on is not stopped by its token.

        Args:
            outer: the token of an order that this one was part of.
        """
        self.cancel = outer or CancelToken()

    def stopped(self) -> bool:
        """Whether the order that is being carried out is to stop.

        Asked often; so it is here that others have their turn while the cursor moves, for no value changes then.
        """
        if self.debugger.moves and not self._in_between:
            self._in_between = True
            try:
                self.meanwhile()
            finally:
                self._in_between = False
        return self.cancel.cancelled

    def record(self) -> None:
        """Keep the order that was taken up last among those that changed what is computed."""
        self.done.append(self.last)

    # -- what is looked at ---------------------------------------------------------------------------------------

    def show(self, trace: Trace) -> None:
        """Look at another trace: the cursor goes back to the start, breakpoints stay where their stages exist."""
        before = self.debugger
        self.branches = Forks(trace, self.stopped)
        self.reference = self._reference  # what is looked at now is held against it too
        self.done.clear()
        self.changed()
        for point in before.breakpoints.values():
            if trace.program.match(point.pattern):
                new = self.debugger.add(point.pattern, point.condition, watch=point.watch, temporary=point.temporary)
                self.debugger.change(new.number, enabled=point.enabled, ignore=point.ignore)

    def changed(self) -> None:
        """Say that values which were shown before may no longer hold."""
        self.generation += 1
        self.why_path.clear()

    def see(self, stage: str) -> None:
        """Have the value of a stage there to be looked at, though the cursor may not have been there; it stays where it is.

        Layer by layer, so that it can be stopped on the way.

        Raises:
            InputError: it was stopped.
        """
        program = self.trace.program
        at, upstream = program.index(stage), program.upstream(stage)
        for position in range(self.debugger.furthest + 1, at):
            name = program[position].name
            if name in program.anchors and name in upstream and program[position].inputs:
                if self.stopped():
                    raise InputError(f"stopped on the way to {stage}, before {name}; look at it again to go on")
                self.trace.reach(position)

    def lay_out(self, name: str, number: int) -> None:
        """Have `print` write tables with another figure of its layout."""
        self.layout = replace(self.layout, **{name: number})

    def take_tour(self, place: TourPlace | None) -> None:
        """Stand at a place of the guided tour; None leaves it."""
        self.tour = place

    def explain(self, explanation: Explanation) -> None:
        """Begin a way of explanations."""
        self.why_path = [explanation]

    def follow(self, explanation: Explanation) -> None:
        """Go on to the explanation of an operand."""
        self.why_path.append(explanation)

    def return_to(self, explanation: Explanation) -> None:
        """Go back to the explanation before the last, made anew."""
        self.why_path[-2:] = [explanation]

    # -- what it is compared with --------------------------------------------------------------------------------

    @property
    def reference(self) -> Reference | None:
        """What it was last compared with; None before. Every stage then has `STAGE@reference` and `STAGE@difference`."""
        return self._reference

    @reference.setter
    def reference(self, reference: Reference | None) -> None:
        self._reference = reference
        if reference is None:
            self.trace.kinds_beside.pop(COMPARED, None)
        else:
            self.trace.kinds_beside[COMPARED] = reference.beside

    def hold_against(self, reference: Reference, line: str = "") -> None:
        """Keep what it was compared with, for the view of differences, and how that was typed."""
        self.reference, self.compared_line = reference, line
        self.compared += 1

    def drop(self, number: int) -> int:
        """Forget a fork, and the reference if that was it.

        Returns:
            The number of the fork one is in now.

        Raises:
            InputError: there is none of that number, or it is the original.
        """
        dropped = self.forks.get(number)
        branch = self.branches.drop(number)
        if self.reference is not None and dropped in (self.reference.trace, self.reference.ours):
            self.reference = None
        self.changed()
        return branch.number

    def expect_reference(self) -> Reference:
        """What it was last compared with.

        Raises:
            InputError: nothing has been compared yet.
        """
        if self.reference is None:
            raise InputError(
                "nothing to compare with yet; `compare model M` first, or another reference: `help compare` lists them"
            )
        return self.reference

    # -- what it stands on ---------------------------------------------------------------------------------------

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how the model and the texts were read: a sentence each."""
        return self.trace.notes

    @property
    def trace(self) -> Trace:
        """What is looked at: the run of the current fork, or a recording."""
        return self.branches.current.trace

    @property
    def debugger(self) -> Debugger:
        """The cursor of the current fork."""
        return self.branches.current.debugger

    @property
    def forks(self) -> dict[int, Trace]:
        """Every fork's run by its number; 0 is the original."""
        return {number: branch.trace for number, branch in self.branches.branches.items()}

    @property
    def held(self) -> bool:
        """Whether a breakpoint stopped the last motion and the cursor is still there."""
        return self.debugger.held

    def target(self, named: str) -> str:
        """What is named, or the stage under the cursor: `[...]` alone indexes that; a line of source is its stage there.

        Raises:
            InputError: nothing is named before the first stage.
        """
        name = re.split(r"[\[@]", named, maxsplit=1)[0].strip()
        if is_line(name) or not named or named.startswith("["):
            return self.stage_or_here(name) + named[len(name) :]
        return named

    def stage_or_here(self, name: str) -> str:
        """The stage that is named, or the one under the cursor when nothing is.

        Raises:
            InputError: no such stage, or nothing named before the first stage.
        """
        if name:
            return self.trace.program.resolve(name, max(0, self.debugger.position))
        if self.debugger.stage is None:
            raise InputError("the cursor is before the first stage; name a stage, or `step` first")
        return self.debugger.stage.name
