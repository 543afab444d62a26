"""What is known of a result's size from its inputs alone, so that a scan for NaN need not read every number.

Two facts are worked out, both certain: the least and greatest element where an operation keeps the order of numbers, and
that a result is finite where its inputs bound it far from overflow. A NaN in any input makes an answer impossible, and
then the numbers are read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from .ops import AddMask, Concat, Context, Scale, Scores, Softmax, SplitHeads

if TYPE_CHECKING:
    from .run import Run

Ends = tuple[float, float]
# How far below the largest number of the dtype a bound must lie for rounding to be no concern.
SLACK = 0.5
# Operations whose results `finite_from` can bound.
BOUNDED = (AddMask, Concat, Context, Scale, Scores, Softmax, SplitHeads)


class Extents:
    """Least and greatest elements of a run's values, and whether they are finite; remembered until a patch changes them.

    Args:
        run: whose values.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ends: dict[str, Ends] = {}
        self._finite: dict[str, bool] = {}

    def clear(self) -> None:
        """Forget everything: a patch has changed values."""
        self._ends.clear()
        self._finite.clear()

    def ends(self, name: str) -> Ends:
        """The least and the greatest element of a value; both NaN if anything is."""
        found = self._ends.get(name)
        if found is None:
            found = self._ends[name] = self._derived(name) or ends(self._run.tensor(name))
        return found

    def finite(self, name: str) -> bool:
        """Whether every element of a value is finite."""
        found = self._finite.get(name)
        if found is None:
            found = self._finite[name] = self._bounded(name) or all(map(math.isfinite, self.ends(name)))
        return found

    def _derived(self, name: str) -> Ends | None:
        if name in self._run.patched:
            return None
        stage = self._run.program[name]
        return ends_from(stage.op, Inputs(self, stage.inputs), self._run.dtype(name))

    def _bounded(self, name: str) -> bool:
        stage = self._run.program[name]
        if name in self._ends or name in self._run.patched or not isinstance(stage.op, BOUNDED):
            return False
        size = self._run.shapes[stage.inputs[0]][-1]
        return finite_from(stage.op, Inputs(self, stage.inputs), self._run.dtype(name), size)


class Inputs:
    """What may be asked of a stage's inputs, by their place."""

    def __init__(self, extents: Extents, names: tuple[str, ...]) -> None:
        self._extents, self._names = extents, names

    def ends(self, place: int) -> Ends:
        """The least and the greatest element."""
        return self._extents.ends(self._names[place])

    def finite(self, place: int) -> bool:
        """Whether every element is finite."""
        return self._extents.finite(self._names[place])


def ends(tensor: torch.Tensor) -> Ends:
    """The least and the greatest element of a tensor; both NaN if any is, or if there are none to compare."""
    if not tensor.numel() or not tensor.is_floating_point():
        return math.nan, math.nan
    if 0 in tensor.stride():  # the same numbers over and over: once is enough
        tensor = tensor[tuple(slice(0, 1) if not stride else slice(None) for stride in tensor.stride())]
    low, high = torch.aminmax(tensor)
    return low.item(), high.item()


def ends_from(op: object, inputs: Inputs, dtype: torch.dtype) -> Ends | None:
    """The least and greatest element of a result, exactly, where the inputs' tell; None where they do not."""
    if isinstance(op, SplitHeads | Concat):
        return inputs.ends(0)
    if isinstance(op, Scale):  # rounding keeps the order: the largest product is the product of the largest
        low, high = (torch.tensor(end, dtype=dtype).mul(op.head_dim**-0.5).item() for end in inputs.ends(0))
        return low, high
    return None


def finite_from(op: object, inputs: Inputs, dtype: torch.dtype, size: int) -> bool:
    """Whether a result is certainly finite, from its inputs alone.

    Args:
        size: how many terms each of the result's elements is the sum of (the last axis of the first input).
    """
    limit = torch.finfo(dtype).max * SLACK
    if isinstance(op, Scores):
        return _most(inputs.ends(0)) * _most(inputs.ends(1)) * size < limit  # NaN compares false
    if isinstance(op, SplitHeads | Concat | Scale | Softmax):  # dividing and softmax make nothing larger
        return inputs.finite(0)
    if isinstance(op, AddMask):
        return dtype == torch.float32 and inputs.finite(0) and _most(inputs.ends(0)) < 1e30 and _hidden(inputs.ends(1))
    if isinstance(op, Context):  # rows of weights sum to 1, so the values bound it
        return inputs.finite(0) and _most(inputs.ends(1)) < limit
    return False


def _most(ends: Ends) -> float:
    return max(abs(ends[0]), abs(ends[1])) if not math.isnan(ends[0]) else math.nan


def _hidden(ends: Ends) -> bool:
    """Whether a mask is made of zeros and finite negative numbers: a small number added to those stays finite."""
    return math.isfinite(ends[0]) and ends[1] <= 0
