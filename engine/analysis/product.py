"""A stage as a product of two matrices, A · B = C: which matrices, where an element's row and column lie, what stands there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program.addresses import AT
from ..program.factors import ONE, Axes, factors_of
from ..program.per_text import Rectangle
from ..program.program import Program
from ..program.stage import Shape, Stage
from ..program.trace import Trace
from ..program.value import Value
from ..program.weight import axes_of_weight


@dataclass(frozen=True, slots=True)
class Matrix:
    """A factor of a product, or the product: a value seen as a matrix at one place of all its other axes.

    Attributes:
        address: of the value; name: of the stage or weight that its numbers are called by in an explanation.
        title: what the stage's formula calls it, with a ᵀ where its rows are the value's columns.
        index: a place along each axis; those of the two below are the element's own.
        down, across: the axes that are rows and columns; None for a matrix of one row, or of one column.
        rows, columns: how many; row_axis, column_axis: what they are called, "" where there is one.
        one_hot: whether the value holds numbers and the matrix has, for each, a row with its one 1 there.
    """

    address: str
    name: str
    title: str
    index: tuple[int, ...]
    down: int | None
    across: int | None
    rows: int
    columns: int
    row_axis: str
    column_axis: str
    one_hot: bool = False

    @property
    def row(self) -> int:
        """The element's row."""
        return 0 if self.down is None else self.index[self.down]

    @property
    def column(self) -> int:
        """The element's column."""
        return 0 if self.across is None else self.index[self.across]

    def window(self, trace: Trace, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Some rows and columns of it: (rows, columns).

        Raises:
            InputError: there are no numbers: a recording holds no weights.
        """
        part: Rectangle = tuple(
            rows if axis == self.down else columns if axis == self.across and not self.one_hot else place
            for axis, place in enumerate(self.index)
        )
        numbers = np.asarray(trace[self.address].read(part))
        if self.one_hot:
            places = np.arange(self.columns)[columns]
            return (numbers.reshape(-1, 1) == places).astype(np.int64)
        if self.down is not None and self.across is not None and self.down > self.across:
            numbers = numbers.T
        wide = 1 if self.across is None else len(range(*columns.indices(self.columns)))
        return numbers.reshape(-1, wide)


@dataclass(frozen=True, slots=True)
class Product:
    """A · B = C about one element of C.

    Attributes:
        left, right: A and B; they are as wide and as high as each other. Where A has one row for each row of C but another B
            goes with each, it is a matrix of one row, the element's; so is B then of one column.
        result: C.
        joined: of how many columns of A one part is, where A is made of parts side by side; of what: `head`. 0, "" else.
    """

    left: Matrix
    right: Matrix
    result: Matrix
    joined: int = 0
    part: str = ""


def product_of(trace: Trace, stage: Stage, index: tuple[int, ...]) -> Product | None:
    """The product that an element of a stage is of.

    Args:
        index: a number for each axis of the stage.

    Returns:
        None where it is no product of two matrices.
    """
    if not stage.card.factors:
        return None
    first, second = _operands(trace, stage)
    factors = factors_of(stage.card.factors, len(first.axes), len(second.axes), len(stage.axes))
    left, right = (first, factors.left), (second, factors.right)
    row, column = ("", *factors.result)[-2:]
    if column in factors.left and column not in factors.right:
        left, right = right, left
    places = dict(zip(factors.result, index, strict=True))
    result = trace.value(stage.name)
    own = row if row in left[1] and row not in right[1] else "", column if column not in left[1] else ""
    a = _matrix(*left, own[0], factors.summed, places)
    b = _matrix(*right, factors.summed, own[1], places)
    c = _matrix(
        _Operand(result, stage.name, stage.part, stage.axes),
        factors.result,
        row if len(index) > 1 else "",
        column,
        places,
    )
    return Product(a, b, c, *joined(trace.program, trace.shapes, left[0].name))


def joined(program: Program, shapes: Mapping[str, Shape], name: str) -> tuple[int, str]:
    """How many places of the last axis of a stage are one part, where parts lie side by side along it, and what a part is."""
    if name not in program or not program[name].card.joins:
        return 0, ""
    stage = program[name]
    return shapes[stage.inputs[0]][-1], stage.card.joins


@dataclass(frozen=True, slots=True)
class _Operand:
    value: Value
    name: str
    title: str
    axes: Axes
    one_hot: int = 0


def _operands(trace: Trace, stage: Stage) -> tuple[_Operand, _Operand]:
    """What is multiplied, in the order of the card."""
    inputs = [_Operand(trace.value(name), name, _short(stage, name), trace.program[name].axes) for name in stage.inputs]
    if len(inputs) > 1:
        return inputs[0], inputs[1]
    address = f"{stage.name}{AT}{stage.symbols[0]}"
    shape = trace.weight_shapes[stage.weights[0]]
    axes = axes_of_weight(stage, len(shape))
    weight = _Operand(trace[address], stage.weights[0], stage.symbols[0], axes)
    if not stage.card.looks_up:
        return inputs[0], weight
    ids = inputs[0]
    rows = next((row for row in trace.program if row.kind == "OneHot" and row.inputs == stage.inputs), None)
    if rows is not None:
        return _Operand(trace.value(rows.name), rows.name, rows.name, rows.axes), weight
    made = _Operand(ids.value, ids.name, f"one-hot {ids.title}", (*ids.axes, axes[-2]), shape[-2])
    return made, weight


def _matrix(operand: _Operand, letters: Axes, down: str, across: str, places: dict[str, int]) -> Matrix:
    at = {letter: axis for axis, letter in enumerate(letters) if letter != ONE}
    rows, columns = at.get(down) if down else None, at.get(across) if across else None
    turned = rows is not None and columns is not None and rows > columns
    index = tuple(places.get(letter, 0) for letter in letters)
    shape = (*operand.value.shape, operand.one_hot) if operand.one_hot else operand.value.shape
    # fmt: off
    return Matrix(
        operand.value.name, operand.name, operand.title + "ᵀ" * turned, index[: len(operand.value.shape)], rows, columns,
        1 if rows is None else shape[rows], 1 if columns is None else shape[columns],
        "" if rows is None else operand.axes[rows], "" if columns is None else operand.axes[columns], bool(operand.one_hot),
    )
    # fmt: on


def _short(stage: Stage, name: str) -> str:
    return name.removeprefix(stage.block + ".")
