"""The heat map: a value's plane in colours, with labels, a legend and the exact number under the cell cursor."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing import heat_paint as paint
from ..drawing.colours import Palette
from ..drawing.heat_legend import legend, short_legend
from ..drawing.numbers import decimals_for
from ..drawing.scroll_position import scroll_positions, with_axes
from ..drawing.text import cell_len, cut, fit, stacked
from ..reading.heat import Heat, read_heat
from ..reading.window import WHOLE_PLANE, Bounds, all_of, bounds_around, bounds_from, reads_whole
from ..state.plane import (
    Plane,
    axes_named,
    axes_that_fit,
    fitted,
    origin_for,
    part_beginning,
    row_labels,
    some_column_labels,
    written_place,
)
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.heat import HeatLayout, broken, label_width, layout_of, placed
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
        self._half_lines: tuple[object, paint.HalfLines] | None = None

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
        labels = some_column_labels(plane, subject, self.state.row, range(min(plane.columns, 64)))
        colours = self.has_colours
        return layout_of(
            plane.rows, plane.columns, row_labels(plane, subject), labels, self.size.width, self.size.height - self.foot,
            narrowest=1 if colours or not signed else 2, halves=colours, ruled=bool(part_beginning(subject, plane, 0)),
        )  # fmt: skip

    def _origin_in(self, plane: Plane, layout: HeatLayout) -> tuple[int, int]:
        row = max(0, min(self.state.row, plane.rows - 1))
        column = max(0, min(self.state.column, plane.columns - 1))
        top = origin_for(self._origin[0], row, layout.rows, plane.rows)
        if layout.half and plane.rows > layout.rows:
            top = min(top + top % 2, plane.rows)  # pairs of rows keep their colours together while scrolling
            top = top if row >= top else top - 2
        return top, origin_for(self._origin[1], column, layout.columns, plane.columns)

    def on_screen(self, plane: Plane) -> Bounds:
        layout = self._layout
        return bounds_from(plane, self._origin, layout.rows, layout.columns) if layout else super().on_screen(plane)

    # -- what changes ----------------------------------------------------------------------------------------

    def arrived(self, shown: Shown) -> None:
        self._layout = self._layout_for(shown.subject, shown.plane, signed=shown.frame.scale.signed)
        self._origin = self._origin_in(shown.plane, self._layout)
        self._row_labels = row_labels(shown.plane, shown.subject)

    def changed(self, shown: Shown, before: ViewState) -> None:
        layout = self._layout
        if layout is None:
            return
        if shown.plane.row_axis == "batch" and before.row != self.state.row:
            self.arrived(shown)  # another text, other labels
            self.redraw()
            return
        origin = self._origin_in(shown.plane, layout)
        if origin != self._origin:
            self._origin = origin
            self.redraw()
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
            words = self.foot_line(shown, y - foot)
            return words if layout.legend or y < self.size.height - 1 else [*words, *self._scale_beside(shown, words)]
        if layout.legend and y == foot - 1:
            return self._legend(shown)
        if y < layout.header:
            return self._labels(shown, y) if layout.label_lines else self._ruler(shown, y)
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
        return None if row <= self.cell[0] < row + count else (layout, row, part, self._origin[1])

    def _label(self, line: int, row: int, here: int | None) -> StyledPieces:
        layout = self._layout
        assert layout is not None
        if not layout.gutter:
            return []
        if not layout.half and line % layout.cell_height != layout.middle:
            return [(" " * layout.gutter, self.ink("label"))]
        marker = " " if here is None else "▸" if not layout.half else "▀" if here == row else "▄"
        if layout.paired:
            return self._both(layout, row, here, marker)
        label = fitted(self._row_labels[row if here is None else here], layout.gutter - 2)
        return [(f"{marker}{label} ", self.ink("label" if here is None else "label-here"))]

    def _both(self, layout: HeatLayout, row: int, here: int | None, marker: str) -> StyledPieces:
        """The labels of the two rows of a line, the upper one's first."""
        wide = layout.gutter // 2 - 1
        words: StyledPieces = [(marker, self.ink("label-here"))]
        for each in (row, row + 1):
            text = fitted(self._row_labels[each], wide) if each < len(self._row_labels) else " " * wide
            words.append((text + " ", self.ink("label-here" if each == here else "label")))
        return words

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
            if at < 0:
                return self._halves(heat, codes, down, palette)
            lower = codes[down + 1] if down + 1 < len(codes) else None
            return paint.halves_with_cursor(codes[down], lower, width, palette, at, above=here == row)
        numbers: list[str] = []
        if width >= 4 and line % layout.cell_height == layout.middle:
            numbers = self.numbers_in(heat, heat.window.numbers[down, left : left + layout.columns], width)
        if not self.has_colours:
            return paint.shades(codes[down], numbers, width, signed=heat.scale.signed, at=at)
        if at < 0:
            return paint.large(codes[down], numbers, width, palette)
        return paint.large_with_cursor(codes[down], numbers, width, palette, at)

    def _halves(self, heat: Heat, codes: npt.NDArray[np.uint8], down: int, palette: Palette) -> StyledPieces:
        """Two rows of the picture in a line, from the one `down` on; all on screen are worked out together, once."""
        layout, of = self._layout, (heat, self._layout, self._origin, palette)
        assert layout is not None
        first = self._origin[0] - heat.bounds.row
        first = first if first >= 0 else first % 2
        if self._half_lines is None or self._half_lines[0] != of:
            rows = codes[first : first + 2 * layout.body]
            self._half_lines = of, paint.HalfLines(rows, layout.cell_width, palette)
        return self._half_lines[1].line((down - first) // 2)

    def numbers_in(self, heat: Heat, numbers: npt.NDArray[Any], width: int) -> list[str]:
        """What is written in the cells of a line."""
        signed = heat.scale.signed
        room = width - 1 if self.has_colours else width - 2
        largest = max(abs(heat.scale.low), abs(heat.scale.high))
        if numbers.dtype.kind in "iu":  # an id, a place: 2,461 is not about 2,000
            fits = len(str(int(largest))) + signed <= room
            return paint.in_cells(numbers, room, 0, signed=signed) if fits else []
        decimals = decimals_for(largest, room, signed=signed) if numbers.dtype.kind == "f" else 0
        most = width if self.has_colours and signed else room  # a sign keeps a number apart from the one before it
        return paint.in_cells(numbers, room, decimals, signed=signed, most=most)

    def _labels(self, shown: Shown, y: int) -> StyledPieces:
        """A line of the column labels, each broken to the width of its cells."""
        layout, (row, here) = self._layout, self.cell
        assert layout is not None
        words: StyledPieces = [self._corner(shown.plane, y)]
        width = layout.cell_width
        columns = range(self._origin[1], self._origin[1] + layout.columns)
        for column, text in zip(columns, some_column_labels(shown.plane, shown.subject, row, columns), strict=True):
            lines = stacked(broken(text, width), label_width(width), layout.label_lines)
            part = fit(lines[y], max(width, cell_len(lines[y])), "center")
            words.append((part, self.ink("label-here" if column == here else "label")))
        return words

    def _ruler(self, shown: Shown, y: int) -> StyledPieces:
        """Labels of as many columns as have room for theirs, each from its column on, and the cursor's before all others."""
        layout, (row, here) = self._layout, self.cell
        assert layout is not None
        columns = range(self._origin[1], min(shown.plane.columns, self._origin[1] + layout.columns))
        labels = some_column_labels(shown.plane, shown.subject, row, columns)
        if all(label.isdecimal() for label in labels):
            step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500) if step * layout.cell_width >= 8)
            labels = [
                label * (column % step == 0 or column == here) for column, label in zip(columns, labels, strict=True)
            ]
        labels = self._with_parts(shown, columns, labels)
        at, width = here - self._origin[1], max(0, self.size.width - layout.gutter)
        labels[at] = cut(labels[at], max(1, width // 2 - 1))
        starts = [column * layout.cell_width for column in range(len(labels))]
        end = starts[at] + cell_len(labels[at]) + 1
        labels[at] = f"▾{labels[at]}" if end <= width else f"{labels[at]}▾"
        words: StyledPieces = [self._corner(shown.plane, y)]
        used = 0
        for number, (line, start) in sorted(placed(labels, starts, width, layout.header, at).items()):
            if line == layout.header - 1 - y:
                ink = "label-here" if number == at else "label" if number % 2 else "quiet"
                words += [(" " * (start - used), self.ink("label")), (labels[number], self.ink(ink))]
                used = start + cell_len(labels[number])
        return words

    def _with_parts(self, shown: Shown, columns: range, labels: list[str]) -> list[str]:
        """The labels of a ruler with those of the parts that begin there, which go before others."""
        subject, wide = shown.subject, self._layout.cell_width if self._layout else 1
        named = {column: part for column in columns if (part := part_beginning(subject, shown.plane, column))}
        free = 0
        marked: list[str] = []
        for column, text in zip(columns, labels, strict=True):
            part = named.get(column, "")
            if part:
                text = part if column == self.cell[1] else f"┊{part}"  # the cursor's mark takes the border's place
                free = column * wide + cell_len(part) + 3
            elif named and column != self.cell[1]:
                ahead = (subject.joined - column % subject.joined) * wide
                text = text if column * wide >= free and cell_len(text) < ahead else ""
            marked.append(text)
        return marked

    def _corner(self, plane: Plane, y: int) -> tuple[str, Style]:
        """The names of the axes, above the labels of rows and before those of columns."""
        layout = self._layout
        assert layout is not None
        name = axes_that_fit(plane, layout.gutter - 1) if y == layout.header - 1 else ""
        return fit(name, layout.gutter), self.ink("quiet")

    def _legend(self, shown: Shown) -> StyledPieces:
        scale = shown.frame.scale
        palette = self.palette(signed=scale.signed) if self.has_colours else None
        layout, plane = self._layout, shown.plane
        assert layout is not None
        where = scroll_positions((plane.rows, plane.columns), *self._origin, layout.rows, layout.columns)
        unnamed = not (layout.header and axes_that_fit(plane, layout.gutter - 1))
        where = with_axes(axes_named(plane), where) if unnamed else where
        return legend(
            scale, palette, where, self.size.width, self.state.gain, self.hidden_word,
            quiet=self.ink("quiet"), note=self.ink("label"), warning=self.ink("warning"),
        )  # fmt: skip

    def _scale_beside(self, shown: Shown, words: StyledPieces) -> StyledPieces:
        """The ends of the scale, at the end of the last line, where the legend has given way to rows."""
        scale = shown.frame.scale
        palette = self.palette(signed=scale.signed) if self.has_colours else None
        room = self.size.width - sum(cell_len(text) for text, _ in words)
        return short_legend(scale, palette, room, quiet=self.ink("quiet"), note=self.ink("label"))

    def foot_line(self, shown: Shown, line: int) -> StyledPieces:
        """The number under the cursor, exactly, and where it is."""
        row, column = self.cell
        number = shown.frame.window.at(row, column)
        return self.status_words(written_place(shown.plane, shown.subject, row, column), number)
