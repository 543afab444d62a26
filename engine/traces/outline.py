"""A passage through a program without numbers: shapes, formulas and costs of a model too large to be computed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..program.inputs import Inputs
from ..program.program import Program
from ..program.stage import Shape, Stage
from ..program.trace import Trace
from ..program.value import ArrayValue, ShapeAlone, Value
from ..program.weight import StageWeight, axes_of_weight
from .shapes import Shadow


class Outline(Trace):
    """A trace that knows the shape of every value and the numbers of none but what goes in.

    Args:
        program: what would run.
        inputs: what would go in.
        shadows: shape and dtype of every value.
        about: facts for people.
    """

    def __init__(
        self, program: Program, inputs: Inputs, shadows: Mapping[str, Shadow], about: Mapping[str, str]
    ) -> None:
        self.program, self.inputs, self.about = program, inputs, dict(about)
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
            value: Value = ArrayValue(name, stage.axes, np.asarray(self.inputs.given(stage)), dtype)
        else:
            value = self._shape_alone(name, stage.axes, self._shapes[name], dtype)
        value.tokens = self.inputs.strings_along(stage)
        return value

    def weight_value(self, weight: StageWeight) -> Value:
        shape = self.weight_shapes[weight.name]
        axes = axes_of_weight(weight.stage, len(shape))
        return self._shape_alone(weight.address, axes, shape, self.about["dtype"])

    def table_value(self, stage: Stage) -> Value:
        table = super().table_value(stage)
        return self._shape_alone(table.name, table.axes, table.shape, table.dtype)

    @staticmethod
    def _shape_alone(name: str, axes: tuple[str, ...], shape: Shape, dtype: str) -> Value:
        refusal = f"{name} has no numbers: this model is shapes and costs alone; `cost` shows them"
        return ShapeAlone(name, axes, shape, dtype, refusal)
