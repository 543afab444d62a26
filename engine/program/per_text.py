"""A place that is another one in each text of a batch: where the token stands that a name means.

Such an index is no rectangle, but every text's part of it is: whoever reads or writes goes text by text (`by_text`) and
lays the parts together along the batch. The axis is taken away, as an int takes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard


@dataclass(frozen=True, slots=True)
class PerText:
    """Where along an axis of tokens, for each text; it stands in an index beside a batch that is left open.

    Attributes:
        places: by row of the batch; None for a text that the index leaves out.
    """

    places: tuple[int | None, ...]

    def of(self, row: int) -> int:
        """The place in one of the texts that are meant."""
        place = self.places[row]
        assert place is not None, f"text {row} is not one of those that were bound"
        return place


# One entry for each axis of a value.
Rectangle = tuple[int | slice, ...]
Index = tuple[int | slice | PerText, ...]


def is_rectangle(index: Index) -> TypeGuard[Rectangle]:
    """Whether it means the same places in every text."""
    return not any(isinstance(part, PerText) for part in index)


def rows_of(index: Index, batch: int) -> range:
    """The rows of the batch, the first axis, that an index leaves open or picks.

    Args:
        batch: how many texts there are.
    """
    part = index[0]
    assert not isinstance(part, PerText)
    return range(part, part + 1) if isinstance(part, int) else range(*part.indices(batch))


def of_text(index: Index, row: int) -> Rectangle:
    """One text's part of an index."""
    return (row, *(part.of(row) if isinstance(part, PerText) else part for part in index[1:]))


def by_text(index: Index, batch: int) -> Iterator[Rectangle]:
    """Each text's part of an index, in the order of its rows."""
    return (of_text(index, row) for row in rows_of(index, batch))


def element_of(index: Index, shape: Sequence[int], within: Sequence[int]) -> tuple[int, ...]:
    """Which element of a value an element of a window of it is.

    Args:
        index: of the window; shape: of the value.
        within: a place in the window, a number for each axis that the index leaves open.
    """
    left = iter(within)
    element: list[int] = []
    for part, size in zip(index, shape, strict=True):
        if isinstance(part, slice):
            element.append(range(*part.indices(size))[int(next(left))])
        else:
            element.append(part.of(element[0]) if isinstance(part, PerText) else part)
    return tuple(element)
