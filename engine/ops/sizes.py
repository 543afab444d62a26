"""How large a result can be, from how large its inputs are: what the `bound` of an operation may ask.

`most` of a value is a number that the magnitude of none of its elements exceeds. Every rule leaves room for rounding, and
answers NaN where it cannot be sure: an input with a NaN in it, or a bound near overflow. Then the numbers must be read.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Protocol

from .lazy import torch

# Rounding makes no result twice as large as it should be, in any dtype (a sum's terms are added in float32 at least).
ROOM = 2.0
NO_RULE = math.nan


class Sizes(Protocol):
    """What a rule may ask about a stage's inputs and its result."""

    def most(self, place: int) -> float:
        """The bound of the input at a place; NaN where there is none."""
        ...

    def most_of_all(self) -> float:
        """The largest bound of the inputs; NaN where one has none."""
        ...

    def least(self, place: int) -> float:
        """The least element of the input at a place; NaN where it is not known."""
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
    """The largest number of a dtype; 1 of truths."""
    if dtype == torch.bool:
        return 1
    return (torch.finfo if dtype.is_floating_point or dtype.is_complex else torch.iinfo)(dtype).max


def of_product(sizes: Sizes) -> float:
    """Of a product of two inputs, each element a sum over the last axis of the first."""
    return ROOM * sizes.terms * sizes.most(0) * sizes.most(1)


def of_weight(sizes: Sizes) -> float:
    """Of a product with the first weight, each element a sum over one of its rows, plus the second where there is one."""
    bias = sizes.weight_most(1) if sizes.weights > 1 else 0.0
    return ROOM * (sizes.weight_reach(0) * sizes.most(0) + bias)


def of_sum(sizes: Sizes) -> float:
    """Of the sum of the inputs."""
    return ROOM * sum(sizes.most(place) for place in range(sizes.inputs))
