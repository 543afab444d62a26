"""What is wrong with a value, as `break unexpected` finds it and the checks tell it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...program.element import Matches, Place, first_place, write_place
from ...program.value import Value

NOT_FINITE = ("not a number", "infinite")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value, and the first number or row where it is.

    Attributes:
        text: for people.
        place: an int for each axis, None along those where no one place is meant.
        kind: in a word or two: `not a number`, `infinite`, `inverted`, `query axis`, `too small`, `padding seen`, `hidden token`,
            `nothing seen`, `dropout`, `rows`, `epsilon`, `collapse`, `position`.
        row: which text of the batch, None for all.
        remedy: what to do about it; "" where the text says it.
    """

    text: str
    place: Place
    kind: str
    row: int | None = None
    remedy: str = ""


def named(value: Value, text: str, wrong: Matches, kind: str) -> Fault:
    """A fault at the first element that is wrong."""
    place = first_place(value, wrong) or ()
    return Fault(f"{text}, the first at {write_place(value.axes, place)}", place, kind)


def row_of(value: Value, row: int) -> Place:
    """The place of a row, counted through the value; along it none is meant."""
    return (*(int(at) for at in np.unravel_index(row, value.shape[:-1])), None)
