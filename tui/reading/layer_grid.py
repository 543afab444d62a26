"""One layer of the grid of all heads: every head's plane, pooled to a thumbnail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..drawing.colours import floor_of
from ..state.plane import plane_at
from ..state.view_state import ViewState
from .heads import HeadPicture, edges_of, is_larger, peak_of, pool

if TYPE_CHECKING:
    from ...engine.commands.session import Session

MOST_READ = 1 << 22  # numbers of one layer; of a longer text only some rows are read


@dataclass(frozen=True, slots=True, eq=False)
class LayerRow:
    """The thumbnails of a layer.

    Attributes:
        pictures: one for each head; none where a recording does not hold the stage.
        every: of how many rows one was read; 1 where all were.
    """

    pictures: tuple[HeadPicture, ...]
    every: int = 1


def read_layer(session: Session, stage: str, text: int, height: int, width: int) -> LayerRow:
    """Read all heads of a stage and pool them. A stage that has not run yet is computed; the cursor stays where it is.

    At most about `MOST_READ` numbers are read, in blocks of neighbouring rows spread over the plane. Runs on the
    engine's thread.

    Args:
        text: row of the batch.
        height, width: of a thumbnail, in numbers.
    """
    if not session.trace.has(stage):
        return LayerRow(())
    session.see(stage)
    value, floor = session.trace.value(stage), floor_of(session.trace.value(stage).dtype)
    plane = plane_at(stage, tuple(value.axes), tuple(value.shape), ViewState(text=text))
    at, (rows, columns) = plane.axes.index("head"), (plane.rows, plane.columns)
    heads = plane.shape[at]
    if not heads * rows * columns:
        return LayerRow((HeadPicture(np.zeros((0, 0), dtype=np.float32), math.nan, 0, 0),) * heads)
    tall = max(1, min(height, rows))
    every = -(-heads * rows * columns // MOST_READ)
    strips: list[list[npt.NDArray[np.floating]]] = [[] for _ in range(heads)]
    peaks = [(math.nan, 0, 0)] * heads
    for first, last, parts in blocks_of(rows, tall, every):
        index = (*plane.fixed[:at], slice(None), *plane.fixed[at + 1 :], slice(first, last), slice(0, columns))
        numbers = np.asarray(value.read(index)).reshape(heads, last - first, columns)
        for head in range(heads):
            strips[head].append(pool(numbers[head], parts, width, floor))
            high, place = peak_of(numbers[head], floor)
            if is_larger(high, peaks[head][0]):
                peaks[head] = high, first + place // columns, place % columns
    pictures = (HeadPicture(np.concatenate(strips[head]), *peaks[head]) for head in range(heads))
    return LayerRow(tuple(pictures), every)


def blocks_of(rows: int, tall: int, every: int) -> list[tuple[int, int, int]]:
    """Which rows to read, and how many rows of the thumbnail each block makes."""
    if every == 1:
        return [(0, rows, tall)]
    edges = edges_of(rows, tall)
    blocks: list[tuple[int, int, int]] = []
    for first, last in pairwise(edges):
        kept = max(1, (last - first) // every)
        start = first + (last - first - kept) // 2
        blocks.append((start, start + kept, 1))
    return blocks
