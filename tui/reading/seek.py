"""Where in a plane the number stands that someone wants to go to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...engine.messages.errors import InputError
from ..drawing.colours import floor_of
from ..state.plane import Plane
from .work import see

if TYPE_CHECKING:
    from ...engine.commands.session import Session

BLOCK = 1 << 20  # numbers read at once

Numbers = npt.NDArray[Any]
RowAndColumn = tuple[int, int]


def seek(session: Session, plane: Plane, cell: RowAndColumn, what: str) -> RowAndColumn:
    """Row and column of the largest or the smallest number of a plane, or of the next one of a kind. Runs on the engine's thread.

    Rows are read one after the other, as text is; the next is looked for behind the cell, and from the beginning after the end.

    Args:
        what: `largest`, `smallest` (of what is neither NaN, infinite nor masked), `next-nonzero` or `next-nan`.

    Raises:
        InputError: there is none.
    """
    see(session, plane.stage)
    value = session.trace[plane.stage]
    floor = floor_of(value.dtype)
    blocks = _Blocks(lambda rows: np.asarray(value.read(plane.window(rows, slice(0, plane.columns)))), plane, session)
    if what in ("largest", "smallest"):
        place = _extreme(blocks, floor, 1 if what == "largest" else -1)
    else:
        place = _next(blocks, cell[0] * plane.columns + cell[1], _NEXT[what])
    if place < 0:
        raise InputError(_NONE[what])
    return divmod(place, plane.columns)


class _Blocks:
    """A plane's numbers in reading order, some rows at a time."""

    def __init__(self, read: Callable[[slice], Numbers], plane: Plane, session: Session) -> None:
        self._read, self._rows, self._columns, self._session = read, plane.rows, plane.columns, session

    def after(self, place: int) -> Iterator[tuple[int, Numbers]]:
        """Blocks from the row of a place on: the place of the first number, and the numbers."""
        step = max(1, BLOCK // max(1, self._columns))
        for row in range(place // max(1, self._columns), self._rows, step):
            if self._session.cancel.cancelled:
                raise InputError("stopped before it was found")
            rows = slice(row, min(self._rows, row + step))
            yield row * self._columns, self._read(rows).reshape(-1)


def _extreme(blocks: _Blocks, floor: float, sign: int) -> int:
    best, place = -np.inf, -1
    for start, numbers in blocks.after(0):
        wide = numbers.astype(np.float64)
        if numbers.dtype.kind == "f":
            wide = np.where(np.isfinite(wide) & (wide > floor), sign * wide, -np.inf)
        else:
            wide = sign * wide
        at = int(np.argmax(wide)) if wide.size else 0
        if wide.size and wide[at] > best:
            best, place = float(wide[at]), start + at
    return place


def _next(blocks: _Blocks, cell: int, is_one: Callable[[Numbers], npt.NDArray[np.bool_]]) -> int:
    for begin, least in ((cell, cell + 1), (0, 0)):
        for start, numbers in blocks.after(begin):
            places = start + np.flatnonzero(is_one(numbers))
            places = places[places >= least]
            if places.size:
                return int(places[0])
    return -1


def _nonzero(numbers: Numbers) -> npt.NDArray[np.bool_]:
    return numbers != 0


def _nan(numbers: Numbers) -> npt.NDArray[np.bool_]:
    return np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(numbers.shape, dtype=bool)


_NEXT = {"next-nonzero": _nonzero, "next-nan": _nan}
_NONE = {
    "largest": "no number here is finite; `stats` counts what they are",
    "smallest": "no number here is finite; `stats` counts what they are",
    "next-nonzero": "every number here is zero",
    "next-nan": "no number here is NaN",
}
