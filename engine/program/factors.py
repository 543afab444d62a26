"""Which numbers of two matrices an element of their product is made of, as `einsum` writes it: `bhqd,bhkd->bhqk`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .stage import Shape

Axes = tuple[str, ...]
RowPlace = tuple[int | None, ...]  # a place for each axis; None along the axis that is summed over
ONE = "1"


@dataclass(frozen=True, slots=True)
class Factors:
    """A sum of products of two rows: the axes of both factors and of the result, each by its letter.

    Attributes:
        left, right, result: a letter for each axis; `1` for an axis of size one, which is not in the result.
    """

    left: Axes
    right: Axes
    result: Axes

    @property
    def summed(self) -> str:
        """The axis that both factors have and the result has not."""
        return next(axis for axis in self.left if axis in self.right and axis not in self.result and axis != ONE)

    def patterns(self, index: Sequence[int]) -> tuple[RowPlace, RowPlace]:
        """Where in both factors the two rows lie that make this element of the result."""
        places: dict[str, int | None] = {**dict(zip(self.result, index, strict=True)), self.summed: None, ONE: 0}
        return tuple(places[axis] for axis in self.left), tuple(places[axis] for axis in self.right)


@lru_cache(maxsize=256)
def factors_of(written: str, left: int, right: int, result: int) -> Factors:
    """What a card says (`Card.factors`), for operands and a result with so many axes.

    Args:
        written: a letter an axis, `...` for those that may be many or none, `1` for one of size one:
            `...k,jk->...j`. Axes that a factor has before all that are written are of size one.
    """
    operands, _, product = written.partition("->")
    first, _, second = operands.partition(",")
    counts = {first: left, second: right, product: result}
    return Factors(*(_axes(text, counts[text]) for text in (first, second, product)))


def _axes(text: str, count: int) -> Axes:
    before, dots, after = text.partition("...")
    free = count - len(before) - len(after)
    if dots:
        return (*before, *(f".{number}" for number in range(free)), *after)
    return (*ONE * free, *before)


def with_summed(pattern: RowPlace, place: object) -> tuple[object, ...]:
    """The pattern with something in the place that is summed over: a number, a slice, a letter."""
    return tuple(place if at is None else at for at in pattern)


def index_at(pattern: RowPlace, place: int) -> Shape:
    """The index of one term's factor."""
    return tuple(place if at is None else at for at in pattern)
