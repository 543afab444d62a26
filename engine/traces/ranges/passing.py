"""Figures of values that are never whole, got while their rows pass by on the way to what is made of them.

Else a condition that is asked of scores, scaled, masked and weights would have each of them computed once more, and all before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ..tensors import both
from .figures import Sums
from .rows import row_ends

if TYPE_CHECKING:
    from ..compute import Computation

ENDS, SUMS, ROWS, ZEROS = "ends", "sums", "rows", "zeros"


@dataclass(slots=True)
class Passed:
    """What has been gathered of a value.

    Attributes:
        kinds: which of the following were asked for.
        low, high: the least and the greatest element; NaN if any is.
        sums: over all of it.
        rows: the least and the greatest sum of a row.
        zeros: how many elements are 0.
    """

    kinds: frozenset[str]
    low: float = math.inf
    high: float = -math.inf
    sums: Sums = field(default_factory=Sums)
    rows: tuple[float, float] = (math.inf, -math.inf)
    zeros: int = 0

    def add(self, part: torch.Tensor) -> None:
        """Look at another part."""
        if ENDS in self.kinds:
            low, high = both(torch.aminmax(part))
            self.low, self.high = _either(self.low, low, min), _either(self.high, high, max)
        if SUMS in self.kinds:
            self.sums.add(part)
        if ROWS in self.kinds:
            low, high = row_ends(part, "sum")
            self.rows = _either(self.rows[0], low, min), _either(self.rows[1], high, max)
        if ZEROS in self.kinds:
            self.zeros += part.numel() - int(torch.count_nonzero(part))


class Passing:
    """What is known of values that are never whole, each looked at with those after it in one passage.

    Args:
        computation: whose values.
    """

    def __init__(self, computation: Computation) -> None:
        self._computation = computation
        self._passed: dict[str, Passed] = {}
        self._asked: dict[str, set[str]] = {}  # by the name of an operation: what was asked of its values

    def clear(self) -> None:
        """Forget everything: a patch has changed values."""
        self._passed.clear()

    def of(self, name: str, kind: str) -> Passed | None:
        """What is known of a value, with a kind of figure; None where there are no numbers to be had, or it is of whole numbers."""
        passed = self._passed.get(name)
        if passed is not None and kind in passed.kinds:
            return passed
        if not self._computation.dtype(name).is_floating_point or not math.prod(self._computation.shape(name)):
            return None
        self._pass(name, kind)
        return self._passed[name]

    def _pass(self, name: str, kind: str) -> None:
        computation = self._computation
        made = computation.in_rows.made_of(name)
        # a mask is of no layer
        here = made is not None and computation.program[made].layer == computation.program[name].layer
        on_the_way = made is not None and here and computation.known(made) is None
        seen = {name, *(computation.rows_between(name, made) if made is not None and on_the_way else ())}
        for each in seen:
            if each == name or kind != ROWS or computation.program[each].card.shares:
                self._asked.setdefault(computation.program[each].kind, set()).add(kind)
        kinds = {each: frozenset(self._asked.get(computation.program[each].kind, ())) for each in seen}
        watcher = _Onlooker({each: Passed(of) for each, of in kinds.items() if of})
        if made is not None and on_the_way:
            computation.watched(made, watcher)
        else:
            computation.watched(name, watcher)
        self._passed.update(watcher.passed)  # only now: what was stopped on the way has seen a part


class _Onlooker:
    """Looks at parts of values as they pass."""

    def __init__(self, passed: dict[str, Passed]) -> None:
        self.passed = passed

    @property
    def names(self) -> Collection[str]:
        """The stages it wants to see all of."""
        return self.passed.keys()

    def saw(self, name: str, part: torch.Tensor) -> None:
        """A part of a value that has been computed."""
        self.passed[name].add(part)


def _either(one: float, other: float, choose: Callable[[float, float], float]) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else choose(one, other)
