"""How fast something grows with its size: the exponent p of t = c·nᵖ, a straight line through logarithms."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Growth:
    """A power law that was fitted.

    Attributes:
        exponent: 1 for something that grows as its size does, 2 as the square.
        determination: R², the part of the variance of log t that the line explains; 1 for a power law.
        least, most: the sizes between which it was fitted, and beyond which it says nothing.
    """

    exponent: float
    determination: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f} from {self.least:g} to {self.most:g}, R² {self.determination:.3f}"


def fitted(times: Mapping[float, float]) -> Growth:
    """The exponent by least squares on log t over log n.

    Args:
        times: how long each size took, at least two of them, all positive.

    Raises:
        ValueError: fewer than two sizes, or one that is not positive.
    """
    if len(times) < 2 or min((*times, *times.values())) <= 0:
        raise ValueError(f"an exponent needs two positive sizes and times or more, not {dict(times)}")
    sizes, seconds = ([math.log(number) for number in side] for side in (times, times.values()))
    exponent, _ = statistics.linear_regression(sizes, seconds)
    level = max(seconds) - min(seconds) <= 1e-12  # nothing to explain, so all of it is
    determination = 1.0 if level else statistics.correlation(sizes, seconds) ** 2
    return Growth(exponent, determination, min(times), max(times))
