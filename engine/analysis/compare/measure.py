"""How far apart two arrays are, gathered block by block; numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...program.arrays import Array
from ...program.dtypes import FLOATS

CHUNK = 1 << 17  # elements: what is compared at once stays in the processor's cache


def ulps(difference: float, at: float, dtype: str) -> float:
    """A difference counted in spacings of a dtype's numbers around `at`."""
    if not difference:
        return 0.0
    if not math.isfinite(difference):
        return math.inf
    size = max(abs(at), FLOATS[dtype].smallest)
    exponent = math.frexp(size)[1] - 1  # of a logarithm, the largest numbers of float64 would be rounded up
    return difference / math.ldexp(FLOATS[dtype].epsilon, exponent)


@dataclass(slots=True)
class Gap:
    """The difference of two arrays, as far as they have been gone through.

    Figures speak of places where both are finite and neither is hidden. NaN on both sides, the same infinity, and hidden
    on both sides are no difference. Everything else that is not two numbers is counted apart, as unlike.

    Attributes:
        brief: only `largest` and what is unlike are wanted.
        count: elements gone through; differing: how many are not equal.
        largest, total: of the absolute differences.
        absmax: the largest magnitude of theirs.
        nan, inf, covered: unlike: one side alone is NaN, is infinite, is hidden by a mask.
        plus, minus: how many of the infinite ones are +inf, and -inf.
        lost: places where both sides are NaN.
        nans: places where ours alone is NaN, and where theirs alone is.
        squares: the sums of the squares of the differences, of ours and of theirs, where both are numbers.
        ours_broken, theirs_broken: whether that side alone has an infinity or NaN anywhere.
        hides: two numbers that hide the same place on both sides and differ; None where there are none.
        tag, flat: block and place in it of the largest difference, or of the first unlike one.
        ours, theirs: the numbers there.
    """

    brief: bool = False
    count: int = 0
    differing: int = 0
    largest: float = 0.0
    total: float = 0.0
    numbers: int = 0
    absmax: float = 0.0
    nan: int = 0
    inf: int = 0
    covered: int = 0
    plus: int = 0
    minus: int = 0
    lost: int = 0
    nans: tuple[int, int] = (0, 0)
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    ours_broken: bool = False
    theirs_broken: bool = False
    hides: tuple[float, float] | None = None
    tag: Any = None
    flat: int = -1
    ours: float = math.nan
    theirs: float = math.nan

    @property
    def unlike(self) -> int:
        """How many places hold a number on one side only."""
        return self.nan + self.inf + self.covered

    @property
    def mean(self) -> float:
        """The mean absolute difference."""
        return self.total / self.numbers if self.numbers else 0.0

    @property
    def relative(self) -> float:
        """The largest difference as a share of theirs' largest magnitude; infinite where anything is unlike."""
        if self.unlike:
            return math.inf
        if not self.largest:
            return 0.0
        return self.largest / self.absmax if self.absmax else math.inf

    @property
    def share(self) -> float:
        """The share of elements that differ, for whole numbers, whose sizes say nothing."""
        return self.differing / self.count if self.count else 0.0

    def add(self, ours: Array, theirs: Array, tag: object = None, hidden: tuple[Array, Array] | None = None) -> None:
        """Go through a block of each, of one shape.

        Args:
            tag: kept where the largest difference is in this block.
            hidden: where a mask hides ours and theirs, of the same shape or broadcast to it; None for nowhere.
        """
        if ours.shape != theirs.shape:
            raise ValueError(f"blocks of {ours.shape} and {theirs.shape}")
        a, b = np.ascontiguousarray(ours).reshape(-1), np.ascontiguousarray(theirs).reshape(-1)
        covers = None
        if hidden is not None and (hidden[0].any() or hidden[1].any()):
            covers = [np.broadcast_to(side, ours.shape).reshape(-1) for side in hidden]
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, a.size, CHUNK):
                part = slice(start, start + CHUNK)
                self._add(a[part], b[part], tag, start, [side[part] for side in covers] if covers else None)

    def _add(self, a: Array, b: Array, tag: object, start: int, hidden: list[Array] | None) -> None:
        self.count += a.size
        if hidden is not None:
            self._careful(a, b, tag, start, hidden)
            return
        plain = True
        if not self.brief:
            low, high = float(b.min()), float(b.max())
            plain = low > -math.inf and high < math.inf  # false for NaN as well
            if plain:
                self.absmax = max(self.absmax, -low, high)
        if a.dtype == b.dtype and np.array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}")):
            if plain:
                self.numbers += a.size
                self._square(None, b, b)
            else:
                self._careful(a, b, tag, start)
            return
        if plain:
            apart = np.subtract(a, b, dtype=np.result_type(a, b, np.float32))
            np.abs(apart, out=apart)
            at = int(apart.argmax())
            if float(apart[at]) < math.inf:  # NaN if anything is
                self._take(apart, at, a, b, tag, start, None)
                return
        self._careful(a, b, tag, start)

    def _careful(self, a: Array, b: Array, tag: object, start: int, hidden: list[Array] | None = None) -> None:
        """A block with NaN, infinities or hidden places in it."""
        a, b = a.astype(np.float64), b.astype(np.float64)
        never = np.zeros(a.shape, dtype=bool)
        hidden_a, hidden_b = hidden or (never, never)
        together = hidden_a & hidden_b  # with NaN among them in rows that are lost on both sides
        nan_a, nan_b = np.isnan(a) & ~together, np.isnan(b) & ~together
        settled = hidden_a | hidden_b | nan_a | nan_b
        nan = nan_a ^ nan_b
        covered = (hidden_a ^ hidden_b) & ~nan
        inf_a, inf_b = np.isinf(a) & ~settled, np.isinf(b) & ~settled
        inf = (inf_a | inf_b) & (a != b)
        self.nan += int(nan.sum())
        self.nans = self.nans[0] + int((nan & nan_a).sum()), self.nans[1] + int((nan & nan_b).sum())
        self.covered += int(covered.sum())
        self.inf += int(inf.sum())
        self.lost += int((nan_a & nan_b).sum())
        self._signs(np.where(inf_a, a, b)[inf])
        self.ours_broken |= bool((nan_a & ~nan_b).any() or (inf_a & inf).any())
        self.theirs_broken |= bool((nan_b & ~nan_a).any() or (inf_b & inf).any())
        both = together & (a != b) & ~np.isnan(a) & ~np.isnan(b)
        if self.hides is None and both.any():
            self.hides = float(a[both][0]), float(b[both][0])
        unlike = nan | inf | covered
        count = int(unlike.sum())
        if count:
            self.differing += count
            if self.unlike == count:  # the first ones
                at = int(unlike.argmax())
                self.tag, self.flat, self.ours, self.theirs = tag, start + at, float(a[at]), float(b[at])
        good = ~settled & ~inf & np.isfinite(a)
        seen = ~(hidden_b | nan_b) & np.isfinite(b)
        if seen.any():
            self.absmax = max(self.absmax, float(np.abs(b[seen]).max()))
        if good.any():
            kept = np.flatnonzero(good)
            apart = np.abs(a[kept] - b[kept])
            self._take(apart, int(apart.argmax()), a[kept], b[kept], tag, start, kept)

    def _square(self, apart: Array | None, a: Array, b: Array) -> None:
        """Gather squares; of the same numbers on both sides one product is enough, and of whole numbers they say nothing."""
        if self.brief or a.dtype.kind != "f":
            return
        theirs = _square_of(b)
        ours = theirs if apart is None else _square_of(a)
        known = self.squares
        self.squares = known[0] + (0.0 if apart is None else _square_of(apart)), known[1] + ours, known[2] + theirs

    def _signs(self, infinite: Array) -> None:
        self.plus += int((infinite > 0).sum())
        self.minus += int((infinite < 0).sum())

    def _take(self, apart: Array, at: int, a: Array, b: Array, tag: object, start: int, kept: Array | None) -> None:
        self.numbers += apart.size
        if not self.brief:
            self.total += float(apart.sum(dtype=np.float64))
            self._square(apart, a, b)
            self.differing += int(np.count_nonzero(apart))
        if float(apart[at]) > self.largest:
            self.largest = float(apart[at])
            if not self.unlike:
                self.tag, self.flat = tag, start + (at if kept is None else int(kept[at]))
                self.ours, self.theirs = float(a[at]), float(b[at])


def _square_of(numbers: Array) -> float:
    """The sum of squares; of half precision in float32, as its own range is left at once."""
    wide = numbers if numbers.itemsize > 2 else numbers.astype(np.float32)
    return float(np.dot(wide, wide))
