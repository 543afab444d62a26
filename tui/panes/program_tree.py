"""The program as a tree, with the debugger's cursor and the stage that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.message import Message

from ...engine.messages.translation import language, trn
from ..drawing.text import cut
from ..state.position import Position
from ..state.tree import Folds, Node, grow, line_of, path_to, rows
from .lines import Lines, Spans

HERE, DONE, SEEN, AHEAD = "▶", "✓", "›", "·"
STOP, STOP_IF, STOP_OFF, WATCH = "●", "◐", "○", "◇"
PATCHED, STALE, OPEN, CLOSED = "◆", "~", "▾", "▸"


@dataclass(frozen=True, slots=True)
class TreeRow:
    """Everything the look of a line depends on."""

    label: str
    depth: int
    mark: str
    stop: str = ""
    fold: str = ""
    patched: bool = False
    stale: bool = False
    shape: str = ""
    looked: bool = False


class ProgramTree(Lines[TreeRow]):
    """Draws the program's tree, keeps what is open, and says when a stage is chosen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tree--here", "tree--done", "tree--seen", "tree--ahead", "tree--stop", "tree--patched", "tree--group",
        "tree--shape", "tree--looked", "tree--stale",
    }  # fmt: skip

    class Chosen(Message):
        """A stage is to be looked at."""

        def __init__(self, stage: str) -> None:
            super().__init__()
            self.stage = stage

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.roots: tuple[Node, ...] = ()
        self.folds = Folds()
        self.shown: list[Node] = []
        self.line = 0
        self._position: Position | None = None
        self._looked = 0
        self._asked: tuple[str, str] = ("", "")

    # -- what is shown -------------------------------------------------------------------------------------------

    def show(self, position: Position, stage: str) -> None:
        """Show where the debugger stands and which stage is looked at."""
        program = position.world.program
        asked = stage, language()
        if self._position is position and self._asked == asked:
            self.reveal(self.line, margin=2)
            return
        self._asked = asked
        if self._position is None or self._position.world.program is not program:
            self.roots, self.folds, self.line = grow(program), Folds(), 0
        cursor, looked = max(0, position.cursor), program.index(stage) if stage in program else 0
        if self._position is None or cursor != self._position.cursor:
            self.folds = self.folds.revealing(self.roots, cursor)
        moved = looked != self._looked
        if moved:
            self.folds = self.folds.revealing(self.roots, looked)
        self._position, self._looked = position, looked
        # a line that is not the stage's (a group) keeps the highlight until another stage is looked at
        self._lay(None if moved else self._node)

    def fold(self) -> None:
        """Open or close the group on the line, or the one that the stage on the line is in."""
        node = self._node
        if node is None or self._position is None:
            return
        if not node.is_group:
            around = path_to(self.roots, node.first)[:-1]
            if not around:
                return
            node = around[-1]
        self.folds = self.folds.toggled(node, self._here)
        self._lay(node)

    def step(self, lines: int) -> str:
        """Move the highlight up or down.

        Returns:
            The stage it came to, which is for others to look at; "" when it is on a group, which is only highlighted.
        """
        return self._go(max(0, min(self.line + lines, len(self.shown) - 1))) if self.shown else ""

    def ends(self, last: bool) -> str:
        """Move the highlight to the first or the last line; returns what `step` does."""
        return self.step(len(self.shown) if last else -len(self.shown))

    @property
    def group(self) -> bool:
        """Whether the highlight is on a group."""
        return self._node is not None and self._node.is_group

    def _go(self, line: int) -> str:
        node = self.shown[line]
        if node.is_group or node.holds(self._looked):
            self._lay(node)
        return "" if node.is_group else node.name

    @property
    def _node(self) -> Node | None:
        return self.shown[self.line] if self.line < len(self.shown) else None

    @property
    def _here(self) -> tuple[int, int]:
        assert self._position is not None
        return max(0, self._position.cursor), self._looked

    def _lay(self, node: Node | None) -> None:
        """Lay the lines out with the highlight on a node, or on the stage looked at."""
        assert self._position is not None
        height = self.line - self.scroll_offset.y
        self.shown = rows(self.roots, self.folds, self._here)
        before = self.line
        self.line = line_of(self.shown, self._looked)
        if node is not None and node in self.shown:
            self.line = self.shown.index(node)
        self.put([self._row(line, shown) for line, shown in enumerate(self.shown)])
        if abs(self.line - before) > 1:  # parts above may have opened or closed: keep the line where it was on screen
            self.scroll_to(y=max(0, self.line - height), animate=False, immediate=True, force=True)
        self.reveal(self.line, margin=2)

    # -- one line ------------------------------------------------------------------------------------------------

    def _row(self, line: int, node: Node) -> TreeRow:
        position = self._position
        assert position is not None
        open_ = self.folds.is_open(node, self._here)
        names = [stage.name for stage in position.world.program.stages[node.first : node.last + 1]]
        hidden = [] if open_ else names
        return TreeRow(
            node.label,
            node.depth,
            _mark(node, position, open_),
            _stop(position, hidden),
            (OPEN if open_ else CLOSED) if node.is_group else "",
            not position.patched.isdisjoint(hidden),
            not position.stale.isdisjoint(hidden),
            trn(len(names), "{count} stage", "{count} stages")
            if node.is_group
            else short_shape(position.world.shapes[names[0]]),
            line == self.line,
        )

    def spans(self, face: TreeRow, width: int) -> Spans:
        """Breakpoint, mark, name, shape."""
        looked = " tree--looked" if face.looked else ""
        mark = {HERE: "tree--here", DONE: "tree--done", SEEN: "tree--seen"}.get(face.mark, "tree--ahead")
        name = "tree--group" if face.fold else mark
        indent = "  " * face.depth
        # at the top, where groups and stages mix, a stage's name stands under the groups' names
        before = f"{face.fold} " if face.fold else "  " if not face.depth else ""
        label = before + face.label
        patched = f" {PATCHED}" if face.patched else ""
        stale = f" {STALE}" if face.stale else ""
        taken = 3 + len(indent) + cell_len(label) + len(patched) + len(stale)
        if (
            stale and taken + 1 + len(face.shape) == width + 1
        ):  # the shape stays where only the space before the mark is in its way
            stale = STALE
        room = width - 3 - len(indent) - len(patched) - len(stale)
        label = cut(label, room)
        spare = room - cell_len(label)
        shape = f" {face.shape}{' ' * (width > 34)}"
        shape = shape if face.shape and cell_len(shape) <= spare else ""
        return [
            ("tree--stop" + looked, face.stop or " "),
            (mark + looked, f"{face.mark} {indent}"),
            (name + looked, label),
            ("tree--patched" + looked, patched),
            ("tree--stale" + looked, stale),
            (looked.strip(), " " * (spare - cell_len(shape))),
            ("tree--shape" + looked, shape),
        ]

    def on_resize(self) -> None:
        """Keep the highlight in sight."""
        self.reveal(self.line, margin=2)

    # -- the mouse -----------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Look at a stage; open or close a group."""
        line = self.line_at(event)
        if line >= 0:
            stage = self._go(line)
            if stage:
                self.post_message(self.Chosen(stage))
            else:
                self.fold()


def _mark(node: Node, position: Position, open_: bool) -> str:
    if node.holds(position.cursor):
        return " " if open_ else HERE
    if node.last < position.cursor:
        return DONE
    return SEEN if node.first <= position.furthest else AHEAD


def _stop(position: Position, names: Sequence[str]) -> str:
    everywhere = len(position.world.program)  # a mark on every line would say nothing
    points = [
        point
        for point in position.breakpoints
        if point.watch is None and len(point.stages) < everywhere and not point.stages.isdisjoint(names)
    ]
    enabled = [point for point in points if point.enabled]
    if not enabled:
        return STOP_OFF if points else ""
    return STOP if any(point.condition is None for point in enabled) else STOP_IF


def short_shape(shape: Sequence[int]) -> str:
    """`1×12×14×14`."""
    return "×".join(map(str, shape))
