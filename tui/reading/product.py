"""A · B = C about one element, made on the engine's thread: windows of the three matrices, and the element's sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...engine.messages.translation import said
from ...engine.program.arrays import Array
from ...engine.program.faces import faces_along
from ..drawing.colours import Scale, codes_of, scale_of
from ..drawing.heat_paint import in_cells
from ..drawing.numbers import Scalar, counted, decimals_for
from ..drawing.text import cell_len, plain
from ..state.plane import label, origin_for
from ..state.product_layout import CELL, ProductLayout, product_layout
from .product_sum import ProductSum, sum_of

if TYPE_CHECKING:
    from ...engine.analysis.product import Matrix, Product
    from ...engine.commands.session import Session
    from ...engine.program.trace import Trace
    from ...engine.program.value import Value

WHOLE = 1 << 22  # numbers; the colours of a larger matrix are those of a part of it
TILE_ROWS, TILE_COLUMNS = 64, 128

PANELS = 24  # that are kept: of the three matrices a key moves the window of one or two


@dataclass(slots=True)
class MatricesSeen:
    """What has been read of matrices, as long as their numbers are the same.

    Attributes:
        scales: the colours of a matrix, or a part of it; panels: what is written of a window.
        labels: of all rows of a result, and how wide the widest is.
    """

    scales: dict[tuple[object, ...], Scale] = field(default_factory=dict[tuple[object, ...], Scale])
    panels: dict[tuple[object, ...], Panel] = field(default_factory=dict[tuple[object, ...], "Panel"])
    labels: dict[tuple[object, ...], tuple[list[str], int]] = field(
        default_factory=dict[tuple[object, ...], tuple[list[str], int]]
    )


@dataclass(frozen=True, slots=True)
class ProductAsked:
    """What is to be seen.

    Attributes:
        stage, index: the element of C.
        term: which term of its sum is chosen, 0 for the largest; gain: as in `ViewState`.
        width, height: of the screen.
        origins: the first row, column and place of the sum that were shown before.
    """

    stage: str
    index: tuple[int, ...]
    term: int
    gain: int
    width: int
    height: int
    origins: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One of the three matrices on the screen.

    Attributes:
        title: what it is called; sizes: `15 × 128`; trouble: why there are no numbers, "" where there are.
        codes: the colours of its cells; cells: its numbers.
        signed: whether its colours have zero in the middle.
    """

    title: str
    sizes: str
    codes: npt.NDArray[np.uint8]
    cells: tuple[list[str], ...] = ()
    signed: bool = True
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ShownAxis:
    """What is shown of one of the three axes.

    Attributes:
        axis: its name, "" where there is none; first, labels: the places that are shown; total: how many there are.
        here: the place that is lit, -1 for none.
    """

    axis: str
    first: int
    labels: tuple[str, ...]
    total: int
    here: int


@dataclass(frozen=True, slots=True, eq=False)
class ProductPicture:
    """A · B = C as a screen shows it.

    Attributes:
        asked: what was asked for; number: the element, in its own dtype.
        layout: what is where.
        left, right, result: A, B, C; rows, columns, summed: their axes.
        joined: of how many places of the summed axis a part is, where it is made of parts; part: of what; 0, "" else.
        sum: the terms.
    """

    asked: ProductAsked
    number: Scalar
    layout: ProductLayout
    left: Panel
    right: Panel
    result: Panel
    rows: ShownAxis
    columns: ShownAxis
    summed: ShownAxis
    joined: int
    part: str
    sum: ProductSum

    @property
    def origins(self) -> tuple[int, int, int]:
        """The first row, column and place of the sum on the screen."""
        return self.rows.first, self.columns.first, self.summed.first


def read_product(session: Session, asked: ProductAsked, seen: MatricesSeen) -> ProductPicture:
    """Explain the element and read what is on screen of its matrices. Runs on the engine's thread.

    Args:
        seen: what has been read before; what is read now is put into it.

    Raises:
        InputError: the stage is no product, or has no numbers.
    """
    from ...engine.analysis.product import product_of
    from ...engine.analysis.why import explain
    from ...engine.messages.errors import InputError

    trace = session.trace
    stage, value = trace.program[asked.stage], trace.value(asked.stage)
    product = product_of(trace, stage, asked.index)
    if product is None:
        raise InputError(f"{stage.name} is no product of two matrices")
    explanation = explain(trace, stage.name, asked.index)
    sum_ = sum_of(trace, explanation, product, asked.term)
    a, b, c = product.left, product.right, product.result
    text = asked.index[0] if value.axes[:1] == ("batch",) and a.row_axis != "batch" else 0
    counts = (a.rows, b.columns, a.columns)
    of_rows = (stage.name, c.row_axis, c.rows, text, a.rows)
    if of_rows not in seen.labels:
        named_rows = [_label(value, c.row_axis, at, c.rows, text) for at in range(a.rows if a.rows > 1 else 0)]
        seen.labels[of_rows] = named_rows, max(map(cell_len, named_rows), default=1)
    row_labels, widest = seen.labels[of_rows]
    layout = product_layout(*counts, asked.width, asked.height, widest)
    shown = (layout.rows, layout.columns, layout.summed)
    here = (a.row, b.column, max(0, sum_.place))
    first = [_first(*each) for each in zip(asked.origins, here, shown, counts, strict=True)]
    rows, columns, summed = (
        slice(start, min(start + size, total)) for start, size, total in zip(first, shown, counts, strict=True)
    )
    # C has all its rows where A has one for each; else the one row that goes with the B that is shown
    down = rows if a.down is not None else slice(c.row, c.row + 1)
    across = columns if b.across is not None else slice(c.column, c.column + 1)
    own = [_label(value, c.row_axis, c.row, c.rows, text)] if a.down is None else row_labels[rows]
    named = trace[a.address]
    return ProductPicture(
        asked, np.asarray(value.read(asked.index)).flat[0], layout,
        _panel(trace, a, rows, summed, asked.gain, seen),
        _panel(trace, b, summed, columns, asked.gain, seen),
        _panel(trace, c, down, across, asked.gain, seen),
        ShownAxis(c.row_axis, down.start, tuple(own), c.rows, c.row),
        ShownAxis(c.column_axis, across.start, _labels(value, c.column_axis, across, c.columns, text), c.columns, c.column),
        ShownAxis(a.column_axis or b.row_axis, summed.start, _labels(_namer(trace, product, named), a.column_axis or b.row_axis, summed, a.columns, text), a.columns, sum_.place),
        product.joined, product.part, sum_,
    )  # fmt: skip


def _first(before: int, here: int, shown: int, total: int) -> int:
    """The first place to show: as before while what is lit is seen; else so that it is in the middle, or next to the edge it left."""
    near = before - 1 <= here <= before + shown
    return origin_for(before if near else max(0, here - shown // 2), here, shown, total)


def _namer(trace: Trace, product: Product, left: Value) -> Value:
    """The value that knows what places of the summed axis are called: rows of a table of words have names, ids have not."""
    return trace[product.right.address] if product.left.one_hot else left


def _labels(value: Value, axis: str, part: slice, size: int, text: int) -> tuple[str, ...]:
    return tuple(_label(value, axis, at, size, text) for at in range(part.start, part.stop))


def _label(value: Value, axis: str, at: int, size: int, text: int) -> str:
    """`7`, `cross`; of an id `1037 cross`."""
    if axis == "label":
        return value.labels[at] if at < len(value.labels) else str(at)
    if axis == "vocabulary":
        return f"{at} {plain(value.word(at))}"
    rows = faces_along(value.tokens.get(axis, ()))
    return label(axis, at, size, rows[text] if text < len(rows) else ())


def _panel(trace: Trace, matrix: Matrix, rows: slice, columns: slice, gain: int, seen: MatricesSeen) -> Panel:
    key = (*_key(matrix, rows, columns), matrix.title, matrix.down, matrix.across, gain)
    panel = seen.panels.get(key) or _read_panel(trace, matrix, rows, columns, gain, seen)
    if not panel.trouble:  # which is said in the language in use
        seen.panels[key] = panel
        while len(seen.panels) > PANELS:
            seen.panels.pop(next(iter(seen.panels)))
    return panel


def _read_panel(trace: Trace, matrix: Matrix, rows: slice, columns: slice, gain: int, seen: MatricesSeen) -> Panel:
    from ...engine.messages.errors import InputError

    title, sizes = matrix.title, f"{counted(matrix.rows)} × {counted(matrix.columns)}"
    try:
        numbers = matrix.window(trace, rows, columns)
        scale = _scale(trace, matrix, rows, columns, seen).with_gain(gain)
    except InputError as error:
        return Panel(title, sizes, np.zeros((0, 0), np.uint8), trouble=said(str(error)))
    decimals = 0 if numbers.dtype.kind in "iu" else decimals_for(scale.limit, CELL - 1, signed=False)
    cells = tuple(in_cells(row, CELL - 1, decimals, signed=False) for row in numbers)
    codes = codes_of(np.ascontiguousarray(numbers), scale, trace[matrix.address].dtype)
    return Panel(title, sizes, codes, cells, scale.signed)


def _scale(trace: Trace, matrix: Matrix, rows: slice, columns: slice, seen: MatricesSeen) -> Scale:
    """The scale of the whole matrix; of a large one that of the part about what is on screen."""
    if matrix.one_hot or "vocabulary" in (matrix.row_axis, matrix.column_axis):
        whole = matrix.rows * matrix.columns <= 1 << 16
    else:
        whole = matrix.rows * matrix.columns <= WHOLE
    every = (slice(0, matrix.rows), slice(0, matrix.columns))
    part = every if whole else (_tile(rows, TILE_ROWS, matrix.rows), _tile(columns, TILE_COLUMNS, matrix.columns))
    key = _key(matrix, *part)
    if key not in seen.scales:
        numbers: Array = matrix.window(trace, *part)
        seen.scales[key] = scale_of(np.ascontiguousarray(numbers), trace[matrix.address].dtype)
    return seen.scales[key]


def _key(matrix: Matrix, *part: slice) -> tuple[object, ...]:
    """Which numbers a part of a matrix has: the element's own row and column are none of them."""
    fixed = tuple(at for axis, at in enumerate(matrix.index) if axis not in (matrix.down, matrix.across))
    return (matrix.address, matrix.one_hot, fixed, *((each.start, each.stop) for each in part))


def _tile(shown: slice, tile: int, total: int) -> slice:
    return slice(shown.start // tile * tile, min(total, -(-shown.stop // tile) * tile))
