"""How many small pictures go side by side, and how large they can be. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 8, 3
LARGEST_CELL = 4


@dataclass(frozen=True, slots=True)
class GalleryLayout:
    """Pictures in a grid, a line or column free before, between and behind them for titles and the frame.

    Attributes:
        across: pictures in a row; down: rows of pictures, of which `shown` are on screen.
        width, height: of one picture, in cells of the screen.
        cell_width, cell_height: how large each number of a picture is, in columns and in halves of a row.
        values_across, values_down: how many numbers a picture shows: those of its plane, or fewer.
    """

    across: int
    down: int
    shown: int
    width: int
    height: int
    cell_width: int
    cell_height: int
    values_across: int
    values_down: int

    @property
    def pooled(self) -> tuple[int, int]:
        """Numbers down and across of a picture."""
        return self.values_down, self.values_across


def gallery_of(count: int, rows: int, columns: int, width: int, height: int, *, parts: int = 2) -> GalleryLayout:
    """The grid with the largest pictures that shows all; where they would be too small, one that scrolls.

    Args:
        count: how many pictures; rows, columns: of the plane behind each.
        width, height: of the screen.
        parts: how many numbers one row of the screen shows: two with half blocks, one without.
    """
    count, rows, columns = max(1, count), max(1, rows), max(1, columns)
    best: tuple[float, GalleryLayout] | None = None
    for across in range(1, count + 1):
        down = -(-count // across)
        wide = (width - 1) // across - 1
        if wide < min(LEAST_WIDTH, columns) and across > 1:
            break
        tall = (height - 1) // down - 1
        least = min(LEAST_HEIGHT, -(-rows // parts))
        shown = down
        if tall < least:
            shown = max(1, (height - 1) // (least + 1))
            tall = max(1, (height - 1) // shown - 1)
        layout = _one(across, down, shown, max(1, wide), max(1, tall), rows, columns, parts)
        merit = min(layout.width / columns, parts * layout.height / rows) - 100 * (down - shown) - 0.001 * across
        if best is None or merit > best[0]:
            best = merit, layout
    assert best is not None
    return best[1]


def _one(
    across: int, down: int, shown: int, wide: int, tall: int, rows: int, columns: int, parts: int
) -> GalleryLayout:
    values_across, values_down = min(columns, wide), min(rows, tall * parts)
    cell_width = min(LARGEST_CELL, wide // values_across)
    cell_height = max(1, min(LARGEST_CELL // 2, tall * parts // values_down, max(1, cell_width)))
    height = -(-values_down * cell_height // parts)
    return GalleryLayout(
        across, down, shown, values_across * cell_width, height, cell_width, cell_height, values_across, values_down
    )
