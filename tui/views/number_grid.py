"""The number grid: a window of a value's plane as numbers, rows and columns labelled, points under each other."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from typing import ClassVar

import numpy as np
from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.numbers import Aligned, Worded, aligned_for
from ..drawing.scroll_position import scroll_positions, that_fits
from ..drawing.text import cell_len, fit, widest
from ..reading.window import Bounds, Window, bounds_around, bounds_from, read_window
from ..state.plane import (
    Plane,
    axes_that_fit,
    column_label,
    column_labels,
    fitted,
    origin_for,
    part_beginning,
    row_labels,
    written_place,
)
from ..state.subject import Subject
from ..state.view_state import ViewState
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

GAP = 2
MOST_FOR_LABELS = 7  # cells that a column of whole numbers may have for the sake of its label
BAD = Style(color="#000000", bgcolor="#ff2bd6", bold=True)
BAD_WITHOUT_COLOURS = Style(reverse=True)


class NumberGrid(ValueView):
    """A plane in numbers; reads the window on screen and a page around it."""

    name_of_view: ClassVar[str] = "numbers"
    smallest: ClassVar[tuple[int, int]] = (16, 3)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._origin = (0, 0)
        self._format: Aligned | Worded = Aligned()
        self._formatted: object = None
        self._row_labels: tuple[str, ...] = ()
        self._gutter = self._longest = 0

    # -- what is needed --------------------------------------------------------------------------------------

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        rows, columns = self._rows, max(1, self.size.width // 4)  # as many as there could be at their narrowest
        row, column = self._origin_in(plane, rows, self._columns)
        last_row, last_column = min(plane.rows, row + rows), min(plane.columns, column + columns)
        shown = self.shown
        held = shown.frame if shown and shown.plane == plane and shown.subject == subject else None
        if isinstance(held, Window) and _bounds(held).hold(row, last_row, column, last_column):
            bounds = _bounds(held)
        else:
            bounds = bounds_around(plane, row, last_row, column, last_column)
        cells = (bounds.last_row - bounds.row) * (bounds.last_column - bounds.column)
        return PictureRequest((subject, plane, bounds), lambda session: read_window(session, plane, bounds), cells * 8)

    @property
    def _rows(self) -> int:
        return max(1, self.size.height - 2)  # the labels of the columns above, the status below

    @property
    def _width(self) -> int:
        """Cells of a column: whole numbers and words may be short, and what they are called by is to be read as well."""
        return max(self._format.width, min(self._longest - GAP + 1, MOST_FOR_LABELS))

    @property
    def _ends(self) -> bool:
        """Whether whole numbers end under each other, and what they are called by; with a point, and of words, both begin there."""
        return isinstance(self._format, Aligned) and not self._format.fraction

    @property
    def _step(self) -> int:
        return self._width + GAP

    @property
    def _columns(self) -> int:
        return max(1, (self.size.width - self._gutter + GAP) // self._step)  # behind the last there need be no gap

    def _origin_in(self, plane: Plane, rows: int, columns: int) -> tuple[int, int]:
        row = max(0, min(self.state.row, plane.rows - 1))
        column = max(0, min(self.state.column, plane.columns - 1))
        return (
            origin_for(self._origin[0], row, rows, plane.rows),
            origin_for(self._origin[1], column, columns, plane.columns),
        )

    def on_screen(self, plane: Plane) -> Bounds:
        return bounds_from(plane, self._origin, self._rows, self._columns)

    # -- what changes ----------------------------------------------------------------------------------------

    def arrived(self, shown: Shown) -> None:
        self._strips.clear()
        window: Window = shown.frame
        needed = Worded(window.words) if window.words else aligned_for(window.numbers)
        of = (shown.subject, shown.plane.fixed)
        # while one value is looked at columns may grow wider but never narrower, or they would dance
        self._format = _together(self._format, needed) if self._formatted == of else needed
        self._formatted = of
        self._row_labels = row_labels(shown.plane, shown.subject)
        fraction = isinstance(self._format, Aligned) and self._format.fraction
        self._longest = 0 if fraction else widest(column_labels(shown.plane, shown.subject))
        longest = widest(self._row_labels)
        self._gutter = min(longest, max(4, self.size.width // 5)) + 2
        self._origin = self._origin_in(shown.plane, self._rows, self._columns)

    def changed(self, shown: Shown, before: ViewState) -> None:
        origin = self._origin_in(shown.plane, self._rows, self._columns)
        if origin != self._origin:
            self._origin = origin
            self.redraw()
            return
        lines = {0, self.size.height - 1, *(row - origin[0] + 1 for row in (before.row, self.state.row))}
        self.refresh_lines(y for y in lines if 0 <= y < self.size.height)

    @property
    def page(self) -> tuple[int, int]:
        return self._rows, self._columns

    def place_at(self, x: int, y: int) -> ViewState | None:
        if self.shown is None or x < self._gutter or not 1 <= y <= self._rows:
            return None
        row, column = self._origin[0] + y - 1, self._origin[1] + (x - self._gutter) // self._step
        inside = row < self.shown.plane.rows and column < self.shown.plane.columns
        return replace(self.state, row=row, column=column) if inside else None

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        row, column = self.cell
        if shown.plane.size == 0:
            return [(tr("an axis has size 0: there is nothing in it"), self.ink("note"))] if y == 0 else []
        if y == self.size.height - 1:
            return self._status(shown, row, column)
        if y == 0:
            return self._labels(shown, row, column)
        at = self._origin[0] + y - 1
        if at >= shown.plane.rows:
            return []
        return self._write_row(at, column if at == row else -1)

    def line_key(self, y: int) -> Hashable | None:
        at = self._origin[0] + y - 1
        return (at, self._origin[1]) if 1 <= y <= self._rows and at != self.cell[0] else None

    def _labels(self, shown: Shown, row: int, here: int) -> StyledPieces:
        ends = self._ends
        room, before = self._width + GAP - 1, self._gutter - ends  # of a gap, one cell is enough between words
        words = [(fit(axes_that_fit(shown.plane, before - 1), before), self.ink("quiet"))]
        for column in range(self._origin[1], min(shown.plane.columns, self._origin[1] + self._columns)):
            text = column_label(shown.plane, shown.subject, row, column)
            part = part_beginning(shown.subject, shown.plane, column)
            text = f"┊{part}" if part else text
            text = fit(text, room, "right" if ends else "left") + " "
            words.append((text, self.ink("label-here" if column == here else "label")))
        return words

    def _write_row(self, row: int, here: int) -> list[tuple[str, Style]]:
        """One row; `here` is the cursor's column, or -1 where the cursor is in another row."""
        assert self.shown is not None
        window: Window = self.shown.frame
        label = fitted(self._row_labels[row], self._gutter - 2)
        is_here = here >= 0
        words = [(f"{'▸' if is_here else ' '}{label} ", self.ink("label-here" if is_here else "label"))]
        plain, bad, ends = Style(), BAD if self.has_colours else BAD_WITHOUT_COLOURS, self._ends
        text = ""
        for column in range(self._origin[1], min(self.shown.plane.columns, self._origin[1] + self._columns)):
            number = window.at(row, column)
            cell = "…" if number is None else self._format.write(number)
            spare = " " * (self._width - cell_len(cell))
            cell = spare + cell if ends else cell + spare
            odd = number is not None and isinstance(number, np.floating) and not math.isfinite(number)
            style = self.ink("cursor") if column == here else bad if odd else plain
            if style is plain:
                text += cell + " " * GAP
            else:
                words += [(text, plain), (cell, style)]
                text = " " * GAP
        return [*words, (text, plain)]

    def _status(self, shown: Shown, row: int, column: int) -> StyledPieces:
        words = list(
            self.status_words(written_place(shown.plane, shown.subject, row, column), shown.frame.at(row, column))
        )
        word = shown.frame.words.get(shown.frame.at(row, column))
        if word is not None:
            words.append((f' "{word}"', self.ink("label-here")))
        forms = scroll_positions((shown.plane.rows, shown.plane.columns), *self._origin, self._rows, self._columns)
        room = self.size.width - sum(cell_len(text) for text, _ in words)
        return [*words, (that_fits(forms, room), self.ink("quiet"))]


def _together(one: Aligned | Worded, other: Aligned | Worded) -> Aligned | Worded:
    """A format that takes what both take."""
    if isinstance(one, Aligned) and isinstance(other, Aligned):
        return one.wider(other)
    return one.wider(other) if isinstance(one, Worded) and isinstance(other, Worded) else other


def _bounds(window: Window) -> Bounds:
    rows, columns = window.numbers.shape
    return Bounds(window.row, window.row + rows, window.column, window.column + columns)
