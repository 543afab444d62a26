"""A passage through a program without numbers: shapes, formulas and costs of a model too large to be computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from ..program.per_text import Index
from ..program.program import Program
from ..program.stage import Shape
from ..program.tokens import Tokens
from ..program.trace import Trace
from ..program.value import Value
from .shapes import Shadow


class Outline(Trace):
    """A trace that knows the shape of every value and the numbers of none but what goes in.

    Args:
        program: what would run.
        tokens: what would go in.
        shadows: shape and dtype of every value.
        about: facts for people.
    """

    def __init__(
        self, program: Program, tokens: Tokens, shadows: Mapping[str, Shadow], about: Mapping[str, str]
    ) -> None:
        self.program, self.tokens, self.about = program, tokens, dict(about)
        self._shadows = shadows
        self._shapes = {name: shadow.shape for name, shadow in shadows.items()}

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._shapes

    def has(self, name: str) -> bool:
        return self.program[name].card.given

    def value(self, name: str) -> Value:
        stage = self.program[name]
        dtype = str(self._shadows[name].dtype).removeprefix("torch.")
        if self.has(name):
            from ..program.value import ArrayValue

            value: Value = ArrayValue(name, stage.axes, np.asarray(self.tokens.given(name)), dtype)
        else:
            value = Unknown(name, stage.axes, self._shapes[name], dtype)
        value.tokens = self.tokens.strings
        return value


class Unknown(Value):
    """A value whose shape is known and whose numbers are not."""

    def __init__(self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str) -> None:
        self.name, self.axes, self.shape, self.dtype = name, axes, shape, dtype

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        raise InputError(f"{self.name} has no numbers: this model is shapes and costs alone; `cost` shows them")
