"""What every value will be like before any is computed: shapes and dtypes without numbers.

torch's `meta` device would say the same, but loading what it needs takes longer than loading a model; the tests hold the
two against each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch

from ..ops import Op
from ..program.inputs import Size
from ..program.program import Program
from ..program.stage import Shape


@dataclass(frozen=True, slots=True)
class Shadow:
    """Shape and dtype of a value."""

    shape: Shape
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        """How much memory the value would take."""
        return math.prod(self.shape) * self.dtype.itemsize


def shadows_of(program: Program, dtype: torch.dtype, sizes: Mapping[str, Size]) -> dict[str, Shadow]:
    """The shadow of every value of a program.

    Args:
        dtype: of the weights.
        sizes: (batch, token) of each sequence.
    """
    shapes: dict[str, Shape] = {}
    shadows: dict[str, Shadow] = {}
    kept = dict.fromkeys(program.wide, torch.float32)
    for stage in program:
        op = cast(Op, stage.op)
        inputs = [shapes[name] for name in stage.inputs] or [sizes[stage.sequence]]
        result = op.shape(inputs, [program.weights[name] for name in stage.weights])
        shapes[stage.name] = result
        made_of = [shadows[name].dtype for name in stage.inputs], [kept.get(name, dtype) for name in stage.weights]
        shadows[stage.name] = Shadow(result, op.result_dtype(*made_of, dtype))
    return shadows
