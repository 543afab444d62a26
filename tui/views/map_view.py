"""The view `map`: the whole encoder as boxes with a live picture of each value; one layer opened, the others folded."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events

from ...engine.messages.translation import language, tr
from ..drawing import heat_paint as paint
from ..drawing.colours import Palette
from ..drawing.text import StyledText, cell_len, cut, fit, wrapped
from ..reading.thumbnail import Thumbnail, read_thumbnail
from ..reading.work import Work
from ..state.encoder_map import Box, MapRow, map_rows, place_of
from ..state.plane import Plane, origin_for
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.map import LABEL, MapLayout, PlacedBox, map_of, neighbour
from .picture import PictureRequest, Shown, StyledPieces, Trouble
from .value_view import ValueView

if TYPE_CHECKING:
    from ...engine.commands.session import Session
    from ..state.position import Position

HERE, STOP, PATCHED = "▶", "●", "◆"
FRAME, FRAME_HERE = "╭─╮│╰╯", "┏━┓┃┗┛"
FOOT = 2  # lines below the boxes: what the one that is looked at is; one more where there is something to be told


@dataclass(frozen=True, slots=True)
class MapPictures:
    """What the pictures depend on."""

    text: int
    head: int
    height: int
    width: int
    generation: int


class MapView(ValueView):
    """Every box has a scale of its own. The cursor is the box of the stage that is looked at."""

    name_of_view: ClassVar[str] = "map"
    smallest: ClassVar[tuple[int, int]] = (30, 6)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._position: Position | None = None
        self._rows: tuple[MapRow, ...] = ()
        self._layout: MapLayout | None = None
        self._sheet: MapPictures | None = None
        self._pictures: dict[str, Thumbnail | Trouble] = {}
        self._due: list[str] = []
        self._note: tuple[str, str] | None = None
        self._layer = 0
        self._origin = 0
        self._painted: tuple[object, ...] = ()  # what the lines that are kept were painted of

    def tell(self, note: str, more: str) -> None:
        """Say the first of what was told on opening, which stands in the console that the map covers, and how to read the rest."""
        self._note = (note, more) if note else None

    @property
    def _foot_height(self) -> int:
        return FOOT + (self._note is not None)

    def stand(self, position: Position) -> None:
        """Say where the debugger stands, and in what."""
        if self._position is None or self._position.world is not position.world:
            self._pictures.clear()
            self._note = None if self._position is not None else self._note
            self._sheet, self._layer, self._origin = None, 0, 0
        self._position = position

    # -- what is needed --------------------------------------------------------------------------------------

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        """The picture of the next box that is due; its result is kept by this view itself."""
        sheet = self._sheet
        if sheet is None or not self._due:
            return None
        stage = self._due[0]

        def run(session: Session) -> Thumbnail:
            return read_thumbnail(session, stage, sheet.text, sheet.head, sheet.height, sheet.width)

        return PictureRequest((sheet, stage), run)

    def _ask(self) -> bool:
        """See to it that every box's picture is at hand or due; whether all has to be painted."""
        subject, position = self.subject, self._position
        if subject is None or position is None or not self._fits():
            self._settle()
            self.shown = None
            self.refresh()
            return True
        program = position.world.program
        if self.state.stage in program and program[self.state.stage].layer is not None:
            self._layer = program[self.state.stage].layer or 0
        self._rows = map_rows(program, self._layer)
        self._layout = map_of(
            [len(row.boxes) for row in self._rows], self.size.width, self.size.height - self._foot_height
        )
        lines, columns = self._layout.inner
        tall = lines * (2 if self.has_colours else 1)
        sheet = MapPictures(self.state.text, self.state.head, tall, columns, subject.generation)
        if sheet != self._sheet:
            if self._sheet is None or (sheet.height, sheet.width) != (self._sheet.height, self._sheet.width):
                self._pictures.clear()  # otherwise the old ones stay until the new ones are there
            self._sheet, self._due, self._awaited = sheet, [], None
            stages = [box.stage for row in self._rows for box in row.boxes]
            self._due = stages
        else:
            stages = [box.stage for row in self._rows for box in row.boxes]
            self._due += [stage for stage in stages if stage not in self._pictures and stage not in self._due]
        self.shown = Shown(subject, self.plane_of(subject), None)
        self._scroll()
        self._next()
        painted = (position, self._rows, self._layout.width, self._layout.height, self._sheet, language())
        if painted != self._painted:
            self._painted = painted
            self._strips.clear()
        self.refresh()
        return True

    def _next(self) -> None:
        subject = self.subject
        if self._awaited is None and subject is not None and self._due and self.display:
            plane = self.plane_of(subject)
            self._awaited = request = self.request(subject, plane)
            if request is not None:
                self._send(replace(subject, place="done"), plane, request)

    def receive(self, work: Work, result: Any) -> None:
        """Take a box's picture and ask for the next; what belongs to another text or size is dropped."""
        _, _, request, frame = result
        sheet, stage = request.key
        if sheet != self._sheet:
            return
        self._settle()
        self._pictures[stage] = frame
        self._due = [due for due in self._due if due != stage]
        self._strips.clear()
        self._repaint(stage)
        self._next()

    def _repaint(self, stage: str) -> None:
        layout = self._layout
        for row, one in enumerate(self._rows):
            for column, box in enumerate(one.boxes):
                if box.stage == stage and layout is not None:
                    top = layout.at(row, column).y - self._origin
                    self.refresh_lines(y for y in range(top, top + layout.height) if 0 <= y < self.size.height)

    def _is_late(self) -> None:
        """The picture is never old: boxes that are still missing are empty."""
        self._timer = None

    @property
    def _here(self) -> tuple[int, int]:
        assert self._position is not None
        return place_of(self._rows, self._position.world.program, self.state.stage)

    def _scroll(self) -> None:
        if self._layout is None or not self._layout.boxes:
            return
        box, room = self._layout.at(*self._here), max(1, self.size.height - self._foot_height)
        first = origin_for(self._origin, box.y - 1, room, self._layout.total)
        self._origin = origin_for(first, box.y + self._layout.height - 1, room, self._layout.total)

    # -- moving ----------------------------------------------------------------------------------------------

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Motion goes from box to box, which is another stage."""
        if self._layout is None or not self._layout.boxes or self._position is None:
            return state
        row, column = neighbour(self._layout, *self._here, where)
        return self._at(state, row, column)

    def place_at(self, x: int, y: int) -> ViewState | None:
        placed = (
            self._layout.under(x, y + self._origin)
            if self._layout and y < self.size.height - self._foot_height
            else None
        )
        return self._at(self.state, placed.row, placed.column) if placed is not None else None

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        if self.shown is not None:
            event.stop()
            self.post_message(self.Asked(self.moved("down" if rows > 0 else "up", self.state, self.shown.subject)))

    def _at(self, state: ViewState, row: int, column: int) -> ViewState:
        return replace(state, stage=self._rows[row].boxes[column].stage, beside="", row=0, column=0)

    # -- painting --------------------------------------------------------------------------------------------

    def line_key(self, y: int) -> Hashable | None:
        layout, at = self._layout, y + self._origin
        if layout is None or not layout.boxes or y >= self.size.height - self._foot_height:
            return None
        return None if 0 <= at - layout.at(*self._here).y < layout.height else at

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout, height = self._layout, self.size.height
        if layout is None or self._position is None:
            return []
        if y >= height - self._foot_height:
            return self._foot(y - (height - self._foot_height))
        at = y + self._origin
        if at in layout.titles:
            return self._title(layout.titles.index(at))
        placed = [box for box in layout.boxes if 0 <= at - box.y < layout.height]
        words: StyledText = []
        for box in placed:
            line = at - box.y
            words += self._gap(box, line) if layout.drawn and words else []
            words += self._drawn(box, line) if layout.drawn else self._written(box)
        return words

    def _title(self, row: int) -> StyledPieces:
        title = " · ".join(self._named(part) for part in self._rows[row].title.removeprefix("layers.").split("."))
        return [
            (f"─ {title} ", self.ink("label")),
            ("─" * max(0, self.size.width - cell_len(title) - 3), self.ink("faint")),
        ]

    @staticmethod
    def _named(part: str) -> str:
        """A part of a title: the number of a layer, or a word."""
        return tr("layer {number}", number=part) if part.isdigit() else tr(part)

    def _gap(self, box: PlacedBox, line: int) -> StyledPieces:
        assert self._layout is not None
        joined = self._box(box).joined and line == self._layout.height // 2
        return [("─▸" if joined else "  ", self.ink("quiet"))]

    def _box(self, placed: PlacedBox) -> Box:
        return self._rows[placed.row].boxes[placed.column]

    def _drawn(self, placed: PlacedBox, line: int) -> StyledPieces:
        """One line of a box."""
        assert self._layout is not None
        box, here = self._box(placed), (placed.row, placed.column) == self._here
        corner = FRAME_HERE if here else FRAME
        edge = self.ink("label-here" if here else "quiet")
        inner = self._layout.width - 2
        if line == 0:
            marks, title = self._marks(box), cut(self._named(box.title), inner - 2 - len(self._marks(box)))
            rest = inner - cell_len(title) - len(marks) - 2
            return [
                (corner[0], edge), (marks, self.ink("warning")), (f" {title} ", self.ink("label-here" if here else "note")),
                (corner[1] * rest, edge), (corner[2], edge),
            ]  # fmt: skip
        if line == self._layout.height - 1:
            shape = cut(self._shape(box), inner - 2)
            return [
                (corner[4] + corner[1] * (inner - cell_len(shape) - 1), edge), (shape, self.ink("quiet")),
                (corner[1] + corner[5], edge),
            ]  # fmt: skip
        return [(corner[3], edge), *self._picture(box, line - 1, inner), (corner[3], edge)]

    def _written(self, placed: PlacedBox) -> StyledPieces:
        """A box in one line: mark, name, shape, picture."""
        assert self._layout is not None
        box, here = self._box(placed), (placed.row, placed.column) == self._here
        ink = self.ink("label-here" if here else "note")
        room = max(0, self._layout.width - LABEL)
        return [
            ("▸" if here else " ", ink), (fit(self._marks(box), 2, "right") + " ", self.ink("warning")),
            (fit(self._named(box.title), 14), ink), (fit(self._shape(box), LABEL - 19, "right") + "  ", self.ink("quiet")),
            *self._picture(box, 0, room),
        ]  # fmt: skip

    def _marks(self, box: Box) -> str:
        """Breakpoint, then patch, then the debugger's cursor."""
        position = self._position
        assert position is not None
        program = position.world.program
        stops = any(
            not set(box.stages).isdisjoint(point.stages)
            for point in position.breakpoints
            if len(point.stages) < len(program)
        )
        patched = not position.patched.isdisjoint(box.stages)
        here = position.cursor >= 0 and program[position.cursor].name in box.stages
        return STOP * stops + PATCHED * patched + HERE * here

    def _shape(self, box: Box) -> str:
        assert self._position is not None
        shape = self._position.world.shapes[box.stage]
        return "×".join(map(str, shape[1:] if len(shape) > 2 and shape[0] == 1 else shape))

    def _picture(self, box: Box, line: int, width: int) -> StyledPieces:
        """One line of what a box holds, exactly as wide as it is."""
        read = self._pictures.get(box.stage)
        if read is None or isinstance(read, Trouble):
            return [(fit("✗" if isinstance(read, Trouble) and line == 0 else "", width, "center"), self.ink("quiet"))]
        if read.words:
            lines = wrapped(" ".join(read.words), width)
            more = line == (self._layout.inner[0] if self._layout else 1) - 1 and len(lines) > line + 1
            text = cut(f"{lines[line]} …" if more else lines[line], width) if line < len(lines) else ""
            return [(fit(text, width), self.ink("label"))]
        tall, across = read.codes.shape
        if not across:
            return [(" " * width, self.ink("label"))]
        if not self.has_colours:
            each = 2 if read.scale.signed else 1
            across = min(across, width // each)
            cell = max(each, width // max(1, across))
            words = paint.shades(read.codes[line][:across], [], cell, signed=read.scale.signed) if line < tall else []
            return self._filled(words, width)
        cell, palette = max(1, width // across), Palette(read.scale.signed, self.is_dark)
        if 2 * line >= tall:
            return [(" " * width, self.ink("label"))]
        lower = read.codes[2 * line + 1] if 2 * line + 1 < tall else None
        return self._filled(paint.halves(read.codes[2 * line], lower, cell, palette), width)

    def _filled(self, words: StyledText, width: int) -> StyledPieces:
        return [*words, (" " * max(0, width - sum(cell_len(text) for text, _ in words)), self.ink("label"))]

    def _foot(self, line: int) -> StyledPieces:
        """What the box is: its name and formula; what it does."""
        assert self._position is not None
        if line == FOOT and self._note is not None:
            note, more = self._note
            room = max(0, self.size.width - cell_len(more) - 2)
            return [(fit(f"! {note}", room), self.ink("warning")), (f"  {more}", self.ink("quiet"))]
        program = self._position.world.program
        if self.state.stage not in program:
            return []
        row, column = self._here
        stage, width = program[self._rows[row].boxes[column].stage], self.size.width
        from ...engine.analysis.explain import stage_text
        from ...engine.analysis.explain.texts import axis_sizes

        text = stage_text(stage, program, language(), axis_sizes(stage, program, self._position.world.shapes))
        if line == 0:
            formula = self._position.world.formulas[stage.name][0] if stage.inputs else ""
            title, keys = cut(text.title, width), tr("Enter opens it, m shows the tree, T the tour")
            name = cut(f"  {stage.name}   {formula}", max(0, width - cell_len(title)))
            spare = width - cell_len(title) - cell_len(name) - cell_len(keys)
            told = [(" " * spare + keys, self.ink("quiet"))] if spare >= 2 else []
            return [(title, self.ink("label-here")), (name, self.ink("label")), *told]
        return [(cut(text.what, width), self.ink("note"))]
