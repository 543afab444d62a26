"""The heat map: a value's plane in colours, with labels, a legend and the exact number under the cell cursor."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, ClassVar

import numpy.typing as npt
from rich.style import Style

from ...engine.messages.translation import tr
from ...engine.program.index import TOKEN_AXES
from ..drawing import heat_paint as paint
from ..drawing.heat_legend import legend
from ..drawing.numbers import decimals_for
from ..drawing.scroll_position import scroll_positions
from ..drawing.text import cell_len, chunks, cut, fit, stacked
from ..reading.heat import Heat, read_heat
from ..reading.window import WHOLE_PLANE, Bounds, all_of, bounds_around, reads_whole
from ..state.plane import Plane, column_label, fitted, origin_for, row_labels, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.heat import HeatLayout, broken, label_width, layout_of
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView


class HeatMap(ValueView):
    """A plane in colours."""

    name_of_view: ClassVar[str] = "heat"
    hidden_word: ClassVar[str] = "masked"
    most_cells: ClassVar[int] = WHOLE_PLANE

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._origin = (0, 0)
        self._layout: HeatLayout | None = None
        self._row_labels: tuple[str, ...] = ()

    # -- what is needed --------------------------------------------------------------------------------------

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        if reads_whole(plane, self.most_cells):
            bounds = all_of(plane)
        else:
            layout = self._layout_for(subject, plane, signed=True)
            row, column = self._origin_in(plane, layout)
            last_row, last_column = row + layout.rows, column + layout.columns
            shown = self.shown
            held = shown.frame.bounds if shown and (shown.plane, shown.subject) == (plane, subject) else None
            inside = held is not None and held.hold(row, last_row, column, last_column)
            bounds = held if held and inside else bounds_around(plane, row, last_row, column, last_column)
        return self.request_of(subject, plane, bounds)

    def request_of(self, subject: Subject, plane: Plane, bounds: Bounds) -> PictureRequest:
        """What paints a window of a plane."""
        gain, dtype = self.state.gain, subject.dtype
        key = (subject, plane, bounds, gain)
        return PictureRequest(key, lambda session: read_heat(session, plane, bounds, gain, dtype), bounds.cells * 9)

    @property
    def foot(self) -> int:
        """How many lines there are below the legend."""
        return 1

    def _layout_for(self, subject: Subject, plane: Plane, *, signed: bool) -> HeatLayout:
        labels = [column_label(plane, subject, self.state.row, column) for column in range(min(plane.columns, 64))]
        colours = self.has_colours
        return layout_of(
            plane.rows, plane.columns, row_labels(plane, subject), labels, self.size.width, self.size.height - self.foot,
            narrowest=1 if colours or not signed else 2, halves=colours,
        )  # fmt: skip

    def _origin_in(self, plane: Plane, layout: HeatLayout) -> tuple[int, int]:
        row = max(0, min(self.state.row, plane.rows - 1))
        column = max(0, min(self.state.column, plane.columns - 1))
        top = origin_for(self._origin[0], row, layout.rows, plane.rows)
        if layout.half and plane.rows > layout.rows:
            top = min(top + top % 2, plane.rows)  # pairs of rows keep their colours together while scrolling
            top = top if row >= top else top - 2
        return top, origin_for(self._origin[1], column, layout.columns, plane.columns)

    # -- what changes ----------------------------------------------------------------------------------------

    def arrived(self, shown: Shown) -> None:
        self._strips.clear()
        self._layout = self._layout_for(shown.subject, shown.plane, signed=shown.frame.scale.signed)
        self._origin = self._origin_in(shown.plane, self._layout)
        self._row_labels = row_labels(shown.plane, shown.subject)

    def changed(self, shown: Shown, before: ViewState) -> None:
        layout = self._layout
        if layout is None:
            return
        if shown.plane.row_axis == "batch" and before.row != self.state.row:
            self.arrived(shown)  # another text, other labels
            self.refresh()
            return
        origin = self._origin_in(shown.plane, layout)
        if origin != self._origin:
            self._origin = origin
            self.refresh()
            return
        lines = {layout.header + layout.line_of(row - origin[0]) + more for row in (before.row, self.state.row)
                 for more in range(max(1, layout.cell_height))}  # fmt: skip
        height = self.size.height
        lines |= {*range(layout.header), *range(height - self.foot, height)}
        self.refresh_lines(y for y in lines if 0 <= y < height)

    @property
    def page(self) -> tuple[int, int]:
        return (self._layout.rows, self._layout.columns) if self._layout else super().page

    def place_at(self, x: int, y: int) -> ViewState | None:
        layout = self._layout
        if layout is None or self.shown is None or x < layout.gutter or not 0 <= y - layout.header < layout.body:
            return None
        row = self._origin[0] + layout.rows_at(y - layout.header)[0]
        column = self._origin[1] + (x - layout.gutter) // layout.cell_width
        inside = row < self.shown.plane.rows and column < self.shown.plane.columns
        return replace(self.state, row=row, column=column) if inside else None

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout = self._layout
        if layout is None:
            return []
        if shown.plane.size == 0:
            return [(tr("an axis has size 0: there is nothing in it"), self.ink("note"))] if y == 0 else []
        foot = self.size.height - self.foot
        if y >= foot:
            return self.foot_line(shown, y - foot)
        if layout.legend and y == foot - 1:
            return self._legend(shown)
        if y < layout.header:
            return self._labels(shown, y) if layout.label_lines else self._ruler(shown)
        line = y - layout.header
        row, count = layout.rows_at(line)
        row += self._origin[0]
        if line >= layout.body or row >= shown.plane.rows:
            return []
        here, column = self.cell
        at: int | None = here if row <= here < row + count else None
        return [*self._label(line, row, at), *self._cells(shown, line, row, at, column)]

    def line_key(self, y: int) -> Hashable | None:
        layout = self._layout
        if layout is None or not 0 <= y - layout.header < layout.body:
            return None
        row, count = layout.rows_at(y - layout.header)
        row += self._origin[0]
        # the cursor's own line is painted anew; of a tall cell each line differs
        part = (y - layout.header) % max(1, layout.cell_height)
        return None if row <= self.cell[0] < row + count else (row, part, self._origin[1])

    def _label(self, line: int, row: int, here: int | None) -> StyledPieces:
        layout = self._layout
        assert layout is not None
        if not layout.gutter:
            return []
        if layout.cell_height > 1 and line % layout.cell_height:
            return [(" " * layout.gutter, self.ink("label"))]
        text = self._row_labels[row if here is None else here]
        marker = " " if here is None else "▸" if not layout.half else "▀" if here == row else "▄"
        label = fitted(text, layout.gutter - 2)
        return [(f"{marker}{label} ", self.ink("label" if here is None else "label-here"))]

    def _cells(self, shown: Shown, line: int, row: int, here: int | None, column: int) -> StyledPieces:
        layout, heat = self._layout, shown.frame
        assert layout is not None
        left, down = self._origin[1] - heat.bounds.column, row - heat.bounds.row
        if not (0 <= down < len(heat.codes) and left >= 0):
            return []  # scrolled out of what has been read; the rest is on its way
        codes = heat.codes[:, left : left + layout.columns]
        at = column - self._origin[1] if here is not None else -1
        at = at if at < codes.shape[1] else -1
        palette, width = self.palette(signed=heat.scale.signed), layout.cell_width
        if layout.half:
            lower = codes[down + 1] if down + 1 < len(codes) else None
            if at < 0:
                return paint.halves(codes[down], lower, width, palette)
            return paint.halves_with_cursor(codes[down], lower, width, palette, at, above=here == row)
        numbers: list[str] = []
        if width >= 4 and line % layout.cell_height == (layout.cell_height - 1) // 2:
            numbers = self.numbers_in(heat, heat.window.numbers[down, left : left + layout.columns], width)
        if not self.has_colours:
            return paint.shades(codes[down], numbers, width, signed=heat.scale.signed, at=at)
        if at < 0:
            return paint.large(codes[down], numbers, width, palette)
        return paint.large_with_cursor(codes[down], numbers, width, palette, at)

    def numbers_in(self, heat: Heat, numbers: npt.NDArray[Any], width: int) -> list[str]:
        """What is written in the cells of a line."""
        signed = heat.scale.signed
        room = width - 1 if self.has_colours else width - 2
        largest = max(abs(heat.scale.low), abs(heat.scale.high))
        decimals = decimals_for(largest, room, signed=signed) if numbers.dtype.kind == "f" else 0
        return paint.in_cells(numbers, room, decimals, signed=signed)

    def _labels(self, shown: Shown, y: int) -> StyledPieces:
        """A line of the column labels, each broken to the width of its cells."""
        layout, (row, here) = self._layout, self.cell
        assert layout is not None
        words = [(" " * layout.gutter, self.ink("label"))]
        width = layout.cell_width
        for column in range(self._origin[1], self._origin[1] + layout.columns):
            text = column_label(shown.plane, shown.subject, row, column)
            lines = stacked(broken(text, width), label_width(width), layout.label_lines)
            part = fit(lines[y], max(width, cell_len(lines[y])), "center")
            words.append((part, self.ink("label-here" if column == here else "label")))
        return words

    def _ruler(self, shown: Shown) -> StyledPieces:
        """Numbers of some columns, or the first letters of the tokens they are; above the cursor its column's label."""
        layout, (row, here) = self._layout, self.cell
        assert layout is not None
        width, plane = max(0, self.size.width - layout.gutter), shown.plane
        ticks = [" "] * width
        step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if step * layout.cell_width >= 8)
        for column in range(-(-self._origin[1] // step) * step, self._origin[1] + layout.columns, step):
            at, text = (column - self._origin[1]) * layout.cell_width, str(column)
            if at + len(text) <= width:
                ticks[at : at + len(text)] = text
        letters = self._letters(shown, row)
        mark = "▾" + cut(column_label(plane, shown.subject, row, here), max(1, width // 2 - 1))
        at = (here - self._origin[1]) * layout.cell_width + (layout.cell_width - 1) // 2
        if at + cell_len(mark) > width:  # no room to the right of the cursor
            mark = mark[1:] + "▾"
            at = at - cell_len(mark) + 1
        end = at + cell_len(mark)
        quiet = self.ink("quiet")
        gutter = (" " * layout.gutter, quiet)
        if letters:
            return [gutter, *_cut(letters, 0, max(0, at)), (mark, self.ink("label-here")), *_cut(letters, end, width)]
        before, after = "".join(ticks[: max(0, at)]), "".join(ticks[end:])
        # a number the mark has cut in two would read as another number
        before = before if before.endswith(" ") or not before else before.rpartition(" ")[0].ljust(len(before))
        after = after if after.startswith(" ") or not after else after.partition(" ")[2].rjust(len(after))
        return [gutter, (before, quiet), (mark, self.ink("label-here")), (after, quiet)]

    def _letters(self, shown: Shown, row: int) -> list[tuple[str, Style]]:
        """As much of every column's token as its cell has room for, cell by cell; empty where columns are no tokens."""
        layout, plane = self._layout, shown.plane
        assert layout is not None
        if layout.cell_width < 2 or plane.column_axis not in TOKEN_AXES:
            return []
        # neighbours differ in brightness; without colours a column is left free between them
        room = layout.cell_width if self.has_colours else layout.cell_width - 1
        inks = self.ink("label"), self.ink("quiet")
        cells: list[tuple[str, Style]] = []
        for column in range(self._origin[1], min(plane.columns, self._origin[1] + layout.columns)):
            label = column_label(plane, shown.subject, row, column)
            text = next((part for part in chunks(label, room) if cell_len(part) <= room), "")
            cells.append((fit(text, layout.cell_width), inks[column % 2]))
        return cells

    def _legend(self, shown: Shown) -> StyledPieces:
        scale = shown.frame.scale
        palette = self.palette(signed=scale.signed) if self.has_colours else None
        layout = self._layout
        where = (
            scroll_positions((shown.plane.rows, shown.plane.columns), *self._origin, layout.rows, layout.columns)
            if layout
            else ()
        )
        return legend(
            scale, palette, where, self.size.width, self.state.gain, self.hidden_word,
            quiet=self.ink("quiet"), note=self.ink("label"), warning=self.ink("warning"),
        )  # fmt: skip

    def foot_line(self, shown: Shown, line: int) -> StyledPieces:
        """The number under the cursor, exactly, and where it is."""
        row, column = self.cell
        number = shown.frame.window.at(row, column)
        return self.status_words(written_place(shown.plane, shown.subject, row, column), number)


def _cut(cells: list[tuple[str, Style]], start: int, stop: int) -> list[tuple[str, Style]]:
    """The cells that lie wholly between two columns, with spaces for those that are cut."""
    kept: list[tuple[str, Style]] = []
    at = 0
    for text, style in cells:
        wide = cell_len(text)
        inside = start <= at and at + wide <= stop
        shown = max(0, min(at + wide, stop) - max(at, start))
        kept.append((text if inside else " " * shown, style))
        at += wide
    return kept
