"""A program run on nothing: shapes and dtypes without numbers."""

from __future__ import annotations

from typing import cast

import torch

from .ops import Given, Op, no_memory
from .program import Program


def shadows_of(program: Program, dtype: torch.dtype, shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Every value on the `meta` device: shapes and dtypes without numbers, by running the program on nothing.

    Args:
        dtype: of the weights.
        shape: of the batch, (batch, token).
    """
    weights = {name: torch.empty(size, dtype=dtype, device="meta") for name, size in program.weights.items()}
    shadows: dict[str, torch.Tensor] = {}
    for stage in program:
        if isinstance(stage.op, Given):
            shadows[stage.name] = torch.empty(shape, dtype=torch.int64, device="meta")
        else:
            inputs = [shadows[name] for name in stage.inputs]
            shadows[stage.name] = cast(Op, stage.op).compute(
                inputs, [weights[name] for name in stage.weights], no_memory
            )
    return shadows
