"""Statistics of a tensor, gathered block by block so that nothing is ever held twice."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .arrays import Array

BINS = 40


@dataclass(frozen=True, slots=True)
class Stats:
    """What a tensor's elements are like. Figures other than counts speak of the finite elements alone.

    Attributes:
        count, nan, inf, zeros: numbers of elements.
        min, max, mean, std, norm: of the finite elements; `std` divides by n, `norm` is the Euclidean one. NaN when
            nothing is finite. The squares are float64's: beyond 1e154 those two are infinite, below 1e-162 they are 0.
        histogram: how many finite elements fall into each of 40 equal bins from `min` to `max`.
    """

    count: int
    nan: int
    inf: int
    zeros: int
    min: float
    max: float
    mean: float
    std: float
    norm: float
    histogram: tuple[int, ...] = field(repr=False, default=())

    @property
    def finite(self) -> int:
        """How many elements are neither NaN nor infinite."""
        return self.count - self.nan - self.inf

    @property
    def absmax(self) -> float:
        """The largest magnitude."""
        return max(abs(self.min), abs(self.max))

    @property
    def sparsity(self) -> float:
        """Share of elements that are exactly zero, 0 to 1."""
        return self.zeros / self.count if self.count else math.nan


def gather(blocks: Iterable[Array], again: Iterable[Array] | None = None) -> Stats:
    """Statistics over all blocks together.

    Means and deviations are accumulated in float64 and merged pairwise (Chan, Golub and LeVeque 1979), so that a
    tensor read in a hundred blocks is as exact as one read whole.

    Args:
        blocks: the elements, in blocks of any shape, once.
        again: the same blocks a second time, for the histogram (its range is known only after the first pass);
            None leaves the histogram empty.
    """
    count = nan = inf = zeros = finite = 0
    low, high, mean, spread, squares = math.inf, -math.inf, 0.0, 0.0, 0.0
    for block in blocks:
        count += block.size
        numbers, lost, endless = _finite(block)
        nan, inf = nan + lost, inf + endless
        if not numbers.size:
            continue
        zeros += int(numbers.size - np.count_nonzero(numbers))
        low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
        wide = numbers.astype(np.float64, copy=False).ravel()
        total = finite + numbers.size
        with np.errstate(over="ignore"):
            here = float(wide.mean())
            apart = here - mean if finite else 0.0
            spread += float(np.square(wide - here).sum()) + apart * apart * finite * numbers.size / total
            squares += float(np.dot(wide, wide))
        mean += (here - mean) * numbers.size / total
        finite = total
    if not finite:
        return Stats(count, nan, inf, zeros, math.nan, math.nan, math.nan, math.nan, math.nan)
    bars = _histogram(again, low, high) if again is not None else ()
    return Stats(count, nan, inf, zeros, low, high, mean, math.sqrt(spread / finite), math.sqrt(squares), bars)


def _finite(block: Array) -> tuple[Array, int, int]:
    """The finite elements of a block, how many are NaN and how many infinite."""
    if not np.issubdtype(block.dtype, np.inexact) or np.isfinite(block).all():
        return block, 0, 0
    nan = int(np.isnan(block).sum())
    good = block[np.isfinite(block)]
    return good, nan, block.size - good.size - nan


def _histogram(blocks: Iterable[Array], low: float, high: float) -> tuple[int, ...]:
    bars = np.zeros(BINS, dtype=np.int64)
    with np.errstate(over="ignore"):
        for block in blocks:
            numbers = _finite(block)[0].astype(np.float64, copy=False).ravel()
            if math.isfinite(high - low):
                bars += _bars(numbers, low, high)
            else:  # the full float64 range is wider than float64
                bars += _bars(numbers / 2, low / 2, high / 2)
    return tuple(int(bar) for bar in bars)


def _bars(numbers: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.int64]:
    """How many numbers fall into each bin; all in the middle one where the range is too narrow to be cut into 40."""
    if high - low <= BINS * np.spacing(max(abs(low), abs(high))):
        return np.bincount([BINS // 2], [len(numbers)], BINS).astype(np.int64)
    return np.histogram(numbers, bins=BINS, range=(low, high))[0]
