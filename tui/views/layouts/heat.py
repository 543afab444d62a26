"""How a heat map lies on the screen: how large its cells are, where labels stand. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...drawing.text import cell_len, chunks, widest

WIDEST_CELL, TALLEST_CELL = 9, 3
TALLEST_LABEL = 6
TALLEST_RULER = 3
MARKER = 1  # before a label: the mark of the cursor's row


@dataclass(frozen=True, slots=True)
class HeatLayout:
    """Where everything is.

    Attributes:
        gutter: columns of row labels, the marker and the space behind them included.
        paired: whether a row of the screen that shows two rows of the plane has the labels of both beside each other.
        cell_width: columns of a cell.
        cell_height: rows of a cell; 0 stands for half a row.
        label_lines: rows of column labels, each broken to its cell; 0 where labels stand on a ruler.
        header: rows above the picture.
        rows, columns: how many cells are on screen.
        body: rows of the picture.
        legend: whether there is a legend below it.
    """

    gutter: int
    cell_width: int
    cell_height: int
    label_lines: int
    header: int
    rows: int
    columns: int
    body: int
    legend: bool
    paired: bool = False

    @property
    def half(self) -> bool:
        """Whether a row of the screen shows two rows of the plane."""
        return self.cell_height == 0

    @property
    def middle(self) -> int:
        """The line of a cell that its number and the label of its row stand on."""
        return max(0, self.cell_height - 1) // 2

    def rows_at(self, line: int) -> tuple[int, int]:
        """The first cell row on a line of the picture (counted from its top) and how many are on that line."""
        return (line * 2, 2) if self.half else (line // self.cell_height, 1)

    def line_of(self, row: int) -> int:
        """The first line of the picture that shows a cell row, counted from the first that is on screen."""
        return row // 2 if self.half else row * self.cell_height


def layout_of(
    rows: int,
    columns: int,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    width: int,
    height: int,
    *,
    narrowest: int = 1,
    halves: bool = True,
    ruled: bool = False,
) -> HeatLayout:
    """Fit a plane into a part of the screen, as large and as labelled as there is room for.

    Args:
        rows, columns: of the plane.
        row_labels: as many as need to be looked at to know how wide they are.
        column_labels: of every column if there are few, otherwise of some.
        width, height: of the screen, the status line not included.
        narrowest: columns that a cell takes at least: two where a sign and a shade stand for colour.
        halves: whether half blocks may be used, which need colours.
        ruled: whether labels of columns stand on a ruler though each had room above its own.
    """
    each = 2 if halves else 1
    # where all rows could be seen, or be as high as a line, but for the legend, it gives way
    full, half = height - 2 < rows <= height - 1, (height - 2) * each < rows <= (height - 1) * each
    legend = height >= 5 and not full and not half
    room = max(1, height - legend)
    longest = widest(tuple(row_labels))
    gutter = _gutter(min(longest, max(4, width // 5)), width, columns) if width >= 16 else 0
    across = max(1, width - gutter)
    cell_width = max(narrowest, min(WIDEST_CELL, across // max(1, columns)))
    header = 1 if room >= 3 else 0
    body = max(1, room - header)
    if rows <= body:
        wanted = max(1, (cell_width + 1) // 3)
        cell_height = max(1, min(TALLEST_CELL, wanted, body // max(1, rows)))
        lines = rows * cell_height
    else:
        cell_height = 0 if halves else 1
        lines = min(body, -(-rows // 2) if halves else rows)
    wide = _paired_gutter(row_labels, width, columns, gutter, cell_width) if gutter and not cell_height else 0
    if wide:
        gutter, across = wide, width - wide
        cell_width = max(narrowest, min(WIDEST_CELL, across // max(1, columns)))
    shown_columns = max(1, min(columns, across // cell_width))
    stacks = columns <= shown_columns and header and not ruled
    label_lines = _label_lines(column_labels, cell_width, room - lines) if stacks else 0
    if not label_lines and header:
        header = 1 + _more_ruler_lines(column_labels, cell_width, room - 1 - lines)
    header = max(header, label_lines)
    body = max(1, min(lines, room - header))
    shown_rows = body * 2 if cell_height == 0 else body // cell_height
    return HeatLayout(
        gutter, cell_width, cell_height, label_lines, header, min(rows, shown_rows), shown_columns, body, legend, bool(wide),
    )  # fmt: skip


def _gutter(longest: int, width: int, columns: int) -> int:
    """Columns for row labels; a long one loses an end where that makes narrow cells wider."""
    full = longest + MARKER + 1
    wide = (width - full) // max(1, columns)
    for less in (1, 2):
        if longest - less >= 4 and 1 <= wide < 4 and (width - full + less) // max(1, columns) > wide:
            return full - less
    return full


def _paired_gutter(labels: Sequence[str], width: int, columns: int, single: int, cell_width: int) -> int:
    """Columns for the labels of two rows beside each other; 0 where there is no room, or they are numbers in a row."""
    if all(label.isdecimal() for label in labels):
        return 0
    gutter = 2 * (single - MARKER) + MARKER
    fits = gutter + columns * min(2, cell_width) <= width
    return gutter if fits or (columns * cell_width > width - single and gutter <= width // 4) else 0


def _more_ruler_lines(labels: Sequence[str], cell_width: int, spare: int) -> int:
    """How many lines more a ruler of words takes before each has a place, of those that are to spare."""
    if all(label.isdecimal() for label in labels):
        return 0
    starts = [column * cell_width for column in range(len(labels))]
    width = starts[-1] + cell_width
    for more in range(min(spare, TALLEST_RULER - 1)):
        if len(placed(labels, starts, width, 1 + more)) == len(labels):
            return more
    return max(0, min(spare, TALLEST_RULER - 1))


def placed(
    labels: Sequence[str], starts: Sequence[int], width: int, lines: int, first: int = -1
) -> dict[int, tuple[int, int]]:
    """Where labels stand above their columns, in as many lines as are given; those for which there is no room are left out.

    Args:
        labels: of neighbouring columns.
        starts: where each would begin, from left to right; one that would not end within the width ends there.
        first: which of them has a place before the others, in the lowest line; -1 for none.

    Returns:
        Line, from the lowest, and first cell, by the label's number.
    """
    taken: list[list[tuple[int, int]]] = [[] for _ in range(lines)]
    places: dict[int, tuple[int, int]] = {}
    for number in sorted(range(len(labels)), key=lambda number: number != first):
        wide = cell_len(labels[number])
        start = starts[number] if starts[number] + wide <= width or number != first else max(0, width - wide)
        if not wide or start + wide > width:
            continue
        for line, spans in enumerate(taken):
            # from left to right, but for the first: only that one and the last can be in the way
            if all(start > end or start + wide < begin for begin, end in (*spans[:1], *spans[-1:])):
                spans.append((start, start + wide))
                places[number] = line, start
                break
    return places


def _label_lines(labels: Sequence[str], cell_width: int, spare: int) -> int:
    """How many lines labels broken to the width of a cell take; 0 when too little of them could be shown."""
    room = label_width(cell_width)
    needed = max((len(broken(label, cell_width)) for label in labels), default=1)
    given = min(needed, spare, TALLEST_LABEL)
    return given if given == needed or given * room >= 3 else 0


def broken(label: str, cell_width: int) -> list[str]:
    """A column's label in lines; `[SEP]` may fill its cell, for its brackets keep it from the next."""
    if label.startswith("[") and label.endswith("]") and cell_len(label) <= cell_width:
        return [label]
    return chunks(label, label_width(cell_width))


def label_width(cell_width: int) -> int:
    """How wide a line of a column's label may be: a column is left free so that labels do not run together."""
    return max(1, cell_width - 1)
