"""All of a value in one picture, however large it is, and below it a lens: the exact numbers around the cursor."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing import heat_paint as paint
from ..drawing.colours import Palette
from ..drawing.heat_legend import legend
from ..drawing.numbers import Aligned, aligned_for
from ..drawing.scroll_position import with_axes
from ..drawing.text import cell_len, cut, fit, widest
from ..reading.whole import Sampled, read_whole
from ..reading.window import all_of, bounds_around, reads_whole
from ..state.plane import (
    Plane,
    axes_named,
    axes_that_fit,
    column_label,
    fitted,
    row_labels,
    some_column_labels,
    written_place,
)
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.heat import placed
from .layouts.whole import WholeLayout, part_of, part_sizes, whole_of
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

FEW = 1 << 20  # numbers that are kept all, so that the cursor moves without another reading
AROUND = 32  # rows and columns beside the cursor that are kept of a plane that is larger
GAP = 2


class WholeMap(ValueView):
    """A plane in as many cells as there are; arrows move by one number, pages by an eighth of the plane."""

    name_of_view: ClassVar[str] = "whole"
    smallest: ClassVar[tuple[int, int]] = (16, 5)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._layout: WholeLayout | None = None
        self._labels: tuple[str, ...] = ()
        self._half_lines: tuple[object, paint.HalfLines] | None = None
        self._written: tuple[object, Aligned] | None = None  # how the numbers of the lens are written, and of what

    # -- what is needed --------------------------------------------------------------------------------------

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        layout = self._layout_for(subject, plane)
        size, look, shown = (layout.rows, layout.columns), (self.state.gain, self.state.whole), self.shown
        row, column = min(self.state.row, max(0, plane.rows - 1)), min(self.state.column, max(0, plane.columns - 1))
        ends = min(plane.rows, row + AROUND), min(plane.columns, column + AROUND)
        start = max(0, row - AROUND), max(0, column - AROUND)
        around = bounds_around(plane, start[0], ends[0], start[1], ends[1])
        around = all_of(plane) if reads_whole(plane, FEW) else around
        asked = (subject, plane, size, look)
        held: Sampled | None = None
        if shown is not None and (shown.subject, shown.plane) == (subject, plane) and shown.frame.asked == (size, look):
            held = shown.frame.sampled

        return PictureRequest(
            (*asked, around),
            lambda session: read_whole(session, plane, size, around, look, held),
            around.cells * 8 + size[0] * size[1],
        )

    def _layout_for(self, subject: Subject, plane: Plane) -> WholeLayout:
        narrowest = 1 if self.has_colours else 2
        label = widest(row_labels(plane, subject))
        return whole_of(
            plane.rows, plane.columns, label, self.size.width, self.size.height - 3,
            halves=self.has_colours, narrowest=narrowest,
        )  # fmt: skip

    def arrived(self, shown: Shown) -> None:
        self._layout = self._layout_for(shown.subject, shown.plane)
        self._labels = row_labels(shown.plane, shown.subject)

    @property
    def page(self) -> tuple[int, int]:
        plane = self.shown.plane if self.shown is not None else None
        return (max(1, plane.rows // 8), max(1, plane.columns // 8)) if plane is not None else super().page

    def place_at(self, x: int, y: int) -> ViewState | None:
        layout = self._layout
        if layout is None or self.shown is None or not 1 <= y <= layout.body or x < layout.gutter:
            return None
        sampled: Sampled = self.shown.frame.sampled
        parts = 2 if self.has_colours else 1
        down, across = (y - 1) * parts // layout.cell_height, (x - layout.gutter) // layout.cell_width
        if down >= len(sampled.rows) - 1 or across >= len(sampled.columns) - 1:
            return None
        return replace(self.state, row=sampled.rows[down], column=sampled.columns[across])

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout, height = self._layout, self.size.height
        if layout is None:
            return []
        if shown.plane.size == 0:
            return [(tr("an axis has size 0: there is nothing in it"), self.ink("note"))] if y == 0 else []
        row, column = self.cell
        if y == height - 1:
            return self.status_words(
                written_place(shown.plane, shown.subject, row, column), shown.frame.window.at(row, column)
            )
        if y == height - 2:
            return self._legend(shown)
        if y == 0:
            return self._ruler(shown, layout)
        if y <= layout.body:
            return self._line(shown, layout, y - 1)
        line = y - (height - 2 - layout.lens - 1)
        return self._lens(shown, layout, line) if layout.lens and line >= 0 else []

    def _ruler(self, shown: Shown, layout: WholeLayout) -> StyledPieces:
        """The labels of some columns, each from the cell on that begins with it, and the cursor's before all others."""
        sampled: Sampled = shown.frame.sampled
        (row, here), at = self.cell, part_of(sampled.columns, self.cell[1])
        width = max(0, self.size.width - layout.gutter)
        step = 1 if layout.cell_width * (len(sampled.columns) - 1) < 10 else -(-10 // layout.cell_width)
        labels = [""] * (len(sampled.columns) - 1)
        labels[::step] = some_column_labels(shown.plane, shown.subject, row, sampled.columns[:-1:step])
        mark = cut(column_label(shown.plane, shown.subject, row, here), max(1, width // 2))
        starts = [part * layout.cell_width for part in range(len(labels))]
        labels[at] = f"▾{mark}" if starts[at] + cell_len(mark) < width else f"{mark}▾"
        words: list[tuple[str, Style]] = [
            (fit(axes_that_fit(shown.plane, layout.gutter - 1), layout.gutter), self.ink("quiet"))
        ]
        used = 0
        for part, (_, start) in sorted(placed(labels, starts, width, 1, at).items()):
            ink = self.ink("label-here" if part == at else "quiet")
            words += [(" " * (start - used), ink), (labels[part], ink)]
            used = start + cell_len(labels[part])
        return words

    def _line(self, shown: Shown, layout: WholeLayout, line: int) -> StyledPieces:
        sampled: Sampled = shown.frame.sampled
        parts = 2 if self.has_colours else 1
        upper, lower = (parts * line) // layout.cell_height, (parts * line + parts - 1) // layout.cell_height
        count, here = len(sampled.rows) - 1, part_of(sampled.rows, self.cell[0])
        if upper >= count:
            return []
        is_here = here in (upper, lower)
        label = self._labels[self.cell[0] if is_here else sampled.rows[upper]]
        begins = (parts * line) % layout.cell_height == 0 or layout.cell_height < parts
        text = fitted(label if begins else "", layout.gutter - 1)
        words: list[tuple[str, Style]] = [(f"{text} ", self.ink("label-here" if is_here else "label"))]
        at = part_of(sampled.columns, self.cell[1]) if is_here else -1
        codes, width, signed = sampled.codes, layout.cell_width, sampled.scale.signed
        if not self.has_colours:
            return [*words, *paint.shades(codes[upper], [], width, signed=signed, at=at)]
        palette = self.palette(signed=signed)
        if upper == lower and lower < count and layout.cell_height >= parts:
            if at < 0:
                return [*words, *paint.large(codes[upper], [], width, palette)]
            return [*words, *paint.large_with_cursor(codes[upper], [], width, palette, at)]
        if at < 0 and layout.cell_height == 1:
            return [*words, *self._halves(sampled, palette).line(line)]
        below = codes[lower] if lower < count else None
        if at < 0:
            return [*words, *paint.halves(codes[upper], below, width, palette)]
        return [*words, *paint.halves_with_cursor(codes[upper], below, width, palette, at, above=here == upper)]

    def _halves(self, sampled: Sampled, palette: Palette) -> paint.HalfLines:
        assert self._layout is not None
        of = sampled, self._layout.cell_width, palette
        if self._half_lines is None or self._half_lines[0] != of:
            self._half_lines = (
                of,
                paint.HalfLines(sampled.codes[: len(sampled.rows) - 1], self._layout.cell_width, palette),
            )
        return self._half_lines[1]

    def _lens(self, shown: Shown, layout: WholeLayout, line: int) -> StyledPieces:
        """The numbers around the cursor, under each other, as exact as the view of numbers has them."""
        plane, window = shown.plane, shown.frame.window
        (row, column), across = self.cell, AROUND
        first = max(0, min(row - layout.lens // 2, plane.rows - layout.lens))
        left = max(0, column - across // 2)
        of = window, first, left, layout.lens
        if self._written is None or self._written[0] != of:  # once for all lines
            near = window.numbers[max(0, first - window.row) :][: layout.lens, max(0, left - window.column) :][
                :, :across
            ]
            self._written = of, aligned_for(near)
        written = self._written[1]
        step = written.width + GAP
        shown_columns = max(1, min(plane.columns, (self.size.width - layout.gutter + GAP) // step))
        left = max(0, min(column - shown_columns // 2, plane.columns - shown_columns))
        columns = range(left, left + shown_columns)
        if line == 0:
            words: list[tuple[str, Style]] = [(fit("⌕", layout.gutter - 1, "right") + " ", self.ink("quiet"))]
            for each in columns:
                label = fit(column_label(plane, shown.subject, row, each), written.width) + " " * GAP
                words.append((label, self.ink("label-here" if each == column else "label")))
            return words
        at = first + line - 1
        if at >= plane.rows:
            return []
        label = fitted(self._labels[at], layout.gutter - 1)
        words = [(f"{label} ", self.ink("label-here" if at == row else "label"))]
        for each in columns:
            number = window.at(at, each)
            text = "…".rjust(written.width) if number is None else written.write(number)
            ink = self.ink("cursor" if (at, each) == (row, column) else "note" if number else "quiet")
            words += [(text, ink), (" " * GAP, self.ink("note"))]
        return words

    def _legend(self, shown: Shown) -> StyledPieces:
        sampled: Sampled = shown.frame.sampled
        down, across = part_sizes(sampled.rows), part_sizes(sampled.columns)
        part = {"rows": down, "columns": across}
        if (down, across) == ("1", "1"):
            said = (tr("each cell is one number"),)
        elif self.state.whole == "mean":
            said = (
                tr("each cell is the mean of {rows} × {columns}", **part),
                tr("cell: mean of {rows} × {columns}", **part),
                tr("mean of {rows}×{columns}", **part),
            )
        else:
            said = (
                tr("each cell is the largest |x| of {rows} × {columns}", **part),
                tr("cell: max |x| of {rows} × {columns}", **part),
                tr("max |x| of {rows}×{columns}", **part),
            )
        if sampled.every > 1:
            said = tuple(f"{form}, {tr('one row in {every} read', every=sampled.every)}" for form in said)
        unnamed = self._layout is not None and not axes_that_fit(shown.plane, self._layout.gutter - 1)
        where = with_axes(axes_named(shown.plane), said) if unnamed else said
        return legend(
            sampled.scale, self.palette(signed=sampled.scale.signed) if self.has_colours else None,
            where, self.size.width, self.state.gain,
            quiet=self.ink("label"), note=self.ink("label"), warning=self.ink("warning"),
        )  # fmt: skip
