"""What a value of somebody's module will be like: what it was when it was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..program.stage import Shape
from .lazy import torch


class AsSeen:
    """Of an operation of one passage, whose result has the shape and the dtype that it had.

    Attributes:
        size: the shape.
        dtype: what it is made of: `float32`, `bool`.
    """

    __slots__ = ()
    size: Shape
    dtype: str

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        """The shape, whatever goes in."""
        return self.size

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        """The dtype, whatever the run's."""
        return cast("torch.dtype", getattr(torch, self.dtype))
