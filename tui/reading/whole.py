"""All of a plane, down-sampled to the cells of a screen, and the exact numbers around one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..drawing.colours import Scale, codes_of, floor_of, scale_of
from ..state.plane import Plane
from .heads import edges_of, pool
from .layer_grid import MOST_READ, blocks_of
from .window import Bounds, Window, read_window

if TYPE_CHECKING:
    from ...engine.commands.session import Session


Look = tuple[int, str]


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """A plane in so many cells.

    Attributes:
        codes: of the number of largest magnitude in each cell; NaN where there is one.
        scale: what the codes stand for.
        rows, columns: where the rows and the columns of each cell begin, and where the last end.
        every: of how many rows one was read; 1 where all were.
    """

    codes: npt.NDArray[np.uint8]
    scale: Scale
    rows: Sequence[int]
    columns: Sequence[int]
    every: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What is on the screen.

    Attributes:
        sampled: all of the plane.
        window: the numbers around the cursor.
        asked: the size and the look that the picture was made for.
    """

    sampled: Sampled
    window: Window
    asked: tuple[tuple[int, int], Look]


def read_whole(
    session: Session, plane: Plane, size: tuple[int, int], around: Bounds, look: Look, held: Sampled | None
) -> Whole:
    """Read all of a plane, and a part of it to be kept number for number. Runs on the engine's thread.

    Args:
        size: rows and columns of the picture at most.
        around: the part.
        look: the steps of colour scale, and what a cell shows of its numbers: `largest` or `mean`.
        held: the picture, if it has been made before.
    """
    return Whole(held or sample(session, plane, size, look), read_window(session, plane, around), (size, look))


def sample(session: Session, plane: Plane, size: tuple[int, int], look: Look) -> Sampled:
    """Down-sample a plane: each cell has the number of largest magnitude of its part, or the mean of what is not masked there.

    At most about four million numbers are read, in blocks of neighbouring rows spread over the plane.
    """
    value = session.trace[plane.stage]
    floor, dtype = floor_of(value.dtype), value.dtype
    tall, wide = max(1, min(size[0], plane.rows)), max(1, min(size[1], plane.columns))
    every = -(-plane.rows * plane.columns // MOST_READ)
    strips: list[npt.NDArray[np.floating]] = []
    scales: list[Scale] = []
    for first, last, parts in _split(blocks_of(plane.rows, tall, every), plane, tall):
        numbers = np.asarray(value.read(plane.window(slice(first, last), slice(0, plane.columns))))
        numbers = numbers.reshape(last - first, plane.columns)
        pooled = (mean if look[1] == "mean" else pool)(numbers, parts, wide, floor)
        strips.append(pooled)
        numbers = pooled if look[1] == "mean" else numbers  # the colours are of what the cells show
        scales.append(scale_of(numbers, dtype, whole=every == 1))
    scale = _together(scales).with_gain(look[0])
    codes = codes_of(np.concatenate(strips), scale, dtype)
    return Sampled(codes, scale, edges_of(plane.rows, tall), edges_of(plane.columns, wide), every)


def mean(numbers: npt.NDArray[np.generic], height: int, width: int, floor: float) -> npt.NDArray[np.float64]:
    """At most `height` by `width` means; NaN wins over all, and what is masked where there is nothing else."""
    wide = numbers.astype(np.float64)
    masked = (wide <= floor) & np.isfinite(wide)
    down, across = (
        edges_of(size, max(1, min(most, size)))[:-1] for size, most in zip(wide.shape, (height, width), strict=True)
    )

    def total(of: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        return np.add.reduceat(np.add.reduceat(of, down, axis=0), across, axis=1)

    with np.errstate(all="ignore"):
        count = total(1.0 - masked)
        return np.where(count > 0, total(np.where(masked, 0.0, wide)) / count, np.finfo(np.float64).min)


def _split(blocks: list[tuple[int, int, int]], plane: Plane, tall: int) -> list[tuple[int, int, int]]:
    """One block of everything as one for each row of the picture where it is large: a row over a vocabulary is made when read."""
    if len(blocks) > 1 or plane.size <= 1 << 20:
        return blocks
    edges = edges_of(plane.rows, tall)
    return [(first, last, 1) for first, last in pairwise(edges)]


def _together(scales: list[Scale]) -> Scale:
    low, high = min(scale.low for scale in scales), max(scale.high for scale in scales)
    return replace(
        scales[0],
        signed=low < 0,
        low=low,
        high=high,
        nan=sum(scale.nan for scale in scales),
        inf=sum(scale.inf for scale in scales),
        masked=sum(scale.masked for scale in scales),
    )
