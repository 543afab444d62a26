"""Ours, the reference's and the difference in one window, quantised for a heat map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ...engine.program.index import TOKEN_AXES
from ..drawing.colours import MASKED, codes_of, scale_of
from ..state.comparison import Against
from ..state.plane import Plane
from .heat import Heat
from .window import Bounds, Window, all_of

if TYPE_CHECKING:
    from ...engine.commands.session import Session
    from ...engine.program.value import Value


@dataclass(frozen=True, slots=True, eq=False)
class DifferenceHeat(Heat):
    """The difference as a picture, and both sides' numbers.

    Attributes:
        ours, theirs: the numbers it is the difference of.
        ids: whether they are ids, whose difference means nothing more than that they differ.
    """

    ours: Window
    theirs: Window
    ids: bool = False


def read_difference(session: Session, plane: Plane, bounds: Bounds, gain: int, against: Against) -> DifferenceHeat:
    """Read all three and quantise. Runs on the engine's thread."""
    reference = session.expect_reference()
    apart = reference.difference(session.trace, plane.stage)
    window = _read(apart, plane, bounds)
    numbers = window.numbers
    alone = _alone(plane, bounds, against)
    ours, theirs = session.trace.value(plane.stage), reference.value(session.trace, plane.stage)
    if ours.holds_ids:
        numbers = np.sign(np.abs(numbers))
    judged = (numbers if alone is None else np.where(alone, 0, numbers)).astype(np.float64)
    # masks' large numbers are no masks here: what both hide is no difference
    partnered = judged if alone is None else judged[~alone]
    scale = scale_of(partnered, "float64", whole=bounds == all_of(plane))
    empty = scale.empty or (judged.size > 0 and not partnered.size)
    masked = judged.size - partnered.size
    scale = replace(scale, signed=True, masked=masked, empty=empty).with_gain(gain)
    codes = codes_of(judged, scale, "float64")
    if alone is not None:
        codes[alone] = MASKED
    both = (_read(value, plane, bounds) for value in (ours, theirs))
    return DifferenceHeat(bounds, window, codes, scale, *both, ids=ours.holds_ids)


def _read(value: Value, plane: Plane, bounds: Bounds) -> Window:
    rows, columns = slice(bounds.row, bounds.last_row), slice(bounds.column, bounds.last_column)
    numbers = np.asarray(value.read(plane.window(rows, columns)))
    return Window(bounds.row, bounds.column, numbers.reshape(rows.stop - rows.start, columns.stop - columns.start))


def _alone(plane: Plane, bounds: Bounds, against: Against) -> np.ndarray | None:
    """Where a token of ours has no partner in the reference, as far as rows and columns are tokens."""
    if against.alone is None:
        return None
    rows = np.arange(bounds.row, bounds.last_row)
    columns = np.arange(bounds.column, bounds.last_column)
    alone = np.zeros((len(rows), len(columns)), dtype=bool)
    along = dict(against.alone)

    def places(axis: str, text: int) -> tuple[int, ...]:
        texts = along.get(axis, ())
        return texts[text] if text < len(texts) else ()

    if plane.row_axis == "batch" and plane.column_axis in TOKEN_AXES:
        for at, row in enumerate(rows):
            alone[at] = np.isin(columns, places(plane.column_axis, int(row)))
        return alone
    text = plane.text(0)
    if plane.row_axis in TOKEN_AXES and plane.rows > 1:
        alone |= np.isin(rows, places(plane.row_axis, text))[:, None]
    if plane.column_axis in TOKEN_AXES and plane.columns > 1:
        alone |= np.isin(columns, places(plane.column_axis, text))[None, :]
    return alone
