"""Where the boxes of the map lie on the screen. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

PICTURE = (90, 22)  # from this size on boxes are drawn; below they are lines
NARROWEST, WIDEST = 14, 24
LOWEST, HIGHEST = 3, 8
GAP = 2  # between boxes, with an arrow in it


@dataclass(frozen=True, slots=True)
class PlacedBox:
    """A box on the screen.

    Attributes:
        row, column: which it is.
        x, y: of its upper left corner, from the top of the whole map.
    """

    row: int
    column: int
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class MapLayout:
    """Boxes in lines under the titles of their rows; in a column each box is one line.

    Attributes:
        drawn: whether boxes are drawn, rather than written in one line each.
        width, height: of every box.
        rows: the boxes of each row.
        titles: in which line the title of each row stands.
        total: how many lines there are.
    """

    drawn: bool
    width: int
    height: int
    rows: tuple[tuple[PlacedBox, ...], ...]
    titles: tuple[int, ...]
    total: int

    @property
    def boxes(self) -> tuple[PlacedBox, ...]:
        """All of them."""
        return tuple(chain.from_iterable(self.rows))

    def at(self, row: int, column: int) -> PlacedBox:
        """The box of that row and column."""
        return self.rows[row][column]

    def under(self, x: int, y: int) -> PlacedBox | None:
        """The box under a point of the map; None where there is none."""
        return next((box for box in self.boxes if 0 <= x - box.x < self.width and 0 <= y - box.y < self.height), None)

    @property
    def inner(self) -> tuple[int, int]:
        """Lines and columns of a picture."""
        return (max(1, self.height - 2), self.width - 2) if self.drawn else (1, max(0, self.width - LABEL))


LABEL = 34  # of a line: mark, title, shape


@lru_cache(maxsize=4)
def map_of(counts: tuple[int, ...], width: int, height: int) -> MapLayout:
    """Lay boxes out.

    Args:
        counts: how many boxes each row has.
        width, height: of the screen.
    """
    drawn = width >= PICTURE[0] and height >= PICTURE[1]
    each = max(1, min((width + GAP) // (NARROWEST + GAP), max(counts, default=1))) if drawn else 1
    lines = sum(-(-count // each) for count in counts)
    tall = max(LOWEST, min(HIGHEST, (height - len(counts)) // max(1, lines))) if drawn else 1
    wide = min(WIDEST, (width + GAP) // each - GAP) if drawn else width
    rows: list[tuple[PlacedBox, ...]] = []
    titles: list[int] = []
    y = 0
    for row, count in enumerate(counts):
        titles.append(y)
        y += 1
        places = ((column, *divmod(column, each)) for column in range(count))
        rows.append(tuple(PlacedBox(row, at, across * (wide + GAP), y + down * tall) for at, down, across in places))
        y += -(-count // each) * tall
    return MapLayout(drawn, wide, tall, tuple(rows), tuple(titles), y)


def neighbour(layout: MapLayout, row: int, column: int, where: str) -> tuple[int, int]:
    """The box one comes to from another; itself where there is none.

    A page is a row of the map, which has a title; the ends of a row are those of its line, where boxes are drawn.
    """
    here = layout.at(row, column)
    order = [(box.row, box.column) for box in layout.boxes]
    at = order.index((row, column))
    if where in ("left", "right"):
        return order[max(0, min(at + (1 if where == "right" else -1), len(order) - 1))]
    if where in ("top", "bottom"):
        return order[0 if where == "top" else -1]
    line = [box for box in layout.rows[row] if not layout.drawn or box.y == here.y]
    if where in ("row-start", "row-end"):
        return row, line[0 if where == "row-start" else -1].column
    if where == "page-up":
        return (row, 0) if column else (max(0, row - 1), 0)
    if where == "page-down":
        return (row + 1, 0) if row + 1 < len(layout.rows) else (row, len(layout.rows[row]) - 1)
    ys = sorted({box.y for box in layout.boxes})
    y = ys[max(0, min(ys.index(here.y) + {"up": -1, "down": 1}.get(where, 0), len(ys) - 1))]
    nearest = min((box for box in layout.boxes if box.y == y), key=lambda box: abs(box.x - here.x))
    return nearest.row, nearest.column
