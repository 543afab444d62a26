"""Values with a query and a key axis, gone through in blocks of queries: never the whole square at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...messages.errors import InputError
from ...program.arrays import Array
from ...program.value import BLOCK_ELEMENTS, Value

HIDES = -1.0  # what is added to a score below this is meant to hide a key

Stopped = Callable[[], bool]


@dataclass(slots=True)
class MaskSums:
    """What a mask does, counted: never the whole square at once.

    Attributes:
        by_key: for each text and key, from how many queries of real tokens it is hidden; by_query: from each query, how many keys.
        queries: how many of real tokens each text has, where queries are told apart, else 1; top, bottom: largest and smallest number; weakest: the largest that is to hide.
    """

    by_key: Array
    by_query: Array
    queries: Array
    top: float = -math.inf
    bottom: float = math.inf
    bottom_at: tuple[int, ...] | None = None
    weakest: float = -math.inf
    weakest_at: tuple[int, ...] | None = None
    nan: int = 0

    @classmethod
    def of(cls, value: Value, asking: Array, stopped: Stopped) -> MaskSums:
        """Count what a mask (batch, head, query, key) hides.

        Args:
            asking: (batch, query), whether a token stands there.
        """
        batch, _, queries, keys = value.shape
        asks = asking if queries == asking.shape[1] else np.ones((len(asking), queries), bool)  # (batch, query)
        asks = asks if batch == len(asking) else np.broadcast_to(asks.any(axis=0), (batch, queries))
        sums = cls(np.zeros((batch, keys), int), np.zeros((batch, queries), int), asks.sum(axis=1))
        for row, start, window in windows(value, stopped):
            numbers = np.asarray(window, dtype=np.float64)
            hidden = numbers == 0 if pairs(value) else numbers < HIDES
            one = hidden[:, 0]  # heads share a mask
            here = asks[row : row + len(one), start : start + one.shape[1], None]
            sums.by_key[row : row + len(one)] += (one & here).sum(axis=1)
            sums.by_query[row : row + len(one), start : start + one.shape[1]] += one.sum(axis=2)
            sums.nan += int(np.isnan(numbers).sum())
            low, high = float(numbers.min(initial=math.inf)), float(numbers.max(initial=-math.inf))
            sums.top = max(sums.top, high)
            if low < sums.bottom:
                sums.bottom, sums.bottom_at = low, _at(numbers.argmin(), numbers.shape, row, start)
            if hidden.any():
                weakest = float(numbers[hidden].max())
                if weakest > sums.weakest:
                    sums.weakest = weakest
                    sums.weakest_at = _at((numbers == weakest).argmax(), numbers.shape, row, start)
        return sums


def pairs(value: Value) -> bool:
    """Whether a mask says 1 and 0 of pairs, rather than being added to scores."""
    return value.dtype.startswith("int")


def _at(flat: Any, shape: tuple[int, ...], row: int, start: int) -> tuple[int, ...]:
    at = [int(part) for part in np.unravel_index(int(flat), shape)]
    return at[0] + row, at[1], at[2] + start, at[3]


def windows(
    value: Value, stopped: Stopped, row: int | None = None, keys: slice = slice(None)
) -> Iterator[tuple[int, int, Array]]:
    """A square value in blocks of queries: the first text, the first query, (batch, head, query, key)."""
    batch, heads, queries, width = value.shape
    rows = slice(0, batch) if row is None else slice(min(row, batch - 1), min(row, batch - 1) + 1)
    wide = len(range(*keys.indices(width))) * heads * (rows.stop - rows.start)
    step = max(1, BLOCK_ELEMENTS * 4 // max(1, wide))
    for start in range(0, queries, step):
        if stopped():
            raise InputError(f"the check was interrupted at {value.name}")
        yield (
            rows.start,
            start,
            np.asarray(value.read((rows, slice(None), slice(start, min(start + step, queries)), keys))),
        )


def extremes(value: Value, stopped: Stopped) -> tuple[float, float]:
    """The smallest and the largest finite number, or 0 where that is beyond it."""
    low, high = 0.0, 0.0
    for _, _, window in windows(value, stopped):
        finite = window if np.isfinite(window).all() else window[np.isfinite(window)]
        low, high = min(low, float(finite.min(initial=0.0))), max(high, float(finite.max(initial=0.0)))
    return low, high
