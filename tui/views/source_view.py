"""The view `source`: the author's file round the line that a stage comes from, with the values of the line under it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from ...engine.messages.translation import tr
from ...engine.messages.visible import visible
from ...engine.program.addresses import stage_at
from ..drawing.text import cell_len, cut, fit
from ..reading.source import LineValue, SourcePage, read_source
from ..state.plane import Plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

if TYPE_CHECKING:
    from ...engine.debugger.breakpoints import Breakpoint
    from ..state.position import Position

HERE, LOOKED_AT = "▶", "▸"
STOP, STOP_IF, STOP_OFF = "●", "◐", "○"
HEAD = 1  # lines above the file's: which it is, and what is to be said of it
ACROSS = 8  # columns that a step to the left or right moves

SourceRow = int | LineValue  # a line of the file, counted from 1, or a value under the one that is looked at


class SourceView(ValueView):
    """A margin with breakpoints, the line's number, the line; what is pressed up and down scrolls."""

    name_of_view: ClassVar[str] = "source"
    smallest: ClassVar[tuple[int, int]] = (24, 4)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "view--source-keyword", "view--source-string", "view--source-number", "view--source-comment", "view--source-name",
        "view--source-builtin", "view--source-stop", "view--source-here",
    }  # fmt: skip
    DEFAULT_CSS = """
    SourceView {
        & .view--source-keyword { color: $primary; text-style: bold; }
        & .view--source-string { color: $success; }
        & .view--source-number { color: $warning; }
        & .view--source-comment { color: $foreground 50%; text-style: italic; }
        & .view--source-name { color: $accent; text-style: bold; }
        & .view--source-builtin { color: $secondary; }
        & .view--source-stop { color: $error; text-style: bold; }
        & .view--source-here { background: $foreground 12%; text-style: bold; }
    }
    """

    class Toggled(Message):
        """The margin of a line was clicked: a breakpoint is wanted there, or one that is there no more.

        Attributes:
            line: `file:line`.
        """

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._position: Position | None = None
        self._sources: frozenset[str] = frozenset()  # the lines that stages come from
        self._rows: list[SourceRow] = []
        self._origin = self._across = 0

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return bool(subject.source)

    def refusal(self, subject: Subject) -> str:
        return "" if subject.source else tr("This stage comes from no line: it is what goes in.")

    def stand(self, position: Position) -> None:
        """Say where the debugger stands, and which breakpoints there are."""
        if position is not self._position:
            if self._position is None or position.world is not self._position.world:
                self._sources = frozenset(stage.source for stage in position.world.program)
            self._position = position
            self._strips.clear()
            self.redraw()

    def show(self, state: ViewState, subject: Subject | None) -> None:
        """Show the line of what the state points at, which can be read where a recording has no numbers."""
        super().show(state, replace(subject, readable=True) if subject is not None else None)

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        stage = stage_at(subject.stage)
        key = stage, subject.generation, subject.language, subject.patched
        return PictureRequest(key, lambda session: read_source(session, stage), 1 << 16, sees=False)

    def arrived(self, shown: Shown) -> None:
        page: SourcePage = shown.frame
        self._rows = list(range(1, len(page.lines) + 1))
        at = min(page.line, len(page.lines))
        self._rows[at:at] = page.values
        self._across = 0
        self._show_from(at - 1 - max(0, self._room - len(page.values)) // 3)

    # -- moving ----------------------------------------------------------------------------------------------------

    @property
    def _room(self) -> int:
        return max(1, self.size.height - HEAD)

    def _show_from(self, origin: int) -> None:
        self._origin = max(0, min(origin, len(self._rows) - self._room))

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """The state as it is: the file is scrolled."""
        rows = {"up": -1, "down": 1, "page-up": -self._room, "page-down": self._room, "top": -len(self._rows), "bottom": len(self._rows)}  # fmt: skip
        self._show_from(self._origin + rows.get(where, 0))
        columns = {"left": -ACROSS, "right": ACROSS, "row-start": -self._across}
        self._across = max(0, self._across + columns.get(where, 0))
        self.redraw()
        return state

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        event.stop()
        self._show_from(self._origin + rows)
        self.redraw()

    # -- painting --------------------------------------------------------------------------------------------------

    def line_key(self, y: int) -> Hashable | None:
        return (y == 0, self._origin + y, self._across)

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        page: SourcePage = shown.frame
        if y < HEAD:
            return self._head(page)
        at = self._origin + y - HEAD
        row = self._rows[at] if at < len(self._rows) else None
        if row is None:
            return []
        return self._line(page, row) if isinstance(row, int) else self._value(page, row)

    def _head(self, page: SourcePage) -> StyledPieces:
        width = self.size.width
        if page.note:
            return [(cut(page.note, width), self.ink("warning"))]
        folder, _, name = visible(page.file).replace("\\", "/").rpartition("/")
        title = f"{name}:{page.line}"
        return [
            (title, self.ink("label-here")),
            (cut(f"  {folder}", max(0, width - cell_len(title))), self.ink("quiet")),
        ]

    @property
    def _margin(self) -> int:
        """Columns before the code: a mark, the number, where one is."""
        page = self.shown.frame if self.shown is not None else None
        return len(str(len(page.lines))) + 4 if page is not None else 4

    def _line(self, page: SourcePage, line: int) -> StyledPieces:
        here = line == page.line
        source = f"{page.file}:{line}"
        cursor = self._position is not None and self._position.stage and self._source_here == source
        number = f"{line:>{self._margin - 4}}"
        pieces = [
            (f"{self._mark(source)} ", self.source_ink("stop")),
            (number, self.ink("label-here" if here else "label" if source in self._sources else "faint")),
            (f"{HERE if cursor else LOOKED_AT if here else ' '} ", self.ink("label-here")),
        ]
        room = self.size.width - self._margin
        code = Strip([Segment(text, self.source_ink(kind)) for kind, text in page.lines[line - 1]])
        pieces += [(part.text, part.style or self.ground) for part in code.crop(self._across, self._across + room)]
        used = sum(cell_len(text) for text, _ in pieces)
        if not here:
            return pieces
        ground = Style(bgcolor=self.source_ink("here").bgcolor, bold=True)
        return [(text, style + ground) for text, style in [*pieces, (" " * (self.size.width - used), ground)]]

    def _value(self, page: SourcePage, value: LineValue) -> StyledPieces:
        chosen = value.stage == stage_at(self.state.stage)
        names = [_short(each.stage) for each in page.values]
        wide = min(max(map(cell_len, names)), max(8, (self.size.width - self._margin) // 3))
        sized = min(max(cell_len(each.shape) for each in page.values), 24)
        room = self.size.width - self._margin - wide - sized - 4
        return [
            (" " * (self._margin - 2), self.ground),
            (f"{LOOKED_AT if chosen else '└'} ", self.ink("label-here" if chosen else "quiet")),
            (fit(_short(value.stage), wide), self.ink("label-here" if chosen else "note")),
            (f"  {fit(value.shape, sized)}", self.ink("label")),
            (f"  {cut(value.range, max(0, room))}", self.ink("warning" if "NaN" in value.range else "note")),
        ]

    def source_ink(self, kind: str) -> Style:
        """The style of what a token is."""
        return self.ink(f"source-{kind}" if kind else "note")

    # -- the margin ------------------------------------------------------------------------------------------------

    @property
    def _source_here(self) -> str:
        assert self._position is not None
        return self._position.world.program[self._position.stage].source

    def _mark(self, source: str) -> str:
        """A breakpoint at a stage of a line, one with a condition, one that is off."""
        if self._position is None or source not in self._sources:
            return " "
        points = [point for point in self._position.breakpoints if point.watch is None and self._is_at(point, source)]
        enabled = [point for point in points if point.enabled]
        if not enabled:
            return STOP_OFF if points else " "
        return STOP if any(point.condition is None for point in enabled) else STOP_IF

    def _is_at(self, point: Breakpoint, source: str) -> bool:
        assert self._position is not None
        program = self._position.world.program
        return any(name in program and program[name].source == source for name in point.stages)

    def on_click(self, event: events.Click) -> None:
        """In the margin, a breakpoint; on a value, a look at it."""
        offset = event.get_content_offset(self)
        if offset is None or self.shown is None or offset.y < HEAD or self._origin + offset.y - HEAD >= len(self._rows):
            return
        row, page = self._rows[self._origin + offset.y - HEAD], self.shown.frame
        if isinstance(row, LineValue):
            self.post_message(self.Asked(replace(self.state, stage=row.stage, beside="")))
        elif offset.x < self._margin and f"{page.file}:{row}" in self._sources:
            self.post_message(self.Toggled(f"{page.file}:{row}"))


def _short(stage: str) -> str:
    """A stage's name without what its line says: `q.linear` of `layers.0.attention.heads.1.q.linear`, `softmax` of `heads.1.softmax`."""
    words = stage.split(".")
    return ".".join(words[-2:] if len(words) > 1 and not words[-2].isdigit() else words[-1:])
