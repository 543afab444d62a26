"""A value small enough for a box of the map: pooled to a few numbers, or its first words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...engine.program.faces import faces_along
from ...engine.program.word_window import word_window_of
from ..drawing.colours import Scale, codes_of, floor_of, scale_of
from ..drawing.text import plain
from ..state.plane import plane_at
from ..state.view_state import ViewState
from .heads import pool
from .layer_grid import MOST_READ, blocks_of

if TYPE_CHECKING:
    from ...engine.commands.session import Session

MOST_WORDS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """What a box shows.

    Attributes:
        codes: of the pooled numbers, (row, column); empty where there are words.
        scale: what the codes stand for.
        words: what its numbers are ids of: the text's own tokens, or the best words of the head.
    """

    codes: npt.NDArray[np.uint8]
    scale: Scale
    words: tuple[str, ...] = ()


def read_thumbnail(session: Session, stage: str, text: int, head: int, height: int, width: int) -> Thumbnail:
    """Read a stage's plane and pool it; one that has not run is computed. Runs on the engine's thread.

    At most about four million numbers are read, in blocks of neighbouring rows spread over the plane.

    Args:
        text, head: which plane, as in `ViewState`.
        height, width: of the picture, in numbers.
    """
    none = np.zeros((0, 0), dtype=np.uint8)
    if not session.trace.has(stage):
        return Thumbnail(none, Scale())
    session.see(stage)
    value = session.trace.value(stage)
    plane = plane_at(stage, tuple(value.axes), tuple(value.shape), ViewState(text=text, head=head))
    if value.holds_ids:
        few = slice(0, MOST_WORDS)
        # the text's own, those round the word in its middle, or the best of each token
        rows = (text, few) if plane.row_axis == "batch" else (*plane.fixed, few, 0)
        window = word_window_of(session.trace.program)
        if window is not None and stage == window.around:
            middle = (text, int(session.trace.tokens.mask[text].sum()) // 2)
            session.see(window.mask)
            ids = value.read(middle)[session.trace.value(window.mask).read(middle) != 0]
            return Thumbnail(none, Scale(), tuple(plain(value.word(int(number))) for number in ids))
        ids = np.atleast_1d(value.read(rows[: len(plane.shape)]))
        if session.trace.program[stage].kind == "Given" and plane.row_axis == "batch":
            strings = session.trace.inputs.strings_along(session.trace.program[stage])[plane.column_axis]
            return Thumbnail(none, Scale(), tuple(map(plain, faces_along(strings)[text][:MOST_WORDS])))
        return Thumbnail(none, Scale(), tuple(plain(value.word(int(number))) for number in ids))
    if not plane.rows * plane.columns:
        return Thumbnail(none, Scale())
    floor, tall = floor_of(value.dtype), max(1, min(height, plane.rows))
    every = -(-plane.rows * plane.columns // MOST_READ)
    parts: list[npt.NDArray[np.floating]] = []
    for first, last, count in blocks_of(plane.rows, tall, every):
        numbers = np.asarray(value.read(plane.window(slice(first, last), slice(0, plane.columns))))
        parts.append(pool(numbers.reshape(last - first, plane.columns), count, width, floor))
    picture = np.concatenate(parts)
    scale = scale_of(picture, value.dtype)
    return Thumbnail(codes_of(picture, scale, value.dtype), scale)
