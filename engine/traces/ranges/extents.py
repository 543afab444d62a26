"""How large a run's values are, remembered, so that a scan for NaN or for large numbers need not read every one.

The least and the greatest element take one pass, or none where an operation keeps the order of numbers. A bound on the
magnitude comes from the inputs' bounds where the operation has a rule, and from that pass where it has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from ...ops import Op, no_memory
from ...ops.moments import Moments
from ...ops.sizes import largest
from ..tensors import both
from .figures import RANGED, SUMMED, by_bound, by_ends, by_moments, by_sums, by_totals
from .passing import ENDS, ROWS, SUMS, ZEROS, Passing

if TYPE_CHECKING:
    from ...program.stage import Stage
    from ..compute import Computation
    from .weights import WeightSizes

Ends = tuple[float, float]
UNKNOWN: Ends = (math.nan, math.nan)


class Extents:
    """Least and greatest elements of a run's values and bounds on them, until a patch changes them.

    Args:
        computation: whose values.
        weights: how large the model's weights are.
    """

    def __init__(self, computation: Computation, weights: WeightSizes) -> None:
        self._computation, self.weights = computation, weights
        self._ends: dict[str, Ends] = {}
        self._most: dict[str, float] = {}
        self._moments: dict[str, Moments | None] = {}
        self.passing = Passing(computation)

    def clear(self) -> None:
        """Forget everything: a patch has changed values."""
        self._ends.clear()
        self._most.clear()
        self._moments.clear()
        self.passing.clear()

    def ends(self, name: str) -> Ends:
        """The least and the greatest element of a value; both NaN if anything is."""
        pair = self._ends.get(name)
        if pair is None:
            stage = self._computation.program[name]
            pair = self._derived(stage) if stage.card.keeps_order else None
            pair = self._ends[name] = pair or ends(self._computation.tensor(name))
            if math.isfinite(pair[0]):  # narrower than what the inputs said, and so for what is computed from it
                self._most[name] = _larger(pair)
        return pair

    def most(self, name: str) -> float:
        """A bound on the magnitude of every element; infinite or NaN if any is, or if only reading blocks would tell."""
        bound = self._most.get(name)
        if bound is None:
            stage, op = self._computation.program.pairs[name]
            bound = self._bound(stage, op)
            if not bound < math.inf:
                bound = self._most_of_square(name) if self._computation.is_windowed(name) else _larger(self.ends(name))
            self._most[name] = bound
        return bound

    def _most_of_square(self, name: str) -> float:
        """A bound of a value that is never whole, where those of its inputs say nothing; NaN where its operation is only asked for windows."""
        if self._computation.program.pairs[name][1].rows is None:
            return math.nan
        moments = self.moments(name)
        if moments is not None and moments.most < largest(self._computation.dtype(name)) / 2:  # so nothing overflowed
            return moments.most
        passed = self.passing.of(name, ENDS)
        if passed is None:
            return math.nan
        self._ends[name] = passed.low, passed.high
        return _larger(self._ends[name])

    def figure(self, name: str, word: str) -> float | None:
        """`nan`, `inf`, `min`, `max` or `absmax` of a value; None when that takes counting or leaving out elements."""
        if word in ("nan", "inf"):
            return 0.0 if self.finite(name) else None
        return figure_of(self.ends(name), word)

    def ranges(self, name: str, word: str) -> Iterator[Ends]:
        """Ever narrower ranges that a figure certainly lies in, each got when it is asked for; none where nothing is certain.

        Any part of the value has its figure in the first of them as well.
        """
        most = self.most(name) if word in RANGED else math.nan
        count = math.prod(self._computation.shapes[name])
        first = by_bound(word, most, count)
        if first is None:
            return
        yield first
        if word in ("nan", "inf"):
            return
        if self._computation.is_windowed(name):
            yield from self._ranges_of_square(name, word, most, count)
            return
        low, high = self.ends(name)
        second = by_ends(word, (low, high), count)
        if second is None:
            return
        yield second
        if second[0] != second[1]:
            yield from by_sums(word, self._computation.tensor(name), _larger((low, high)))

    def _ranges_of_square(self, name: str, word: str, most: float, count: int) -> Iterator[Ends]:
        """Of a value that is never whole: from what it is made of, then from what its rows told as they passed by."""
        moments = self.moments(name) if word != "entropy" else None
        second = by_moments(word, moments, count) if moments is not None else None
        if second is not None:
            yield second
        yield from self._passing_ranges(name, word, most, count)

    def _passing_ranges(self, name: str, word: str, most: float, count: int) -> Iterator[Ends]:
        shares = self._computation.program[name].card.shares
        if word in SUMMED and (word != "entropy" or shares):
            passed = self.passing.of(name, SUMS)
            yield from by_totals(word, passed.sums, most) if passed is not None else ()
        elif word in ("min", "max", "absmax"):
            passed = self.passing.of(name, ENDS)
            ends = by_ends(word, (passed.low, passed.high), count) if passed is not None else None
            if ends is not None:
                yield ends
        elif word == "sparsity":
            passed = self.passing.of(name, ZEROS)
            if passed is not None:
                yield passed.zeros / count, passed.zeros / count

    def moments(self, name: str) -> Moments | None:
        """What the numbers of a value that is never whole are like together, as its inputs say; None where they do not."""
        if name not in self._moments:
            stage, op = self._computation.program.pairs[name]
            sources = SourcesOfMoments(self, self._computation, stage)
            self._moments[name] = op.moments(sources) if name not in self._computation.patches else None
        return self._moments[name]

    def row_sums(self, name: str) -> Ends | None:
        """The least and the greatest sum of a row of a value that is never whole; None where they are to be got otherwise."""
        passed = self.passing.of(name, ROWS)
        return passed.rows if passed is not None else None

    def finite(self, name: str) -> bool:
        """Whether every number certainly is, as far as can be told without counting."""
        return self.most(name) < math.inf

    def _derived(self, stage: Stage) -> Ends | None:
        """The ends, exactly, where those of the input tell."""
        if stage.name in self._computation.patches:
            return None
        if not self.at_hand(stage.inputs[0]):
            return None
        given = self.ends(stage.inputs[0])
        if stage.card.moves:
            return given
        # Rounding keeps the order as well: what is made of the largest is the largest.
        two = torch.tensor(given, dtype=self._computation.dtype(stage.name))
        low, high = self._computation.program.pairs[stage.name][1].compute([two], (), no_memory).tolist()
        return low, high

    def _bound(self, stage: Stage, op: Op) -> float:
        """What the inputs say; NaN where they say nothing, or where there is no number so large."""
        if stage.name in self._computation.patches:
            return math.nan
        bound = op.bound(SizesOfInputs(self, self._computation, stage))
        return bound if bound <= largest(self._computation.dtype(stage.name)) else math.nan  # NaN compares false

    def known_most(self, name: str) -> float:
        """The bound of a value, unless that would compute it anew; then NaN."""
        bound = self._most.get(name)
        if bound is not None:
            return bound
        if self._computation.is_windowed(name):
            return self._bound(*self._computation.program.pairs[name])
        return self.most(name) if self.at_hand(name) else math.nan

    def at_hand(self, name: str) -> bool:
        """Whether the ends of a value can be had without computing it anew."""
        return name in self._ends or self._computation.known(name) is not None


class SizesOfInputs:
    """What is known of a stage's inputs, for the `bound` of its operation; see `Sizes`."""

    __slots__ = ("_computation", "_extents", "_stage")

    def __init__(self, extents: Extents, computation: Computation, stage: Stage) -> None:
        self._extents, self._computation, self._stage = extents, computation, stage

    def most(self, place: int) -> float:
        """The bound of the input at a place; NaN where there is none."""
        return self._extents.known_most(self._stage.inputs[place])

    def most_of_all(self) -> float:
        """The largest bound of the inputs; NaN where one has none."""
        mosts = [self.most(place) for place in range(self.inputs)]
        return math.nan if any(map(math.isnan, mosts)) else max(mosts)

    def least(self, place: int) -> float:
        """The least element of the input at a place; NaN where it is not known."""
        name = self._stage.inputs[place]
        return self._extents.ends(name)[0] if self._extents.at_hand(name) else math.nan

    def highest(self, place: int) -> float:
        """The greatest element of the input at a place; NaN where it is not known."""
        name = self._stage.inputs[place]
        return self._extents.ends(name)[1] if self._extents.at_hand(name) else math.nan

    def weight_most(self, place: int) -> float:
        """The largest magnitude in the weight at a place; NaN if any of its numbers is."""
        return self._extents.weights.most(self._stage.weights[place])

    def weight_reach(self, place: int) -> float:
        """The largest sum of magnitudes of a row of the weight at a place; NaN if any of its numbers is."""
        return self._extents.weights.reach(self._stage.weights[place])

    @property
    def inputs(self) -> int:
        """How many there are."""
        return len(self._stage.inputs)

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return len(self._stage.weights)

    @property
    def terms(self) -> int:
        """The last axis of the first."""
        return self._computation.shapes[self._stage.inputs[0]][-1]

    @property
    def dtype(self) -> torch.dtype:
        """Of the result."""
        return self._computation.dtype(self._stage.name)


class SourcesOfMoments:
    """What is known of a stage's inputs, for the `moments` of its operation; see `MomentSources`."""

    __slots__ = ("_computation", "_extents", "_stage")

    def __init__(self, extents: Extents, computation: Computation, stage: Stage) -> None:
        self._extents, self._computation, self._stage = extents, computation, stage

    def tensor(self, place: int) -> torch.Tensor | None:
        """The input at a place; None where it is never whole."""
        name = self._stage.inputs[place]
        return self._computation.tensor(name) if not self._computation.is_windowed(name) else None

    def moments(self, place: int) -> Moments | None:
        """Those of the input at a place; None where they are not known."""
        return self._extents.moments(self._stage.inputs[place])

    @property
    def dtype(self) -> torch.dtype:
        """Of the result."""
        return self._computation.dtype(self._stage.name)


def figure_of(pair: Ends, word: str) -> float | None:
    """A figure from the least and the greatest element; None when they are not finite."""
    low, high = pair
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return {"nan": 0.0, "inf": 0.0, "min": low, "max": high, "absmax": _larger(pair)}[word]


def ends(tensor: torch.Tensor) -> Ends:
    """The least and the greatest element of a tensor; both NaN if any is, or if there are none to compare."""
    if not tensor.numel():
        return UNKNOWN
    if 0 in tensor.stride():  # the same numbers over and over: once is enough
        tensor = tensor[tuple(slice(0, 1) if not stride else slice(None) for stride in tensor.stride())]
    return both(torch.aminmax(tensor))


def _larger(pair: Ends) -> float:
    return max(abs(pair[0]), abs(pair[1]))
