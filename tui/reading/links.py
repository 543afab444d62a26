"""What queries have to do with keys: the chosen query's whole row, and whatever else is on screen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..drawing.colours import Scale, scale_of
from ..state.plane import Plane
from .window import Bounds, Window, all_of, read_window

if TYPE_CHECKING:
    from ...engine.commands.session import Session


Strongest = tuple[int, int, float]  # head, key, number


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Numbers between queries and keys, of one head or the mean of all.

    Attributes:
        bounds: which queries and keys `window` holds.
        window: the numbers on screen and around it.
        query: whose row was read whole; -1 where the window holds every row.
        row: that row.
        scale: of all these numbers.
        strongest: of the queries whose rows were read whole in every head, what any head has most of.
    """

    bounds: Bounds
    window: Window
    query: int
    row: npt.NDArray[Any]
    scale: Scale
    strongest: tuple[Strongest, ...] = ()

    def numbers(self, query: int) -> npt.NDArray[Any] | None:
        """All numbers of a query, over all keys; None where they have not been read."""
        if self.query < 0:
            return self.window.numbers[query]
        return self.row if query == self.query else None

    def strongest_of(self, query: int) -> Strongest | None:
        """In which head a query has the largest number, at which key; None where heads were not read."""
        if not self.strongest:
            return None
        return self.strongest[query] if self.query < 0 else self.strongest[0] if query == self.query else None


def read_links(session: Session, plane: Plane, bounds: Bounds, query: int, dtype: str, *, mean: bool = False) -> Links:
    """Read a window, and the row of one query apart from it unless that is -1. Runs on the engine's thread.

    Args:
        mean: whether the mean of all heads is meant rather than the plane's own.
    """
    if mean:
        return _read_mean(session, plane, bounds, query, dtype)
    window = read_window(session, plane, bounds)
    row = np.zeros(0, dtype=window.numbers.dtype)
    if query >= 0:
        row = _rows(session, plane, query).reshape(-1)
    together = np.concatenate([window.numbers.reshape(-1), row])
    strongest: tuple[Strongest, ...] = ()
    if "head" in plane.axes:
        rows = [
            _rows(session, each, query) if query >= 0 else read_window(session, each, bounds).numbers
            for each in planes_of_heads(plane)
        ]
        strongest = strongest_in(np.stack(rows))
    return Links(bounds, window, query, row, scale_of(together, dtype, whole=bounds == all_of(plane)), strongest)


def planes_of_heads(plane: Plane) -> list[Plane]:
    """The same plane of every head."""
    at = plane.axes.index("head")
    return [replace(plane, fixed=(*plane.fixed[:at], head, *plane.fixed[at + 1 :])) for head in range(plane.shape[at])]


def strongest_in(heads: npt.NDArray[Any]) -> tuple[Strongest, ...]:
    """For each query what any head has most of: numbers (head, query, key); NaN is not most of anything, but where all is."""
    heads = np.where(np.isnan(heads), -np.inf, heads)
    best, keys = heads.max(axis=2).argmax(axis=0), heads.argmax(axis=2)  # (query), (head, query)
    return tuple(
        (int(head), int(keys[head, at]), float(heads[head, at, keys[head, at]])) for at, head in enumerate(best)
    )


def _read_mean(session: Session, plane: Plane, bounds: Bounds, query: int, dtype: str) -> Links:
    planes = planes_of_heads(plane)
    first = read_window(session, planes[0], bounds)
    window, rows = np.zeros(first.numbers.shape), list[npt.NDArray[Any]]()
    for each in planes:
        numbers = read_window(session, each, bounds).numbers
        window += numbers / len(planes)
        rows.append(numbers if query < 0 else _rows(session, each, query))
    heads = np.stack(rows)  # (head, query, key)
    row = heads.mean(axis=0).reshape(-1) if query >= 0 else np.zeros(0)
    strongest = strongest_in(heads)
    scale = scale_of(np.concatenate([window.reshape(-1), row]), dtype, whole=bounds == all_of(plane))
    return Links(bounds, replace(first, numbers=window), query, row, scale, strongest)


def _rows(session: Session, plane: Plane, query: int) -> npt.NDArray[Any]:
    index = plane.window(slice(query, query + 1), slice(0, plane.columns))
    return np.asarray(session.trace[plane.stage].read(index)).reshape(1, -1)
