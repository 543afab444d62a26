"""What every operation has: it computes, and it can write its formula."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch

from ..program.stage import Shape

Tensors = Sequence[torch.Tensor]
# Memory for the result, on request: a buffer of the right shape, or None for "allocate it yourself". torch takes
# either as `out=`. Fresh memory costs more than the arithmetic for long texts (page faults), so a run keeps buffers.
Out = Callable[[], torch.Tensor | None]


class Op(ABC):
    """An operation of a stage. Subclasses are frozen dataclasses: an op is data, its numbers come with each call.

    Attributes:
        symbols: what the formula calls the weights, in order.
        rows: for ops whose result has rows (its last axis but one) that can be computed apart: for each input whether
            it is cut to the same rows. None for ops that are only computed whole.
        whole_numbers: whether the result is int64 rather than of the weights' dtype.
        windows: True for results so large and so simple that they are never built, only read by `window`.
    """

    symbols: ClassVar[tuple[str, ...]] = ()
    rows: ClassVar[tuple[bool, ...] | None] = None
    windows: ClassVar[bool] = False
    whole_numbers: ClassVar[bool] = False

    @abstractmethod
    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        """The result, with the same operations in the same order as the reference implementation.

        It makes no assumption on device or dtype, and runs on torch's `meta` device.
        """

    def compute_rows(self, inputs: Tensors, weights: Tensors, out: Out, start: int, stop: int) -> torch.Tensor:
        """Rows `start` to `stop` alone, of an op that has rows; inputs are cut to them where `rows` says so."""
        return self.compute(inputs, weights, out)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        """Shape of the result from those of inputs and weights (of a given value: from that of the batch)."""
        return inputs[0]

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        """What the result is made of.

        Args:
            inputs, weights: what those are made of.
            dtype: the run's, which nearly everything is made of.
        """
        return torch.int64 if self.whole_numbers else dtype

    @abstractmethod
    def write(self, *operands: str) -> str:
        """The right-hand side of the formula, with the operands (inputs, then weights) written as given."""


def no_memory() -> None:
    """An `Out` that leaves allocation to torch."""
    return
