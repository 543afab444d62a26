"""How a whole plane and the lens below it lie on the screen. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LARGEST_CELL = 4  # columns, and halves of a row
TALL, LOW = 22, 14  # heights from which the lens has five rows of numbers, and three


@dataclass(frozen=True, slots=True)
class WholeLayout:
    """Where everything is.

    Attributes:
        gutter: columns of the numbers of rows, with a space behind them.
        rows, columns: cells of the picture at most.
        cell_width, cell_height: of a cell; the height in halves of a row, or, without colours, in rows.
        body: rows of the screen that the picture takes.
        lens: rows of numbers below it; above them stands one more, which says which columns they are of.
    """

    gutter: int
    rows: int
    columns: int
    cell_width: int
    cell_height: int
    body: int
    lens: int


def whole_of(
    rows: int, columns: int, label: int, width: int, height: int, *, halves: bool, narrowest: int
) -> WholeLayout:
    """Fit all of a plane into a part of the screen, with the largest cells there is room for.

    Args:
        rows, columns: of the plane.
        label: cells of the widest label of a row.
        width, height: of the screen, the ruler above and the legend and the status below not included.
        halves: whether one row of the screen can show two of the plane.
        narrowest: columns that a cell takes at least.
    """
    lens = 5 if height >= TALL else 3 if height >= LOW else 0
    room = max(1, height - (lens + 1 if lens else 0))
    gutter = min(label, max(3, width // 5)) + 1
    across = max(narrowest, width - gutter)
    parts = 2 if halves else 1
    cell_width = max(narrowest, min(LARGEST_CELL, across // max(1, columns)))
    cell_height = max(1, min(2 * parts, room * parts // max(1, rows)))
    shown = max(1, min(rows, room * parts // cell_height))
    body = -(-shown * cell_height // parts)
    return WholeLayout(gutter, shown, max(1, min(columns, across // cell_width)), cell_width, cell_height, body, lens)


def part_of(edges: Sequence[int], place: int) -> int:
    """Which part holds a place; see `edges_of`."""
    return max(0, min(len(edges) - 2, bisect_right(edges, place) - 1))


def part_sizes(edges: Sequence[int]) -> str:
    """How many places a part has: `4`, or `4-5`."""
    sizes = {after - before for before, after in pairwise(edges)} or {1}
    return f"{min(sizes)}-{max(sizes)}" if len(sizes) > 1 else str(min(sizes))
