"""One person's debugging: a trace, a cursor in it, and the model it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .debugger import Debugger
from .errors import InputError
from .trace import Trace

if TYPE_CHECKING:
    from .encoder import Encoder


class Session:
    """What commands act on.

    Args:
        trace: a run or a recording.
        encoder: the model of a live run; None when a recording is looked at.

    Attributes:
        generation: counts what made earlier values stale (another text, another recording), so that a view can tell
            whether what it was sent still holds.
    """

    def __init__(self, trace: Trace, encoder: Encoder | None = None) -> None:
        self.encoder = encoder
        self.generation = 0
        self.show(trace)

    def show(self, trace: Trace) -> None:
        """Look at another trace: the cursor goes back to the start, breakpoints stay where their stages exist."""
        kept = list(self.debugger.breakpoints.values()) if hasattr(self, "debugger") else []
        self.trace = trace
        self.debugger = Debugger(trace)
        self.generation += 1
        for found in kept:
            if trace.program.match(found.pattern):
                self.debugger.add(found.pattern, found.condition, temporary=found.temporary)

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
