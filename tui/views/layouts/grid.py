"""How the thumbnails of all heads of all layers lie on the screen. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

GUTTER = 6  # the mark of the layer one is in, its number, a space
LEAST_WIDTH, LEAST_HEIGHT = 4, 2
LARGEST_CELL = 2  # a number of a thumbnail is at most that many halves of a row high, and twice as many columns wide


@dataclass(frozen=True, slots=True)
class GridLayout:
    """Layers down, heads across, a column free between thumbnails and half a row or a row below each.

    Attributes:
        width, height: of a thumbnail, in cells; the free half row is in its height, the free column is not in its width.
        values_down, values_across: how many numbers it shows.
        cell_width, cell_height: of a number, in columns and in halves of a row (without colours: in rows).
        layers, heads: how many are on screen at once.
    """

    width: int
    height: int
    values_down: int
    values_across: int
    cell_width: int
    cell_height: int
    layers: int
    heads: int


def grid_of(
    layers: int, heads: int, rows: int, columns: int, width: int, height: int, *, colours: bool, signed: bool = False
) -> GridLayout:
    """The largest thumbnails of which all fit on the screen; where they would be too small, some that do not.

    Args:
        layers, heads: how many there are.
        rows, columns: of the plane behind each.
        width, height: of the screen, without the line of heads above, the legend and the status.
        colours: whether one row of the screen can show two numbers.
        signed: whether a number without colours takes two cells, sign and shade.
    """
    layers, heads, rows, columns = max(1, layers), max(1, heads), max(1, rows), max(1, columns)
    room = max(1, width - GUTTER)
    wide = max((room - 1) // heads - 1, LEAST_WIDTH)
    tall = max(height // layers, LEAST_HEIGHT)
    parts = 2 if colours else 1
    each = 2 if signed and not colours else 1  # cells of a number at its narrowest
    # a thumbnail is about as wide as it is high: a row of the screen is as high as two columns are wide
    tall = min(tall, max(LEAST_HEIGHT, (wide + 1) // 2 + 1))
    free = tall * parts - 1
    wide = min(wide, max(LEAST_WIDTH, 4 * tall))
    down, across = min(rows, free), max(1, min(columns, wide // each))
    cell_width = max(each, min(2 * LARGEST_CELL, wide // across))
    cell_height = max(1, min(LARGEST_CELL, free // down, max(1, cell_width * parts // 2)))
    used = down * cell_height // parts + 1
    return GridLayout(
        across * cell_width, used, down, across, cell_width, cell_height,
        min(layers, max(1, height // used)), min(heads, max(1, (room - 1) // (across * cell_width + 1))),
    )  # fmt: skip
