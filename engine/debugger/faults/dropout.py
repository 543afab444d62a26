"""Whether numbers are others after dropout: each 0, or 1 / (1 − p) times what it was (Srivastava et al. 2014)."""

from __future__ import annotations

import math

import numpy as np

from ...program.arrays import Array

FEWEST = 8  # numbers that are to show it
CLOSE = 0.02  # how far, relatively, a factor may be from the others: half precision rounds
SMALL = 1e-3  # of the largest: what is smaller is rounded too coarsely to be told
LEAST, MOST = 0.01, 0.95  # rates


def dropout_rate(now: Array, before: Array) -> float | None:
    """The rate of a dropout that makes `now` of `before`; None where none does."""
    a, b = np.asarray(now, np.float64).ravel(), np.asarray(before, np.float64).ravel()
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    told = np.abs(b) > SMALL * np.abs(b).max(initial=0.0)
    dropped = a[told] == 0
    count, kept = len(dropped), a[told][~dropped] / b[told][~dropped]
    if count < FEWEST or not dropped.any() or not len(kept):
        return None
    factor = float(np.median(kept))
    if factor <= 0 or np.abs(kept / factor - 1).max() > CLOSE:
        return None
    rate = 1 - 1 / factor
    if not LEAST <= rate <= MOST:
        return None
    # as many are gone as such a draw takes, to five of its deviations
    room = 5 * math.sqrt(rate * (1 - rate) / count)
    return rate if abs(dropped.mean() - rate) <= room else None


def write_dropout(rate: float) -> str:
    """`dropout of 0.1: each number is 0, or 1/(1 - 0.1) = 1.11 times what it was`."""
    return f"dropout of {rate:.2g}: each number is 0, or 1/(1 - {rate:.2g}) = {1 / (1 - rate):.3g} times what it was"
