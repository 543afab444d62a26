"""The view `map`: the whole encoder as boxes with a live picture of each value; one layer opened, the others folded."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from ...engine.messages.translation import language, tr
from ..drawing import heat_paint as paint
from ..drawing.colours import Palette
from ..drawing.text import ELLIPSIS, StyledText, cell_len, cut, first_lines, fit, wrapped
from ..reading.thumbnail import Thumbnail, read_thumbnail
from ..state.encoder_map import Box, MapRow, map_rows, place_of
from ..state.left_out import why_unread
from ..state.plane import origin_for, paged, plane_at
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.map import LABEL, MapLayout, PlacedBox, map_of, neighbour
from .picture import Shown, StyledPieces, Trouble
from .picture_chain import PictureChain, Sheet

if TYPE_CHECKING:
    from ...engine.commands.session import Session
    from ...engine.program.stage import Stage
    from ..state.position import Position, World

HERE, STOP, PATCHED = "▶", "●", "◆"
FRAME, FRAME_HERE = "╭─╮│╰╯", "┏━┓┃┗┛"
# Lines below the boxes: the name of the one that is looked at and what it does, which takes two where they are short; the same
# for every box, so that nothing jumps. One more where there is something to be told.
FOOT, FOOT_NARROW = 2, 3
NARROW, TALL = 110, 16  # columns, rows


@dataclass(frozen=True, slots=True)
class MapSheet(Sheet):
    """What the pictures depend on: besides, the head."""

    head: int

    def read(self, session: Session, stage: str) -> Thumbnail:
        return read_thumbnail(session, stage, self.text, self.head, self.height, self.width)


class MapView(PictureChain):
    """Every box has a scale of its own. The cursor is the box of the stage that is looked at."""

    name_of_view: ClassVar[str] = "map"
    smallest: ClassVar[tuple[int, int]] = (30, 6)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._position: Position | None = None
        self._rows: tuple[MapRow, ...] = ()
        self._layout: MapLayout | None = None
        self._note: tuple[str, str, str] | None = None
        self._layer = 0
        self._here = (0, 0)  # row and column of the box that is looked at
        self._origin = 0
        self._painted: tuple[object, ...] = ()  # what the lines that are kept were painted of

    def tell(self, kind: str, note: str, more: str) -> None:
        """Say the first of what was told on opening, which stands in the console that the map covers, and how to read the rest."""
        self._note = (kind, note, more) if note else None

    @property
    def _foot_height(self) -> int:
        return self._purpose_end + (self._note is not None)

    @property
    def _is_told(self) -> bool:
        """Whether the explanation below says what the box does, so that the foot need not; the tour's has other things to say."""
        return self.state.explained and (self._position is None or self._position.tour is None)

    @property
    def _purpose_end(self) -> int:
        """Lines of the foot that say what the box is."""
        if self._is_told:
            return 1
        return FOOT_NARROW if self.size.width < NARROW and self.size.height >= TALL else FOOT

    def stand(self, position: Position) -> None:
        """Say where the debugger stands, and in what."""
        if self._position is None or self._position.world is not position.world:
            self.forget()
            self._note = None if self._position is not None else self._note
            self._layer, self._origin = 0, 0
        self._position = position

    # -- what is needed --------------------------------------------------------------------------------------

    def _ask(self) -> bool:
        """See to it that every box's picture is at hand or due; whether all has to be painted."""
        subject, position = self.subject, self._position
        if subject is None or position is None or not self._fits():
            self._settle()
            self.shown = None
            self.redraw()
            return True
        program, world = position.world.program, position.world
        if self.state.stage in program and program[self.state.stage].layer is not None:
            self._layer = program[self.state.stage].layer or 0
        self._rows = map_rows(program, self._layer)
        self._layout = map_of(
            tuple(len(row.boxes) for row in self._rows), self.size.width, self.size.height - self._foot_height
        )
        lines, columns = self._layout.inner
        tall = lines * (2 if self.has_colours else 1)
        sheet = MapSheet(self.state.text, tall, columns, subject.generation, self.state.head)
        stages = [box.stage for row in self._rows for box in row.boxes if box.stage in world.held]
        self._want(subject, sheet, stages)
        self._here = place_of(self._rows, program, self.state.stage)
        self._scroll()
        painted = (position, self._rows, self._layout, self._origin, self._sheet, language(), self._purpose_end)
        if painted == self._painted:
            return False
        self._painted = painted
        self._strips.clear()
        self.redraw()
        return True

    def changed(self, shown: Shown, before: ViewState) -> None:
        """The box that was looked at, the one that is, and what is said of it."""
        assert self._position is not None
        self._repaint(place_of(self._rows, self._position.world.program, before.stage))
        self._repaint(self._here)
        self.refresh_lines(range(self.size.height - self._foot_height, self.size.height))

    def came(self, stage: str) -> None:
        for row, one in enumerate(self._rows):
            for column, box in enumerate(one.boxes):
                if box.stage == stage:
                    self._repaint((row, column))

    def _repaint(self, place: tuple[int, int]) -> None:
        """Paint the lines of a box anew."""
        layout = self._layout
        if layout is not None and layout.boxes:
            top = layout.at(*place).y
            for y in range(top, top + layout.height):
                self._strips.pop(self._kept_as(y), None)
            shown = range(
                max(0, top - self._origin),
                min(top - self._origin + layout.height, self.size.height - self._foot_height),
            )
            self.refresh_lines(shown)

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
        title = self._rows[row].title
        layer, *parts = title.removeprefix("layers.").split(".")
        words = [tr("layer {number}", number=layer) if title.startswith("layers.") else tr(layer), *map(tr, parts)]
        title = " · ".join(words)
        return [
            (f"─ {title} ", self.ink("label")),
            ("─" * max(0, self.size.width - cell_len(title) - 3), self.ink("faint")),
        ]

    @staticmethod
    def _named(box: Box) -> str:
        return tr("layer {number}", number=box.title) if box.folded else tr(box.title)

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
            marks, title = self._marks(box), cut(self._named(box), inner - 2 - len(self._marks(box)))
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
            ("▸" if here else " ", ink), (fit(self._marks(box), 4, "right") + " ", self.ink("warning")),
            (fit(self._named(box), 14), ink), (fit(self._shape(box), LABEL - 22, "right") + "  ", self.ink("quiet")),
            *self._picture(box, 0, room),
        ]  # fmt: skip

    def _marks(self, box: Box) -> str:
        """Breakpoint, then patch, then the debugger's cursor, then that the picture is not this value's yet."""
        position = self._position
        assert position is not None
        everywhere = len(position.world.program)
        points = [point.stages for point in position.breakpoints if len(point.stages) < everywhere]
        stops = any(not stages.isdisjoint(box.stages) for stages in points)
        patched = not position.patched.isdisjoint(box.stages)
        marks = STOP * stops + PATCHED * patched + HERE * (position.stage in box.stages)
        return marks + ELLIPSIS * self.is_marked(box.stage)

    def _shape(self, box: Box) -> str:
        assert self._position is not None
        shape = self._position.world.shapes[box.stage]
        return "×".join(map(str, shape[1:] if len(shape) > 2 and shape[0] == 1 else shape))

    def _picture(self, box: Box, line: int, width: int) -> StyledPieces:
        """One line of what a box holds, exactly as wide as it is."""
        read = self._pictures.get(box.stage)
        if self._position is not None and box.stage not in self._position.world.held:
            words = tr("a corner") if self._position.world.has_corner(box.stage) else tr("no numbers")
            return [(fit(words if line == 0 else "", width), self.ink("quiet"))]
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
        cell, palette = max(1, width // across), self.palette(signed=read.scale.signed)
        if 2 * line >= tall:
            return [(" " * width, self.ink("label"))]
        return self._filled(_half_lines(read, cell, palette).line(line), width)

    def _filled(self, words: StyledText, width: int) -> StyledPieces:
        return [*words, (" " * max(0, width - sum(cell_len(text) for text, _ in words)), self.ink("label"))]

    def _foot(self, line: int) -> StyledPieces:
        """What is looked at: its name and formula, which head of it is drawn; what it does, or why there is no picture."""
        assert self._position is not None
        if line == self._purpose_end and self._note is not None:
            kind, note, more = self._note
            room, mark = max(0, self.size.width - cell_len(more) - 2), "✓" if kind == "well" else "!"
            ink = self.ink("success" if kind == "well" else "warning")
            return [(fit(f"{mark} {note}", room), ink), (f"  {more}", self.ink("quiet"))]
        world = self._position.world
        if self.state.stage not in world.program:
            return []
        stage, width = world.program[self.state.stage], self.size.width
        title, what = _told(world, stage, language())
        if line == 0:
            formula = world.formulas[stage.name][0] if stage.inputs else ""
            toured = tr("Enter opens it, m shows the tree, T the tour")
            keys = toured if world.is_toured else tr("Enter opens it, m shows the tree")
            title = "" if self._is_told else cut(title, width)
            name = f"{'  ' * bool(title)}{stage.name}{self._drawn_of(stage)}   {formula}"
            name = cut(name, max(0, width - cell_len(title)))
            spare = width - cell_len(title) - cell_len(name) - cell_len(keys)
            told = [(" " * spare + keys, self.ink("quiet"))] if spare >= 2 else []
            return [(title, self.ink("label-here")), (name, self.ink("label")), *told]
        row, column = self._here
        shown = self._rows[row].boxes[column].stage
        picture = self._pictures.get(shown)
        trouble = isinstance(picture, Trouble)
        if isinstance(picture, Trouble):
            what = f"✗ {picture.text}"
        elif shown not in world.held:
            what = why_unread(world, shown)
        lines = first_lines(wrapped(what, width), self._purpose_end - 1, width)
        return [("".join(lines[line - 1 : line]), self.ink("warning" if trouble else "note"))]

    def _drawn_of(self, stage: Stage) -> str:
        """Which text and which head of a stage's value are drawn, where there are several: `[text 1, head 3]`."""
        assert self._position is not None
        world, drawn = self._position.world, list[str]()
        plane = plane_at(stage.name, stage.axes, world.shapes[stage.name], self.state)
        for axis, at, size in zip(plane.axes, plane.fixed, plane.shape, strict=False):
            if size > 1 and axis in ("batch", paged(plane.axes)):
                drawn.append(f"{tr({'batch': 'text', 'hidden': 'channel'}.get(axis, axis))} {at}")
        return f"[{', '.join(drawn)}]" if drawn else ""


@lru_cache(maxsize=256)
def _half_lines(read: Thumbnail, cell: int, palette: Palette) -> paint.HalfLines:
    return paint.HalfLines(read.codes, cell, palette)


@lru_cache(maxsize=2)
def _told(world: World, stage: Stage, language: str) -> tuple[str, str]:
    """Title and purpose of a stage; once for both lines and for every key that stays."""
    from ...engine.analysis.explain import stage_text
    from ...engine.analysis.explain.texts import axis_sizes

    text = stage_text(stage, world.program, language, axis_sizes(stage, world.program, world.shapes, world.tokens))
    return text.title, text.what
