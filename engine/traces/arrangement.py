"""How somebody else's array is laid out, and what is done to it until it lies as ours does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import NamedTuple

import numpy as np

from ..program.arrays import Array
from ..program.stage import Shape


class AxisRange(NamedTuple):
    """AxisPlaces along an axis from one to before another, as a slice, which is nothing to be looked up by, says them."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


Cut = int | AxisRange | EllipsisType
EVERY = AxisRange()


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What is done to an array, in this order: a shape, a window, an order of axes. What comes of it then takes the stage's shape.

    Attributes:
        reshape: the shape it is given first; () for the one it has.
        window: an int or places for each axis from the first; () for all of it. One of three of a joint projection, the tokens before padding.
        transpose: the order of what axes are left; () for the one they have.
    """

    reshape: Shape = ()
    window: tuple[Cut, ...] = ()
    transpose: tuple[int, ...] = ()

    def arranged(self, array: Array) -> Array:
        """The array, read in our order by C's rule; no copy where it need not be one.

        Raises:
            ValueError, IndexError: it has another shape.
        """
        if self.reshape:
            array = array.reshape(self.reshape)
        if self.window:
            array = array[tuple(slice(*cut) if isinstance(cut, AxisRange) else cut for cut in self.window)]
        return array.transpose(self.transpose) if self.transpose else array

    def laid(self, array: Array, shape: Shape) -> Array:
        """The array as a stage's value; what is the same for all texts is so often what there is once.

        Raises:
            ValueError, IndexError: it does not fit.
        """
        arranged = self.arranged(array)
        if arranged.size != math.prod(shape) and arranged.size == math.prod(shape[1:]):
            return np.broadcast_to(arranged.reshape(shape[1:]), shape)
        return arranged.reshape(shape)

    def size(self, shape: Shape) -> int:
        """How many numbers are left of an array of a shape.

        Raises:
            ValueError, IndexError: it does not fit.
        """
        return self.arranged(np.empty(shape, np.int8)).size

    @property
    def steps(self) -> int:
        """How much is done: of two layouts that serve, the one that does less is meant."""
        return bool(self.reshape) + bool(self.window) + 2 * bool(self.transpose)

    def __str__(self) -> str:
        """`reshape [14, 3, 384], [:, 1], transpose [1, 0, 2]`; "" where nothing is done."""
        said = [f"reshape {list(self.reshape)}"] if self.reshape else []
        said += [f"[{write_window(self.window)}]"] if self.window else []
        said += [f"transpose {list(self.transpose)}"] if self.transpose else []
        return ", ".join(said)


AS_IT_LIES = Arrangement()


def write_window(window: Sequence[Cut]) -> str:
    """`:, 0:13`."""
    return ", ".join(_slice(cut) if isinstance(cut, AxisRange) else "..." if cut is ... else str(cut) for cut in window)


def _slice(cut: AxisRange) -> str:
    start, stop = ("" if end is None else str(end) for end in (cut.start, cut.stop))
    return f"{start}:{stop}" + (f":{cut.step}" if cut.step not in (None, 1) else "")
