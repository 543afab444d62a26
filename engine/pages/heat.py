"""A heat map as a table: blue below zero, orange above, the name of every row and column beside it, each number under the mouse."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..messages.translation import tr
from .markup import Html, tag

LEVELS = 12
# A number is written into its cell where there are no more than so many columns.
WRITTEN_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """What the colours stand for.

    Attributes:
        low, high: the least and the greatest finite number that is no mask's; both 0 where there is none.
        floor: numbers at or below it are a mask's.
    """

    low: float
    high: float
    floor: float = -math.inf

    @property
    def reach(self) -> float:
        """The magnitude of the strongest colour."""
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, slots=True, eq=False)
class HeatTable:
    """A plane of numbers with the names of its places.

    Attributes:
        numbers: (row, column).
        rows, columns: a name for each; "" for none.
        along: what rows and columns are: `("query", "key")`.
        place: what a cell is called under the mouse.
        title: of the plane; "" for none.
        marked: a cell with a line around it; None for none.
    """

    numbers: npt.NDArray[np.float64]
    rows: Sequence[str]
    columns: Sequence[str]
    along: tuple[str, str]
    place: Callable[[int, int], str]
    title: str = ""
    marked: tuple[int, int] | None = None


def scale_over(planes: Sequence[npt.NDArray[np.float64]], floor: float = -math.inf) -> Scale:
    """One scale for several planes, so that their colours can be held against each other.

    Args:
        floor: numbers at or below it are a mask's, and no part of the scale.
    """
    good = [numbers[np.isfinite(numbers) & (numbers > floor)] for numbers in planes]
    good = [numbers for numbers in good if numbers.size]
    if not good:
        return Scale(0.0, 0.0, floor)
    return Scale(min(float(numbers.min()) for numbers in good), max(float(numbers.max()) for numbers in good), floor)


def write_heat(heat: HeatTable, scale: Scale) -> Html:
    """The table."""
    written = heat.numbers.shape[1] <= WRITTEN_COLUMNS
    corner = tag("th", heat.along[0], " ↓ ", heat.along[1], " →") if all(heat.along) else tag("th", *heat.along)
    head = tag("tr", corner, *(tag("th", tag("span", name), scope="col") for name in heat.columns))
    lines = [
        tag("tr", tag("th", heat.rows[row], scope="row"), *(_cell(heat, scale, row, column, written) for column in range(len(heat.columns))))
        for row in range(len(heat.rows))
    ]  # fmt: skip
    caption = [tag("caption", heat.title)] if heat.title else []
    return tag("table", *caption, tag("thead", head), tag("tbody", *lines), class_="heat" if written else "heat fine")


def write_legend(scale: Scale) -> Html:
    """The scale with its two ends, and the signs of what has no colour on it."""
    if not scale.reach:
        return tag("span", tr("all 0"), class_="legend")
    levels = [*range(-LEVELS, 0)] * (scale.low < 0) + [0] + [*range(1, LEVELS + 1)] * (scale.high > 0)
    bar = tag("span", *(tag("i", class_=_class(level)) for level in levels), class_="bar")
    ends = (-scale.reach if scale.low < 0 else 0.0, scale.reach if scale.high > 0 else 0.0)
    return tag("span", few_digits(ends[0]), " ", bar, " ", few_digits(ends[1]), class_="legend")


def few_digits(number: float) -> str:
    """A number in few letters: three significant digits, NaN and ∞ by name."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    if number == int(number) and abs(number) < 1e6:
        return str(int(number))
    return f"{number:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _cell(heat: HeatTable, scale: Scale, row: int, column: int, written: bool) -> Html:
    number = float(heat.numbers[row, column])
    if math.isfinite(number) and number <= scale.floor:
        shown, look = tr("masked"), "masked"
    else:
        shown, look = few_digits(number), _look(number, scale)
    inside = "" if look == "masked" else _few(number, scale.reach) if written or look == "lost" else ""
    look = f"{look} marked".strip() if heat.marked == (row, column) else look
    return tag("td", inside, class_=look or None, title=f"{heat.place(row, column)}: {shown}")


def _look(number: float, scale: Scale) -> str:
    if not math.isfinite(number):
        return "lost"
    return _class(
        math.ceil(LEVELS * abs(number) / scale.reach - 1e-9) * (1 if number > 0 else -1) if scale.reach else 0
    )


def _class(level: int) -> str:
    return f"{'p' if level > 0 else 'n'}{abs(level)}" if level else ""


def _few(number: float, reach: float) -> str:
    """A number in the few letters that a cell has room for: `.43`, `-1.2`, `12`, `3e4`; under the mouse stands more of it."""
    if not math.isfinite(number) or number == int(number):
        return few_digits(number)
    size = abs(number)
    if size < 0.005 <= reach / 20:  # nothing beside the others; how little, stands under the mouse
        return ".00"
    if size >= 99.5 or size < 0.001:
        return (
            f"{number:.0e}".replace("e+0", "e").replace("e-0", "e-") if size >= 1e4 or size < 0.001 else f"{number:.0f}"
        )
    text = f"{number:.2f}" if size < 1 else f"{number:.1f}"
    return text.replace("0.", ".", 1) if size < 1 else text
