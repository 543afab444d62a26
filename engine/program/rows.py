"""Rows of a value that count as the same: equal to the last places of their dtype."""

from __future__ import annotations

import numpy as np

from .arrays import Array
from .dtypes import FLOATS

# How far apart, in units of the last place, numbers may be that count as the same.
ULPS = 2


def far_apart(one: Array, other: Array, dtype: str) -> bool:
    """Whether any number of a row is further from that of another than the last places of their dtype."""
    return not same_rows(np.stack([one, other]), dtype)


def same_rows(rows: Array, dtype: str) -> bool:
    """Whether all rows (row, number) are the same, to the last places of their dtype; no row with NaN is."""
    if dtype not in FLOATS:
        return bool((rows == rows[:1]).all())
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return bool((high - low <= ULPS * FLOATS[dtype].epsilon * np.maximum(np.abs(low), np.abs(high))).all())
