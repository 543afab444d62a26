"""How two matrices and their product lie on the screen: A at the left, B above, C where they meet. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

CELL = 6  # a number with its sign and three digits, and a gap
LEAST = 3  # rows and columns that are shown of each before another has more
HEAD = 4  # lines of names and labels: two above B, two above A and C


@dataclass(frozen=True, slots=True)
class ProductLayout:
    """What is shown of A · B = C.

    Attributes:
        gutter: cells of a label of A's rows, its mark and a space included.
        rows: of A and C; columns: of B and C; summed: columns of A, which are the rows of B.
        foot: lines below for the sum, the last of them the element's own.
    """

    gutter: int
    rows: int
    columns: int
    summed: int
    foot: int

    @property
    def left(self) -> int:
        """Cells up to the rule between A and C."""
        return self.gutter + self.summed * CELL

    @property
    def result(self) -> int:
        """The first cell of B and C."""
        return self.left + 2

    @property
    def top(self) -> int:
        """The first line of A and C."""
        return HEAD + self.summed


def product_layout(rows: int, columns: int, summed: int, width: int, height: int, label: int) -> ProductLayout:
    """As much of the three as fits, each getting what another does not need.

    Args:
        rows, columns, summed: how many there are.
        width, height: of the screen.
        label: cells of the longest label of a row.
    """
    foot = 3 if height < 12 else 4 if height < 14 else 5 if height < 20 else 7
    gutter = max(4, min(label, max(5, width // 6))) + 2
    room = max(2, height - HEAD - foot)
    across = max(2, (width - gutter - 2) // CELL)
    shown = min(summed, *(max(1, most - min(others, most // 2)) for most, others in ((room, rows), (across, columns))))
    if summed <= min(room - min(rows, room // 3), across - min(columns, across // 3)):
        shown = summed  # rather all that is summed than one row or column more
    return ProductLayout(gutter, min(rows, room - shown), min(columns, across - shown), shown, foot)


def in_lines(widths: list[int], width: int) -> list[list[int]]:
    """Which parts of so many cells stand on each line, a space between them."""
    lines: list[list[int]] = [[]]
    used = 0
    for number, wide in enumerate(widths):
        if lines[-1] and used + 1 + wide > width:
            lines.append([])
            used = 0
        used += wide + bool(lines[-1])
        lines[-1].append(number)
    return lines
