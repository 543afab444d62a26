"""Numbers as people read them: exact, short enough for a cell, or aligned in a column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .text import cell_len, fit

INFINITY = "∞"
LONGEST_WORD = 12

Scalar = bool | float | np.bool_ | np.integer[Any] | np.floating[Any]


def exact(number: Scalar) -> str:
    """Every digit there is: what reads back as the same number in its own dtype."""
    if isinstance(number, (bool, np.bool_)):
        return "True" if number else "False"
    if isinstance(number, (int, np.integer)):
        return str(int(number))
    return _odd(float(number)) or str(number)


def short(number: float, digits: int = 4) -> str:
    """About four significant digits, for legends and tables: `0.4123`, `-1.2e-07`, `30522`."""
    odd = _odd(number)
    if odd:
        return odd
    if number == int(number) and abs(number) < 1e6:
        return str(int(number))
    text = f"{number:.{digits}g}"
    mantissa, e, power = text.partition("e")
    return f"{mantissa}e{int(power)}" if e else text


def counted(number: int) -> str:
    """A count with its thousands apart: `30,522`."""
    return f"{number:,}"


def fitted_number(number: float, width: int, decimals: int, *, signed: bool) -> str:
    """A number for a cell of a picture: at most `width` characters, `decimals` digits after the point where they fit.

    Returns:
        `.41`, `+1.2`, `nan`, `-∞`; "" when not even the shortest form fits.
    """
    odd = _odd(number)
    if odd:
        forms = [odd, odd[:1].upper() if odd == "nan" else INFINITY]
    elif number == 0:
        forms = ["0"]
    else:
        plus = "+" if signed else ""
        first = _bare(f"{number:{plus}.{decimals}f}")
        if len(first) <= width:  # as nearly every one does
            return first
        forms = [_bare(f"{number:{plus}.{places}f}") for places in range(decimals - 1, -1, -1)]
        if abs(number) >= 1000:
            mantissa, _, power = f"{number:{plus}.0e}".partition("e")
            forms += [f"{number / 1000:{plus}.1f}k", f"{number / 1000:{plus}.0f}k", f"{mantissa}e{int(power)}"]
    return next((form for form in forms if len(form) <= width), "")


def decimals_for(largest: float, width: int, *, signed: bool) -> int:
    """How many digits after the point leave room for the largest magnitude in `width` characters; three at most.

    One is given where small numbers can have it, though the largest cannot: `+5.2` beside `+10`.
    """
    if not math.isfinite(largest):
        return 0
    whole = len(str(int(largest))) if largest >= 1 else 0
    return max(int(width - signed >= 2 and whole < 4), min(3, width - whole - 1 - signed))


@dataclass(frozen=True, slots=True)
class Aligned:
    """How to write numbers so that their points stand under each other.

    Attributes:
        whole: characters before the point, the sign included.
        fraction: characters from the point on.
        plus: whether positive numbers have a sign.
    """

    whole: int = 2
    fraction: int = 0
    plus: bool = True

    @property
    def width(self) -> int:
        """Characters of every number."""
        return self.whole + self.fraction

    def write(self, number: Scalar) -> str:
        """The number in exactly `width` characters; its sign is always there unless it is zero."""
        before, after = _split(number)
        before = before if self.plus else before.lstrip("+")
        if len(before) > self.whole:
            return "#" * self.width
        return before.rjust(self.whole) + after.ljust(self.fraction)[: self.fraction]

    def wider(self, other: Aligned) -> Aligned:
        """A format that takes the numbers of both."""
        return Aligned(max(self.whole, other.whole), max(self.fraction, other.fraction), self.plus or other.plus)


@dataclass(frozen=True, slots=True)
class Worded:
    """Ids written as the tokens they are, cut to a common width."""

    words: Mapping[int, str]

    @property
    def width(self) -> int:
        """Cells a token takes."""
        return min(LONGEST_WORD, max((cell_len(word) for word in self.words.values()), default=1))

    def write(self, number: Scalar) -> str:
        """The token of an id, or the id."""
        return fit(self.words.get(int(number), str(number)), self.width)

    def wider(self, other: Worded) -> Worded:
        """What has room for the tokens of both."""
        return Worded({**self.words, **other.words})


def aligned_for(numbers: npt.NDArray[Any]) -> Aligned:
    """The narrowest format that takes every number of a window."""
    if numbers.dtype.kind == "b":
        return Aligned(5, 0)
    if numbers.dtype.kind in "iu":
        ends = (int(numbers.min()), int(numbers.max())) if numbers.size else (0,)
        aligned = _widest(ends)
        return aligned if ends[0] < 0 else replace(aligned, whole=max(2, aligned.whole - 1), plus=False)
    finite = numbers[np.isfinite(numbers)] if numbers.size else numbers
    picked: list[float] = [] if finite.size == numbers.size else [math.nan, -math.inf]
    sizes = np.abs(finite[finite != 0].astype(np.float64))
    if sizes.size:
        # how wide a number is depends on its power of ten alone, and rounding may carry it into the next
        powers = np.unique(np.floor(np.log10(np.concatenate([sizes, sizes * 1.0001]))))
        picked += [sign * float(f"1e{int(power)}") for power in powers for sign in (1, -1)]
    return _widest([number for number in picked if number == number] + picked[:1])


def _widest(numbers: Iterable[Scalar]) -> Aligned:
    widest = Aligned()
    for number in numbers:
        before, after = _split(number)
        widest = widest.wider(Aligned(len(before), len(after)))
    return widest


def _split(number: Scalar) -> tuple[str, str]:
    """What stands before the point and from it on, with four significant digits."""
    if isinstance(number, (bool, np.bool_)):
        return ("True" if number else "False"), ""
    if isinstance(number, (int, np.integer)):
        return (f"{int(number):+d}" if number else "0"), ""
    number = float(number)
    odd = _odd(number)
    if odd:
        return (odd if odd == "nan" else f"{'-' if number < 0 else '+'}{INFINITY}"), ""
    if number == 0:
        return ("-0" if math.copysign(1, number) < 0 else "0"), ""
    power = int(f"{number:.3e}".partition("e")[2])  # of the rounded number: 9.9996 counts as 10
    text = f"{number:+.{max(0, 3 - power)}f}" if -4 <= power < 6 else f"{number:+.3e}"
    before, point, after = text.partition(".")
    return before, point + after


def _odd(number: float) -> str:
    if math.isnan(number):
        return "nan"
    return "" if math.isfinite(number) else f"{'-' if number < 0 else ''}{INFINITY}"


def _bare(text: str) -> str:
    """`0.41` as `.41`: a cell has no room for what says nothing."""
    if text.startswith("0."):
        return text[1:]
    return text[0] + text[2:] if text.startswith(("-0.", "+0.")) else text


def percent_of(share: float) -> str:
    """`43.1%`; what is not quite nothing is not written as nothing."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return "0%" if share == 0 else f"{share:.1%}" if share < 0.9995 else f"{share:.0%}"
