"""The plane of a value that a screen can show: which axes make the picture, and how a cell cursor moves in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ...engine.messages.translation import tr
from ...engine.program.index import PLACE_AXIS, TOKEN_AXES, offset
from ...engine.program.per_text import Rectangle
from ..drawing.text import cell_len, fit, plain
from .subject import Subject
from .view_state import ViewState

LOOKUP_AXES = {"batch": "text", "head": "head"}
PAGED_AXES = ("head", "channel", "hidden", "token")  # of several, the first of these


@dataclass(frozen=True, slots=True)
class Plane:
    """The last two axes of a value, with every axis before them fixed.

    Attributes:
        stage: canonical name of the value.
        axes, shape: of the whole value.
        fixed: an index for each axis before the last two.
    """

    stage: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    fixed: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows; a vector is one row, and so is a single number."""
        return self.shape[-2] if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        """How many columns."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """How many cells."""
        return self.rows * self.columns

    @property
    def row_axis(self) -> str:
        """Name of the axis that runs down; "" for a vector."""
        return self.axes[-2] if len(self.axes) > 1 else ""

    @property
    def column_axis(self) -> str:
        """Name of the axis that runs across; "" for a single number."""
        return self.axes[-1] if self.axes else ""

    def window(self, rows: slice, columns: slice) -> Rectangle:
        """The index of a window of the plane in the whole value."""
        return (*self.fixed, *((rows, columns)[-len(self.shape) :] if self.shape else ()))

    def cell(self, row: int, column: int) -> tuple[int, ...]:
        """The full index of one element."""
        return (*self.fixed, *((row, column)[-len(self.shape) :] if self.shape else ()))

    def text(self, row: int) -> int:
        """Which text of the batch a row of the plane belongs to."""
        if self.row_axis == "batch":
            return row
        return self.fixed[self.axes.index("batch")] if "batch" in self.axes[:-2] else 0


def plane_of(subject: Subject, state: ViewState) -> Plane:
    """The plane of a value that the state points at."""
    return plane_at(subject.stage, subject.axes, subject.shape, state)


def plane_at(stage: str, axes: tuple[str, ...], shape: tuple[int, ...], state: ViewState) -> Plane:
    """The plane of a value of these axes that the state points at.

    An axis of size one stands for any index: the additive mask has one head, which is every head's.
    """
    chosen = {paged(axes): state.head, "batch": state.text}
    pairs = list(zip(axes, shape, strict=True))[:-2]
    fixed = tuple(max(0, min(chosen.get(axis, 0), size - 1)) for axis, size in pairs)
    return Plane(stage, axes, shape, fixed)


def paged(axes: Sequence[str]) -> str:
    """The axis before the last two that is leafed through: heads, the channels of an image, or the tokens that a window of
    words is around; "" where there is none."""
    return next((axis for axis in PAGED_AXES if axis in axes[:-2]), "")


def within_plane(state: ViewState, plane: Plane) -> ViewState:
    """The state with its cell inside the plane."""
    row, column = _clip(state.row, plane.rows), _clip(state.column, plane.columns)
    return state if (row, column) == (state.row, state.column) else replace(state, row=row, column=column)


def moved(where: str, state: ViewState, plane: Plane, page: tuple[int, int] = (10, 10)) -> ViewState:
    """The state after `move WHERE`.

    Args:
        where: left, right, up, down, page-up, page-down, row-start, row-end, top, bottom.
        page: how many rows and columns are on screen.
    """
    state = within_plane(state, plane)
    last_row, last_column = max(0, plane.rows - 1), max(0, plane.columns - 1)
    row, column = {
        "left": (state.row, state.column - 1),
        "right": (state.row, state.column + 1),
        "up": (state.row - 1, state.column),
        "down": (state.row + 1, state.column),
        "page-up": (state.row - max(1, page[0]), state.column),
        "page-down": (state.row + max(1, page[0]), state.column),
        "row-start": (state.row, 0),
        "row-end": (state.row, last_column),
        "top": (0, state.column),
        "bottom": (last_row, state.column),
    }.get(where, (state.row, state.column))
    return within_plane(replace(state, row=row, column=column), plane)


def scaled(direction: str, state: ViewState) -> ViewState:
    """The state after `contrast up|down|reset`: each step is a factor of two, thirty-two of them either way."""
    gain = {"up": state.gain + 1, "down": state.gain - 1}.get(direction, 0)
    return replace(state, gain=max(-32, min(32, gain)))


def origin_for(origin: int, cursor: int, shown: int, total: int) -> int:
    """The first row (or column) to show so that the cursor is on screen, moving as little as can be."""
    if shown <= 0 or total <= shown:
        return 0
    origin = min(origin, cursor) if cursor < origin else max(origin, cursor - shown + 1)
    return max(0, min(origin, total - shown))


def label(axis: str, index: int, size: int, tokens: Sequence[str]) -> str:
    """What to write beside a row or above a column: the token or the label's name, how far off a place is, else the number."""
    if axis in TOKEN_AXES and size == 1 and len(tokens) != 1:
        return "any"
    if axis == PLACE_AXIS:
        return f"{offset(index, size):+d}"
    name = tokens[index] if index < len(tokens) else ""
    return plain(name) if name else str(index)


def row_labels(plane: Plane, subject: Subject) -> tuple[str, ...]:
    """A label for every row."""
    text = plane.text(0)
    tokens = tuple(_words(subject, plane.row_axis, text))
    if plane.row_axis == "token" and text < len(subject.positions):
        tokens = _numbered(tokens, subject.positions[text])
    return _row_labels(plane.row_axis, plane.rows, tokens, tr("text"))


@lru_cache(maxsize=16)
def _numbered(tokens: tuple[str, ...], positions: tuple[int, ...]) -> tuple[str, ...]:
    """Tokens with their positions before them, as in a table of two columns."""
    shown = [plain(token) for token in tokens]
    wide, digits = max(map(cell_len, shown), default=0), len(str(max(positions, default=0)))
    return tuple(f"{at:>{digits}} {fit(token, wide)}" for at, token in zip(positions, shown, strict=False))


@lru_cache(maxsize=16)
def _row_labels(axis: str, rows: int, tokens: tuple[str, ...], text: str) -> tuple[str, ...]:
    if axis == "batch":
        return tuple(f"{text} {row}" for row in range(rows))
    return tuple(label(axis, row, rows, tokens) for row in range(rows))


def column_label(plane: Plane, subject: Subject, row: int, column: int) -> str:
    """A label for one column; it depends on the row where rows are texts."""
    return label(plane.column_axis, column, plane.columns, _words(subject, plane.column_axis, plane.text(row)))


def some_column_labels(plane: Plane, subject: Subject, row: int, columns: Iterable[int]) -> list[str]:
    """Labels for some columns, as `column_label` has them one by one."""
    words = _words(subject, plane.column_axis, plane.text(row))
    return [label(plane.column_axis, column, plane.columns, words) for column in columns]


def part_beginning(subject: Subject, plane: Plane, column: int) -> str:
    """What begins at a column of parts side by side: `head 1`; "" within a part, and where there are no parts."""
    if not subject.joined or plane.columns <= subject.joined or column % subject.joined:
        return ""
    return f"{tr(subject.part)} {column // subject.joined}"


def fitted(text: str, width: int) -> str:
    """A row's label in exactly `width` cells, at the right; one that has to be cut keeps its beginning."""
    return fit(text, width, "right") if cell_len(text) <= width else fit(text.rstrip(), width)


def column_labels(plane: Plane, subject: Subject) -> tuple[str, ...]:
    """A label for every column; for planes whose rows are of one text."""
    words = tuple(_words(subject, plane.column_axis, plane.text(0)))
    return _row_labels(plane.column_axis, plane.columns, words, tr("text"))


def written_place(plane: Plane, subject: Subject, row: int, column: int) -> tuple[str, ...]:
    """Where a cell is, for people, from the longest form to the shortest.

    `[query=7 "cross", key=2 "animal"]`, `[7 "cross", 2 "animal"]`, `[7, 2]`; "" for a single number.
    """
    long: list[str] = []
    middle: list[str] = []
    short: list[str] = []
    for axis, size, index in ((plane.row_axis, plane.rows, row), (plane.column_axis, plane.columns, column)):
        if axis:
            text = label(axis, index, size, _words(subject, axis, plane.text(row)))
            token = "" if text == str(index) else f' "{text}"'
            number = "any" if text == "any" and size == 1 else f"{index}{token}"
            long.append(f"{axis}={number}")
            middle.append(number)
            short.append(str(index))
    return tuple(f"[{', '.join(parts)}]" for parts in (long, middle, short)) if long else ("",)


def axes_named(plane: Plane) -> tuple[str, ...]:
    """Which axis runs down and which across, at length and shortly; "" for a single number."""
    down, across = plane.row_axis, plane.column_axis
    if not down:
        return (f"{across} →" if across else "",)
    return f"{down} ↓  {across} →", f"↓{down} {across}→", f"{down}╲{across}"


def axes_that_fit(plane: Plane, room: int) -> str:
    """The longest of these forms that so many cells have room for; "" where none has."""
    return next((name for name in axes_named(plane) if cell_len(name) <= room), "")


def _words(subject: Subject, axis: str, text: int) -> Sequence[str]:
    """What the places of an axis are called, where they are called anything."""
    if axis == "label":
        return subject.labels
    return subject.strings(axis, text)


def _clip(index: int, size: int) -> int:
    return max(0, min(index, size - 1))
