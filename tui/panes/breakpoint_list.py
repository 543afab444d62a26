"""The breakpoints: number, place, condition, how often they stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events

from ..facts import Position
from ..text import cut, fit
from ..widgets.lines import Lines, Spans
from .program_tree import STOP, STOP_IF, STOP_OFF, WATCH, ProgramTree


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything the look of a line depends on."""

    mark: str
    text: str
    count: str = ""


NOTHING = (Entry("", " none; b sets one on the"), Entry("", " stage that is looked at"))


class BreakpointList(Lines[Entry]):
    """One line a breakpoint."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"breaks--mark", "breaks--off", "breaks--count"}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stages: list[str] = []

    def show(self, position: Position) -> None:
        """Show the breakpoints there are."""
        points = position.breakpoints
        order = [stage.name for stage in position.world.program]
        self._stages = [next((name for name in order if name in point.stages), "") for point in points]
        entries = []
        for point in points:
            mark = WATCH if point.watch else STOP_IF if point.condition else STOP
            counts = [f"= {position.watched[point.number]}"] if point.number in position.watched else []
            counts += [f"{point.hits}×"] * bool(point.hits)
            counts += ["once"] * point.temporary + [f"passes {point.ignore}"] * bool(point.ignore)
            entries.append(Entry(mark if point.enabled else STOP_OFF, f"{point.number} {point}", " ".join(counts)))
        self.border_title = f" breakpoints {len(points)} " if points else " breakpoints "
        self.put(entries or NOTHING)

    def spans(self, face: Entry, width: int) -> Spans:
        """Mark, number and place, count at the end of the line."""
        if not face.mark:
            return [("breaks--off", face.text)]
        right = f" {cut(face.count, width // 2)}" if face.count else ""  # it changes: the place gives way to it
        left = fit(face.text, width - 2 - cell_len(right))
        name = "breaks--off" if face.mark == STOP_OFF else ""
        return [("breaks--mark", f"{face.mark} "), (name, left), ("breaks--count", right)]

    def on_click(self, event: events.Click) -> None:
        """Look at the first stage of a breakpoint."""
        line = self.line_at(event)
        if 0 <= line < len(self._stages):
            self.post_message(ProgramTree.Chosen(self._stages[line]))
