"""A weight of a stage, read as values are: `embeddings.position@E`, the matrix that the stage's formula calls E."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from .addresses import AT
from .per_text import Index
from .program import Program
from .stage import Shape, Stage
from .value import Value

_ROWS = {"tokens.ids": "vocabulary", "tokens.positions": "position", "tokens.segments": "segment"}


@dataclass(frozen=True, slots=True)
class StageWeight:
    """One of the weights that a stage uses: the stage, and which of them, from 0."""

    stage: Stage
    number: int

    @property
    def name(self) -> str:
        """What the checkpoint calls it."""
        return self.stage.weights[self.number]

    @property
    def address(self) -> str:
        """`STAGE@SYMBOL`, by what the stage's formula calls it."""
        return f"{self.stage.name}{AT}{self.stage.symbols[self.number]}"


class WeightValue(Value):
    """A window on a parameter. It has no batch and no tokens; nothing is computed for it and nothing is kept.

    Args:
        weight: which.
        shape, dtype: its own.
        word: the token of an id, for the rows of a table of tokens.
        window: a window of the weight of a name.
    """

    def __init__(
        self,
        weight: StageWeight,
        shape: Shape,
        dtype: str,
        word: Callable[[int], str],
        window: Callable[[str, Index], npt.NDArray[Any]],
    ) -> None:
        self.weight, self.name = weight.name, weight.address
        self.shape, self.dtype, self.word = shape, dtype, word
        self.axes = axes_of_weight(weight.stage, len(shape))
        self._window = window

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        return self._window(self.weight, self.bind(index))


def axes_of_weight(stage: Stage, count: int) -> tuple[str, ...]:
    """Names for the axes of a weight with so many of them."""
    if count == 1:
        return stage.axes[-1:]
    card = stage.card
    if count == len(card.weight_axes):
        return card.weight_axes
    if count == 2 and card.looks_up:
        return _ROWS.get(stage.inputs[0] if stage.inputs else "", "row"), stage.axes[-1]
    if count == 2:
        return "row", "column"
    return tuple(f"axis{axis}" for axis in range(count))


def weight_called(program: Program, name: str) -> StageWeight | None:
    """The weight of the name the checkpoint has for it, at the first stage that uses it; None if no weight is meant."""
    if name not in program.weights or name in program:
        return None
    stage = next((stage for stage in program if name in stage.weights), None)
    return StageWeight(stage, stage.weights.index(name)) if stage is not None else None
