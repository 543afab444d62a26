"""One person's debugging: a trace, a cursor in it, and the model it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..debugger.cursor import Debugger
from ..debugger.forks import Forks
from ..messages.errors import InputError
from ..program.trace import Trace
from ..program.writing import Layout

if TYPE_CHECKING:
    from ..analysis.compare import Reference
    from ..analysis.tour import TourPlace
    from ..analysis.why import Explanation
    from ..models.encoder import Encoder


class Session:
    """What commands act on.

    Args:
        trace: a run or a recording.
        encoder: the model of a live run; None when a recording is looked at.

    Attributes:
        generation: counts what made earlier values stale (another text, another recording), so that a view can tell
            whether what it was sent still holds.
        layout: how `print` writes tables.
        reference: what it was last compared with, for the view of differences; None before.
        compared: how often it was compared with something.
        peeked: stages that have not run and whose values were looked at all the same: in a picture of all layers, or compared.
        tour: where the learner stands in the guided tour; None outside it.
        done: the command lines that changed what is computed, in order, since what is looked at was opened.
        last: the command line that was run last, whatever came of it.
        why_path: the explanations that were followed one from another, the latest last.
    """

    def __init__(self, trace: Trace, encoder: Encoder | None = None) -> None:
        self.encoder = encoder
        self.generation = 0
        self.layout = Layout()
        self.reference: Reference | None = None
        self.compared = 0
        self.peeked: frozenset[str] = frozenset()
        self.done: list[str] = []
        self.last = ""
        self.why_path: list[Explanation] = []
        self.tour: TourPlace | None = None
        self.branches = Forks(trace)

    def show(self, trace: Trace) -> None:
        """Look at another trace: the cursor goes back to the start, breakpoints stay where their stages exist."""
        before = self.debugger
        self.branches = Forks(trace)
        self.peeked = frozenset()
        self.done.clear()
        self.changed()
        for found in before.breakpoints.values():
            if trace.program.match(found.pattern):
                new = self.debugger.add(found.pattern, found.condition, watch=found.watch, temporary=found.temporary)
                self.debugger.change(new.number, enabled=found.enabled, ignore=found.ignore)

    def changed(self) -> None:
        """Say that values which were shown before may no longer hold."""
        self.generation += 1
        self.why_path.clear()

    def expect_reference(self) -> Reference:
        """What it was last compared with.

        Raises:
            InputError: nothing has been compared yet.
        """
        if self.reference is None:
            raise InputError(
                "nothing to compare with yet; `compare model M` (or text, dtype, device, snapshot, fork) first"
            )
        return self.reference

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

    def stage_or_here(self, name: str) -> str:
        """The stage that is named, or the one under the cursor when nothing is.

        Raises:
            InputError: no such stage, or nothing named before the first stage.
        """
        if name:
            return self.trace.program.resolve(name)
        if self.debugger.stage is None:
            raise InputError("the cursor is before the first stage; name a stage, or `step` first")
        return self.debugger.stage.name
