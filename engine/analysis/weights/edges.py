"""How far the largest or the smallest of many sizes stand off from the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .stored import AxisSums

SHARE = 20  # of so many, one may stand off: more are no few


@dataclass(frozen=True, slots=True)
class Edge:
    """The few sizes beyond the widest gap at one end.

    Attributes:
        places: which they are, the farthest out first.
        factor: how many times larger than the next the least of them is; or smaller.
        spread: how many times larger than the median that next one is; or smaller.
        large: at which end.
    """

    places: tuple[int, ...]
    factor: float
    spread: float
    large: bool


def edge(sizes: AxisSums, large: bool) -> Edge | None:
    """The widest gap among the outermost twentieth of some sizes; None where there are too few of them.

    Args:
        sizes: zeros are none of them.
        large: look at the largest, else at the smallest.
    """
    places = np.flatnonzero(sizes > 0)
    if len(places) < 4:
        return None
    logs = np.log(sizes[places]) * (1 if large else -1)
    order = np.argsort(-logs, kind="stable")  # outermost first
    outer = logs[order[: max(1, len(places) // SHARE) + 1]]
    gaps = outer[:-1] - outer[1:]
    widest = int(gaps.argmax())
    spread = float(outer[widest + 1] - np.median(logs))
    return Edge(
        tuple(int(places[at]) for at in order[: widest + 1]), float(np.exp(gaps[widest])), float(np.exp(spread)), large
    )
