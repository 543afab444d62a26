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
# From how many elements on a bound from the inputs' ends is cheaper than a sum.
WORTH_BOUNDING = 1 << 16
# Operations that keep the order of numbers; that give nothing larger than they take; whose results can be bounded.
MONOTONE = frozenset({Concat, Scale, SplitHeads})
SHRINKING = MONOTONE | {Softmax}
BOUNDED = SHRINKING | {AddMask, Context, Scores}


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
            found = self._finite[name] = self._bounded(name) or self._summed(name)
        return found

    def figure(self, name: str, word: str) -> float | None:
        """`nan`, `inf`, `min`, `max` or `absmax` of a value; None when that takes counting or leaving out elements."""
        if word in ("nan", "inf"):
            return 0.0 if self.finite(name) else None
        return figure_of(self.ends(name), word)

    def _derived(self, name: str) -> Ends | None:
        stage = self._run.program[name]
        if type(stage.op) not in MONOTONE or name in self._run.patched:
            return None
        return ends_from(stage.op, Inputs(self, stage.inputs), self._run.dtype(name))

    def _bounded(self, name: str) -> bool:
        """Whether the inputs already say so. Where that takes their ends, it pays only for a large result."""
        stage = self._run.program[name]
        kind = type(stage.op)
        if kind not in BOUNDED or name in self._run.patched:
            return False
        if kind in SHRINKING:
            return self.finite(stage.inputs[0])
        shape = self._run.shapes[name]
        if math.prod(shape) < WORTH_BOUNDING:
            return False
        size = self._run.shapes[stage.inputs[0]][-1]
        return finite_from(stage.op, Inputs(self, stage.inputs), self._run.dtype(name), size)

    def _summed(self, name: str) -> bool:
        """A NaN or an infinity shows in the sum; a sum that overflows by itself is looked into."""
        if name not in self._ends:
            tensor = self._run.tensor(name)
            if not tensor.is_floating_point() or math.isfinite(tensor.sum().item()):
                return True
        return all(map(math.isfinite, self.ends(name)))


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


def figure_of(found: Ends, word: str) -> float | None:
    """A figure from the least and the greatest element; None when they are not finite."""
    low, high = found
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return {"nan": 0.0, "inf": 0.0, "min": low, "max": high, "absmax": max(abs(low), abs(high))}[word]


def ends(tensor: torch.Tensor) -> Ends:
    """The least and the greatest element of a tensor; both NaN if any is, or if there are none to compare."""
    if not tensor.numel():
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
