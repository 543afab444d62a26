"""The breakpoints with place, condition and count, the watches with what they are worth, and the tree of forks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.message import Message

from ...engine.messages.translation import language, tr
from ..drawing.text import cut, fit, plain
from ..state.position import Fork, Position
from .lines import Lines, Spans
from .program_tree import HERE, PATCHED, STOP, STOP_IF, STOP_OFF, WATCH, ProgramTree


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything the look of a line depends on."""

    mark: str
    text: str
    count: str = ""
    fork: bool = False


class BreakpointList(Lines[Entry]):
    """One line a breakpoint, then one line a fork as soon as there are any, or anything is patched."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "breaks--mark", "breaks--off", "breaks--count", "breaks--here", "breaks--patched",
    }  # fmt: skip

    class Switched(Message):
        """A fork is to be gone to."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stages: list[str] = []
        self._shown: tuple[Position | None, str] = (None, "")
        self._forks: list[int] = []

    def show(self, position: Position) -> None:
        """Show the breakpoints and forks there are."""
        if self._shown[0] is position and self._shown[1] == language():
            return
        self._shown = position, language()
        points = position.breakpoints
        order = [stage.name for stage in position.world.program]
        self._stages = [next((name for name in order if name in point.stages), "") for point in points]
        entries: list[Entry] = []
        for point in points:
            mark = WATCH if point.watch else STOP_IF if point.condition else STOP
            counts = [f"= {position.watched[point.number]}"] if point.number in position.watched else []
            counts += [f"{point.hits}×"] * bool(point.hits)
            counts += [tr("once")] * point.temporary
            counts += [tr("passes {count}", count=point.ignore)] * bool(point.ignore)
            entries.append(Entry(mark if point.enabled else STOP_OFF, f"{point.number} {point}", " ".join(counts)))
        forks = position.forks if len(position.forks) > 1 or any(fork.done for fork in position.forks) else ()
        self._forks = [fork.number for fork in forks]
        entries += [_fork(fork, fork.number == position.fork) for fork in forks]
        titles = [f"{tr('breakpoints')} {len(points)}" if points else ""]
        titles.append(f"{tr('forks')} {len(forks) - 1}" if len(forks) > 1 else tr("changes") if forks else "")
        self.entitle(f" {' · '.join(filter(None, titles))} ")
        self.put(entries)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be shown."""
        return not self.faces

    def spans(self, face: Entry, width: int) -> Spans:
        """Mark, number and place, count at the end of the line."""
        right = f" {cut(face.count, width // 2)}" if face.count else ""  # it changes: the place gives way to it
        left = fit(face.text, width - 2 - cell_len(right))
        if face.fork:
            here = face.mark == HERE
            return [("breaks--here", f"{face.mark} "), ("breaks--here" if here else "", left)]
        name = "breaks--off" if face.mark == STOP_OFF else ""
        return [("breaks--mark", f"{face.mark} "), (name, left), ("breaks--count", right)]

    def on_click(self, event: events.Click) -> None:
        """Look at the first stage of a breakpoint; go to a fork."""
        line = self.line_at(event)
        fork = line - len(self._stages)
        if 0 <= line < len(self._stages):
            self.post_message(ProgramTree.Chosen(self._stages[line]))
        elif 0 <= fork < len(self._forks):
            self.post_message(self.Switched(self._forks[fork]))


def _fork(fork: Fork, here: bool) -> Entry:
    """`▶ └ 1 ◆ ablate layers.1…`: the number `switch` takes, and what was done there."""
    branch = "  " * (fork.depth - 1) + "└ " if fork.depth else ""
    name = f"{fork.number}" if fork.depth else f"0 {tr('original')}"
    done = (
        f" {PATCHED} {plain('; '.join(map(_brief, fork.done)))}"
        if fork.done
        else f" {tr('unchanged')}" * bool(fork.depth)
    )
    return Entry(HERE if here else " ", f"{branch}{name}{done}", fork=True)


def _brief(text: str) -> str:
    """A patch with the middle of its stage's name left out: `ablate L1 weights[head=1]`."""
    verb, _, rest = text.partition(" ")
    stage, bracket, index = rest.partition("[")
    words = stage.split(".")
    if len(words) < 3:
        return text
    layer = f"L{words[1]}" if words[0] == "layers" and words[1].isdigit() else words[0]
    return f"{verb} {layer} {words[-1]}{bracket}{index}"
