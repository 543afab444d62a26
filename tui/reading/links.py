"""What queries have to do with keys: the chosen query's whole row, and whatever else is on screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..drawing.colours import Scale, scale_of
from ..state.plane import Plane
from .window import Bounds, Window, all_of, read_window

if TYPE_CHECKING:
    from ...engine.commands.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Numbers between queries and keys.

    Attributes:
        bounds: which queries and keys `window` holds.
        window: the numbers on screen and around it.
        query: whose row was read whole; -1 where the window holds every row.
        row: that row.
        scale: of all these numbers.
    """

    bounds: Bounds
    window: Window
    query: int
    row: npt.NDArray[Any]
    scale: Scale

    def numbers(self, query: int) -> npt.NDArray[Any] | None:
        """All numbers of a query, over all keys; None where they have not been read."""
        if self.query < 0:
            return self.window.numbers[query]
        return self.row if query == self.query else None


def read_links(session: Session, plane: Plane, bounds: Bounds, query: int, dtype: str) -> Links:
    """Read a window, and the row of one query apart from it unless that is -1. Runs on the engine's thread."""
    window = read_window(session, plane, bounds)
    row = np.zeros(0, dtype=window.numbers.dtype)
    if query >= 0:
        index = plane.window(slice(query, query + 1), slice(0, plane.columns))
        row = np.asarray(session.trace[plane.stage].read(index)).reshape(-1)
    together = np.concatenate([window.numbers.reshape(-1), row])
    return Links(bounds, window, query, row, scale_of(together, dtype, whole=bounds == all_of(plane)))
