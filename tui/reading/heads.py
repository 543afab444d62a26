"""All heads of a value, small."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...engine.program.down_sample import edges_of, pool
from ..drawing.colours import floor_of
from ..state.plane import Plane

if TYPE_CHECKING:
    from ...engine.commands.session import Session

BLOCK = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class HeadPicture:
    """One head, pooled to the size of its picture.

    Attributes:
        picture: of each part of the plane the number of largest magnitude; NaN where any is.
        peak, row, column: the number of largest magnitude that is neither NaN, infinite nor masked, and its place; NaN where
            there is none.
    """

    picture: npt.NDArray[Any]
    peak: float
    row: int
    column: int


def read_heads(session: Session, planes: list[Plane], height: int, width: int, dtype: str) -> list[HeadPicture]:
    """Read these heads' planes in blocks and pool them. Runs on the engine's thread."""
    return [_read_head(session, plane, height, width, dtype) for plane in planes]


def _read_head(session: Session, plane: Plane, height: int, width: int, dtype: str) -> HeadPicture:
    value, floor = session.trace[plane.stage], floor_of(dtype)
    tall = max(1, min(height, plane.rows))
    edges = edges_of(plane.rows, tall)
    step = max(1, BLOCK // max(1, plane.columns * -(-plane.rows // tall)))
    strips: list[npt.NDArray[Any]] = []
    peak, row, column = math.nan, 0, 0
    for start in range(0, tall, step):
        stop = min(tall, start + step)
        first, last = edges[start], edges[stop]
        index = plane.window(slice(first, last), slice(0, plane.columns))
        numbers = np.asarray(value.read(index)).reshape(last - first, plane.columns)
        strips.append(pool(numbers, stop - start, width, floor))
        high, place = peak_of(numbers, floor)
        if is_larger(high, peak):
            peak, row, column = high, first + place // plane.columns, place % plane.columns
    picture = np.concatenate(strips) if strips else np.zeros((0, 0), dtype=np.float32)
    return HeadPicture(picture, peak, row, column)


def peak_of(numbers: npt.NDArray[Any], floor: float) -> tuple[float, int]:
    """The number of largest magnitude that is neither NaN, infinite nor masked, and its place among all; NaN where there is none."""
    if not numbers.size:
        return math.nan, 0
    wide = numbers.astype(np.float64)
    sizes = np.where(np.isfinite(wide) & (wide > floor), np.abs(wide), -1.0)
    place = int(np.argmax(sizes))
    return (float(wide.reshape(-1)[place]), place) if sizes.reshape(-1)[place] >= 0 else (math.nan, 0)


def is_larger(number: float, peak: float) -> bool:
    """Whether a number is of larger magnitude than what was the largest so far, NaN where nothing was."""
    return math.isnan(peak) or abs(number) > abs(peak)
