"""A window of a plane: the numbers on screen and a few around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...engine.program.addresses import AT
from ..drawing.numbers import Scalar
from ..state.plane import Plane

if TYPE_CHECKING:
    from ...engine.commands.session import Session

WHOLE_PLANE = 1 << 24  # elements; beyond this a plane is read a window at a time
TILE_ROWS, TILE_COLUMNS = 64, 128


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Numbers of a plane from `row` and `column` on; for ids, the tokens they are as well."""

    row: int
    column: int
    numbers: npt.NDArray[Any]
    words: Mapping[int, str] = field(default_factory=dict[int, str])

    def at(self, row: int, column: int) -> Scalar | None:
        """The number of a cell of the plane; None when the window does not hold it."""
        down, across = row - self.row, column - self.column
        inside = 0 <= down < self.numbers.shape[0] and 0 <= across < self.numbers.shape[1]
        return self.numbers[down, across] if inside else None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which rows and columns of a plane a window holds."""

    row: int
    last_row: int
    column: int
    last_column: int

    @property
    def cells(self) -> int:
        """How many cells they hold."""
        return (self.last_row - self.row) * (self.last_column - self.column)

    def hold(self, row: int, last_row: int, column: int, last_column: int) -> bool:
        """Whether all of these rows and columns (the last ones not included) are inside."""
        return (
            self.row <= row and last_row <= self.last_row and self.column <= column and last_column <= self.last_column
        )


def all_of(plane: Plane) -> Bounds:
    """The bounds of the whole plane."""
    return Bounds(0, plane.rows, 0, plane.columns)


def bounds_from(plane: Plane, origin: tuple[int, int], rows: int, columns: int) -> Bounds:
    """So many rows and columns from an origin on, as far as the plane goes."""
    row, column = origin
    return Bounds(row, min(plane.rows, row + rows), column, min(plane.columns, column + columns))


def reads_whole(plane: Plane, most: int = WHOLE_PLANE) -> bool:
    """Whether a plane is read at once: not when it is huge, nor over a vocabulary, where rows may be made when read."""
    return plane.size <= most and plane.column_axis != "vocabulary"


def bounds_around(plane: Plane, row: int, last_row: int, column: int, last_column: int) -> Bounds:
    """What to read when these rows and columns are on screen: a page more on every side, cut at tiles.

    Tiles keep the window, and with it the colour scale and the width of numbers, the same over many cursor moves.
    """
    tall, wide = last_row - row, last_column - column
    first = max(0, row - tall) // TILE_ROWS * TILE_ROWS
    left = max(0, column - wide) // TILE_COLUMNS * TILE_COLUMNS
    end = -(-(last_row + tall) // TILE_ROWS) * TILE_ROWS
    right = -(-(last_column + wide) // TILE_COLUMNS) * TILE_COLUMNS
    return Bounds(first, min(plane.rows, end), left, min(plane.columns, right))


def read_window(session: Session, plane: Plane, bounds: Bounds) -> Window:
    """Read a window. Runs on the engine's thread."""
    rows, columns = slice(bounds.row, bounds.last_row), slice(bounds.column, bounds.last_column)
    value = session.trace[plane.stage]
    numbers = np.asarray(value.read(plane.window(rows, columns)))
    # The ids of the text stand beside their tokens already; ids that were computed are shown as words.
    named = value.holds_ids and session.trace.program[plane.stage.partition(AT)[0]].kind != "Given"
    words = {int(number): value.word(int(number)) for number in np.unique(numbers)} if named else {}
    shape = rows.stop - rows.start, columns.stop - columns.start
    return Window(bounds.row, bounds.column, numbers.reshape(shape), words)
