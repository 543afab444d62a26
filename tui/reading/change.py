"""The numbers of one place before and after a stage, counted into bins that they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..state.plane import Plane

if TYPE_CHECKING:
    from ...engine.analysis.change import Masked, Through, TokenRow, Unscaled
    from ...engine.commands.session import Session

AT_MOST = 4096  # points on a curve
MANY = 8  # numbers a bin, below which bins are twice as wide


@dataclass(frozen=True, slots=True)
class Axis:
    """What the bins of a histogram lie between."""

    low: float
    high: float

    def place(self, number: float, bins: int) -> int:
        """The bin that a number falls into."""
        share = (number / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return max(0, min(bins - 1, int(share * bins)))


@dataclass(frozen=True, slots=True)
class Band:
    """The numbers of one place at one stage.

    Attributes:
        stage: "" of what lies between two stages; name: what they are called.
        count: how many there are, of which `hidden` a mask hides, `infinite` and `nan` are, and `zero` are exactly 0.
        counts: of the others, how many fall into the bin of each cell; axis: which of the axes the bins are of.
        mean, deviation, least, greatest: of those that are counted; NaN where there are none.
    """

    stage: str
    name: str
    count: int
    hidden: int
    infinite: int
    nan: int
    zero: int
    counts: tuple[int, ...]
    axis: int
    mean: float
    deviation: float
    least: float
    greatest: float


@dataclass(frozen=True, slots=True, eq=False)
class CurvePoints:
    """A function over the axis, and the numbers that went through it.

    Attributes:
        kind: what it is called; written: `x · Φ(x)`.
        heights: its value at the middle of each half bin.
        xs, ys: this place's numbers, before and after.
        low, high: least and greatest of all these values.
    """

    kind: str
    written: str
    heights: npt.NDArray[np.float64]
    xs: npt.NDArray[np.float64]
    ys: npt.NDArray[np.float64]
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class ChangePicture:
    """What the view draws.

    Attributes:
        bands: in the order in which they are computed; none where nothing that goes in is like what comes out.
        axes: of the numbers, and, where some are parts of 1, of those.
        curve, through, masked, unscaled, widths: as in `BeforeAfter`.
    """

    bands: tuple[Band, ...]
    axes: tuple[Axis, ...]
    curve: CurvePoints | None = None
    through: Through | None = None
    masked: Masked | None = None
    unscaled: Unscaled | None = None
    widths: tuple[tuple[str, int], ...] = ()


def read_change(session: Session, plane: Plane, row: int, bins: int) -> ChangePicture:
    """Read a place before and after, with every stage that belongs to it computed. Runs on the engine's thread.

    Args:
        bins: how many cells each histogram has, an even number.
    """
    from ...engine.analysis.change import chain_of, change_of

    program = session.trace.program
    for stage in chain_of(program, program[plane.stage])[-1:]:
        session.see(stage.name)
    change = change_of(session.trace, plane.stage, plane.cell(row, 0)[:-1])
    kinds = (False, True) if any(one.shares for one in change.rows) else (False,)
    axes = tuple(_axis([one for one in change.rows if one.shares == shares], from_zero=shares) for shares in kinds)
    bands = tuple(_band(one, int(one.shares), axes[int(one.shares)], bins) for one in change.rows)
    curve = None
    if change.curve is not None:
        curve = _points(change.kind, change.curve.written, change.curve.output, axes[0], change.rows, bins)
    return ChangePicture(bands, axes, curve, change.through, change.masked, change.unscaled, change.widths)


def _axis(rows: Sequence[TokenRow], *, from_zero: bool) -> Axis:
    ends = [(float(row.seen.min()), float(row.seen.max())) for row in rows if row.seen.size]
    low, high = min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=1.0)
    low = min(low, 0.0) if from_zero else low
    if low == high:
        low, high = low - max(0.5, abs(low) / 2), high + max(0.5, abs(high) / 2)
    return Axis(low, high)


def _band(row: TokenRow, axis: int, ends: Axis, bins: int) -> Band:
    seen, numbers = row.seen, row.numbers
    wide = 2 if len(numbers) < MANY * bins else 1
    counts = np.repeat(np.histogram(seen, bins // wide, (ends.low, ends.high))[0], wide)
    figures = (
        (float(seen.mean()), float(seen.std()), float(seen.min()), float(seen.max())) if seen.size else (np.nan,) * 4
    )
    infinite = np.isinf(numbers) & ~row.hidden
    return Band(
        row.stage, row.name, len(numbers), int(row.hidden.sum()), int(infinite.sum()), int(np.isnan(numbers).sum()),
        int((seen == 0).sum()), tuple(map(int, counts)), axis, *figures,
    )  # fmt: skip


def _points(
    kind: str, written: str, output: Callable[[float], float], axis: Axis, rows: Sequence[TokenRow], bins: int
) -> CurvePoints:

    half = (axis.high / 2 - axis.low / 2) / bins
    middles = axis.low + half * (np.arange(2 * bins) + 0.5)
    heights = np.array([float(output(float(x))) for x in middles])
    step = max(1, len(rows[0].numbers) // AT_MOST)
    xs, ys = rows[0].numbers[::step], rows[-1].numbers[::step]
    real = np.isfinite(xs) & np.isfinite(ys)
    every = np.concatenate([heights[np.isfinite(heights)], ys[real]])
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    return CurvePoints(kind, written.format(x="x"), heights, xs[real], ys[real], low, high)
