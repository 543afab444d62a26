"""The numbers around the largest difference of a stage: ours, theirs, and ours minus theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...analysis.compare import Difference, Reference
from ...messages.errors import InputError
from ...program.element import face_at, text_of
from ...program.value import Value

ROWS, COLUMNS = 9, 12


@dataclass(frozen=True, slots=True, eq=False)
class DifferencePicture:
    """A window of three values of one shape.

    Attributes:
        stage: whose values they are; dtype: of ours.
        fixed: the places along the axes that are not shown, `batch=0, head=3`; "" where all are.
        axes: what rows and columns are; "" for rows where there is one axis.
        rows, columns: what each is called: `3 cat`.
        ours, theirs, difference: (row, column).
        place: the row and the column of the largest difference.
    """

    stage: str
    dtype: str
    fixed: str
    axes: tuple[str, str]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    ours: npt.NDArray[np.float64]
    theirs: npt.NDArray[np.float64]
    difference: npt.NDArray[np.float64]
    place: tuple[int, int]


def picture_of(reference: Reference, row: Difference) -> DifferencePicture | None:
    """The picture of a stage that differs; None where it has no place, or its numbers cannot be had.

    Args:
        reference: what it was compared with.
        row: the stage.
    """
    if row.place is None or not row.axes:
        return None
    try:
        ours = reference.ours.value(row.name)
        theirs, difference = (side(reference.ours, row.name) for side in (reference.value, reference.difference))
        return _around(ours, theirs, difference, row.place)
    except InputError:  # a recording without it
        return None


def _around(ours: Value, theirs: Value, difference: Value, place: Sequence[int]) -> DifferencePicture:
    across = len(ours.axes) - 1
    shown = {across: _beside(place[across], ours.shape[across], COLUMNS)}
    if across:
        shown[across - 1] = _beside(place[across - 1], ours.shape[across - 1], ROWS)
    index = tuple(
        slice(shown[axis].start, shown[axis].stop) if axis in shown else place[axis] for axis in range(across + 1)
    )
    rows = shown.get(across - 1, range(1))
    shape = len(rows), len(shown[across])
    planes = [np.asarray(each.read(index), np.float64).reshape(shape) for each in (ours, theirs, difference)]
    fixed = ", ".join(
        f"{ours.axes[axis]}={_called(ours, axis, place[axis], place)}"
        for axis in range(across + 1)
        if axis not in shown
    )
    return DifferencePicture(
        ours.name, ours.dtype, fixed, (ours.axes[across - 1] if across else "", ours.axes[across]),
        tuple(_called(ours, across - 1, at, place) for at in rows) if across else ("",),
        tuple(_called(ours, across, at, place) for at in shown[across]),
        planes[0], planes[1], planes[2],
        (place[across - 1] - rows.start if across else 0, place[across] - shown[across].start),
    )  # fmt: skip


def _beside(place: int, size: int, most: int) -> range:
    """So many places around one, all of them within."""
    start = max(0, min(place - most // 2, size - most))
    return range(start, min(size, start + most))


def _called(value: Value, axis: int, at: int, place: Sequence[int]) -> str:
    word = face_at(value, value.axes[axis], at, (text_of(value, place),))
    return f"{at} {word}" if word and word != str(at) else str(at)
