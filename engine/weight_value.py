"""A weight of a stage, read as values are: `embeddings.position@E`, the matrix that the stage's formula calls E."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .errors import InputError
from .per_text import Index
from .value import Value

if TYPE_CHECKING:
    from .program import Stage
    from .trace import Trace

AT = "@"
LINEAR = ("out", "in")  # torch keeps the weight of a linear layer as (out_features, in_features)
_ROWS = {"tokens.ids": "vocabulary", "tokens.positions": "position", "tokens.segments": "segment"}


class WeightValue(Value):
    """A window on a parameter. It has no batch and no tokens; nothing is computed for it and nothing is kept.

    Args:
        trace: which has the weight.
        stage: that uses it.
        number: which of its weights, from 0.
    """

    def __init__(self, trace: Trace, stage: Stage, number: int) -> None:
        self.weight = stage.weights[number]
        self.name = f"{stage.name}{AT}{stage.symbols[number]}"
        self.shape = tuple(trace.weight_shapes[self.weight])
        self.axes = axes_of_weight(stage, len(self.shape))
        self.dtype = trace.about.get("dtype", "float32")
        self.word = trace.word
        self._trace = trace

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        return self._trace.weight(self.weight, self.bind(index))


def axes_of_weight(stage: Stage, count: int) -> tuple[str, ...]:
    """Names for the axes of a weight with so many of them."""
    if count == 1:
        return stage.axes[-1:]
    if count == 2 and stage.kind == "Lookup":
        return _ROWS.get(stage.inputs[0] if stage.inputs else "", "row"), stage.axes[-1]
    if count == 2:
        return LINEAR if stage.kind == "Linear" else ("row", "column")
    return tuple(f"axis{axis}" for axis in range(count))


def find_weight(trace: Trace, name: str) -> WeightValue | None:
    """The weight that is meant by `STAGE@SYMBOL` or by the name the checkpoint has for it; None if no weight is meant.

    Raises:
        InputError: no such stage, or it has no such weight.
    """
    where, at, symbol = name.strip().partition(AT)
    if at:
        stage = trace.program[trace.program.resolve(where)]
        if symbol in stage.symbols:
            return WeightValue(trace, stage, stage.symbols.index(symbol))
        known = ", ".join(f"{stage.name}{AT}{each}" for each in stage.symbols)
        raise InputError(f"{stage.name} has no weight {symbol!r}; " + (f"it has {known}" if known else "it has none"))
    if name in trace.weight_shapes and name not in trace.program:
        stage = next((stage for stage in trace.program if name in stage.weights), None)
        return WeightValue(trace, stage, stage.weights.index(name)) if stage is not None else None
    return None
