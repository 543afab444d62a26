"""How large a result can be, from how large its inputs are: one certain rule for each operation that has one.

`most` of a value is a number that the magnitude of none of its elements exceeds. Every rule leaves room for rounding, and
answers NaN where it cannot be sure: an input with a NaN in it, or a bound near overflow. Then the numbers must be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch

from ...ops import (
    Activation,
    AddBias,
    AddMask,
    Concat,
    ContentToPosition,
    Context,
    DivideByRoot,
    FillMasked,
    FirstToken,
    Gate,
    Linear,
    OneHot,
    PositionToContent,
    RelativeScores,
    Scale,
    Scores,
    Softmax,
    SplitHeads,
    Sum,
)

# Rounding makes no result twice as large as it should be, in any dtype (a sum's terms are added in float32 at least).
ROOM = 2.0
# |f(x)| is at most |x| for every x.
NO_LARGER = frozenset({"gelu", "gelu_python", "gelu_pytorch_tanh", "gelu_new", "relu", "silu", "swish", "tanh"})
# Added to the most negative float32, numbers below this leave it as it is.
LOST_BESIDE_A_MASK = 1e30


class Sizes(Protocol):
    """What a rule may ask about a stage's inputs and its result."""

    def most(self, place: int) -> float:
        """The bound of the input at a place; NaN where there is none."""
        ...

    def highest(self, place: int) -> float:
        """The greatest element of the input at a place; NaN where it is not known."""
        ...

    def weight_most(self, place: int) -> float:
        """The largest magnitude in the weight at a place; NaN if any of its numbers is."""
        ...

    def weight_reach(self, place: int) -> float:
        """The largest sum of magnitudes of a row of the weight at a place; NaN if any of its numbers is."""
        ...

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        ...

    @property
    def weights(self) -> int:
        """How many weights there are."""
        ...

    @property
    def terms(self) -> int:
        """The last axis of the first input: how many products a matrix product adds up."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the result."""
        ...


@cache
def largest(dtype: torch.dtype) -> float:
    """The largest number of a dtype."""
    return (torch.finfo if dtype.is_floating_point else torch.iinfo)(dtype).max


def bound(op: object, sizes: Sizes) -> float:
    """The bound of the result of an operation that is in `BOUNDED`; NaN where its rule is not sure."""
    found = _RULES[type(op)](op, sizes)
    return found if found <= largest(sizes.dtype) else math.nan  # NaN compares false


def _same(op: object, sizes: Sizes) -> float:
    """The same numbers, or some of them, elsewhere."""
    return sizes.most(0)


def _scale(op: object, sizes: Sizes) -> float:
    assert isinstance(op, Scale)
    return ROOM * op.head_dim**-0.5 * sizes.most(0)


def _product(op: object, sizes: Sizes) -> float:
    return ROOM * sizes.terms * sizes.most(0) * sizes.most(1)


def _linear(op: object, sizes: Sizes) -> float:
    bias = sizes.weight_most(1) if sizes.weights > 1 else 0.0
    return ROOM * (sizes.weight_reach(0) * sizes.most(0) + bias)


def _gate(op: object, sizes: Sizes) -> float:
    return ROOM * sizes.most(0) * sizes.most(1)


def _over_root(op: object, sizes: Sizes) -> float:
    """Some of the numbers elsewhere, divided by the root of a whole number."""
    return ROOM * sizes.most(0)


def _filled(op: object, sizes: Sizes) -> float:
    """The numbers, or the most negative one there is in their place."""
    limit = largest(sizes.dtype)
    return limit if sizes.most(0) <= limit else math.nan


def _sum(op: object, sizes: Sizes) -> float:
    return ROOM * sum(sizes.most(place) for place in range(sizes.inputs))


def _mask(op: object, sizes: Sizes) -> float:
    """A mask of zeros and the most negative number overflows by no score that is small beside it."""
    scores, mask = sizes.most(0), sizes.most(1)
    together = ROOM * (scores + mask)
    limit = largest(sizes.dtype)
    lost = sizes.dtype == torch.float32 and scores < LOST_BESIDE_A_MASK
    if together > limit >= mask and lost and sizes.highest(1) <= 0:
        return limit
    return together


def _one_hot(op: object, sizes: Sizes) -> float:
    return 1.0


def _softmax(op: object, sizes: Sizes) -> float:
    """At most 1, but NaN where all of a row are -inf; so only of what is finite."""
    return ROOM if math.isfinite(sizes.most(0)) else math.nan


def _activation(op: object, sizes: Sizes) -> float:
    """No larger than what it is of; some cube that on the way, so that may not overflow either."""
    assert isinstance(op, Activation)
    most = sizes.most(0)
    small = op.kind in NO_LARGER and most <= largest(sizes.dtype) ** (1 / 4)
    return ROOM * most if small else math.nan


_RULES: dict[type, Callable[[object, Sizes], float]] = {
    Activation: _activation, AddMask: _mask, Concat: _same, Context: _product, FirstToken: _same, Linear: _linear, OneHot: _one_hot,
    Scale: _scale, Scores: _product, Softmax: _softmax, SplitHeads: _same, Sum: _sum,
    AddBias: _sum, ContentToPosition: _over_root, DivideByRoot: _over_root, FillMasked: _filled, Gate: _gate,
    PositionToContent: _over_root, RelativeScores: _product,
}  # fmt: skip
BOUNDED = frozenset(_RULES)
