"""`explain`: one element of a stage, handed to the operation that knows what it is made of."""

from __future__ import annotations

from ...messages.errors import InputError
from ...program.explanation import Explanation
from ...program.per_text import Index
from ...program.trace import Trace
from ...program.value import Value


def explain(trace: Trace, stage: str, index: Index | str = ()) -> Explanation:
    """Why one element of a stage is what it is: a sum of terms, each made of operands that can be explained in turn.

    Reads single numbers and rows of what the element is made from, never a whole tensor.

    Args:
        trace: a run or a recording.
        stage: its name, as `Program.resolve` takes it.
        index: one element: `(0, 3, 1, 5)` or `'head=3, query="the", key="cross"'`; axes of size one may be left out.

    Raises:
        InputError: no such stage, an index that does not fit or leaves more than one element, or a recording that
            lacks what is needed.
    """
    from ...ops.base import (
        OPERATIONS,
        unexplained,
    )  # eighty classes: whoever imports `why` to name its types wants none
    from ...ops.element import Element

    asked = trace.program[trace.program.resolve(stage)]
    element = Element(trace, asked, _one_element(trace.value(asked.name), index))
    operation = OPERATIONS.get(asked.kind)  # by its name: a recording has no classes
    return operation.explain(element) if operation is not None else unexplained(element)


def _one_element(value: Value, index: Index | str) -> tuple[int, ...]:
    """The number for each axis; axes of size one need none.

    Raises:
        InputError: the index does not fit, or leaves more than one element; the message says along which axes.
    """
    places: list[int] = []
    missing: list[str] = []
    for axis, part, size in zip(value.axes, value.bind(index), value.shape, strict=True):
        if not isinstance(part, slice):  # a token that stands elsewhere in each text leaves the batch open, before it
            places.append(part if isinstance(part, int) else part.of(places[0]))
            continue
        left = range(*part.indices(size))
        if len(left) != 1:
            missing.append(f"{axis} (0 to {size - 1})")
        places.append(left[0] if left else 0)
    if missing:
        example = ", ".join(f"{axis}={place}" for axis, place in zip(value.axes, places, strict=True))
        raise InputError(
            f"why takes one element, and the index leaves {' and '.join(missing)} open; write why {value.name}[{example}]"
        )
    return tuple(places)
