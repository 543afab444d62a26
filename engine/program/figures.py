"""Single figures of a value, by the words conditions use."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .per_text import Index
from .stats import Stats
from .value import Value

# What a figure certainly is between, the ends included.
Range = tuple[float, float]
# Counts and sizes first, so that a truth test of `nan` or `inf` reads as it is meant.
FROM_STATS: dict[str, Callable[[Stats], float]] = {
    "nan": lambda stats: stats.nan,
    "inf": lambda stats: stats.inf,
    "absmax": lambda stats: stats.absmax,
    "min": lambda stats: stats.min,
    "max": lambda stats: stats.max,
    "mean": lambda stats: stats.mean,
    "std": lambda stats: stats.std,
    "norm": lambda stats: stats.norm,
    "sparsity": lambda stats: stats.sparsity,
}
WORDS = (*FROM_STATS, "entropy")


def measure(value: Value, word: str, index: Index | str = ()) -> float:
    """One figure of a value or a window of it.

    `nan` and `inf` are counts; `entropy` is the mean over rows, in nats; `sparsity` a share; the others are of the
    finite elements. NaN where nothing is finite.
    """
    if word == "entropy":
        return entropy(value, index)
    quick = value.quick(word, index)
    return quick if quick is not None else FROM_STATS[word](value.stats(index, histogram=False))


def entropy(value: Value, index: Index | str = ()) -> float:
    """Mean Shannon entropy of the rows (last axis), in nats: 0 where one key has all, ln(keys) where all have the same."""
    total, rows = 0.0, 0
    for block in value.pieces(index):
        wide = np.atleast_2d(block.astype(np.float64))
        with np.errstate(divide="ignore", invalid="ignore"):
            each = -np.where(wide > 0, wide * np.log(wide), np.where(np.isnan(wide), np.nan, 0.0)).sum(axis=-1)
        total, rows = total + float(each.sum()), rows + each.size
    return total / rows if rows else math.nan


def figures_of(window: Any) -> Stats:
    """Statistics of numbers at hand."""
    from .stats import gather

    return gather([np.asarray(window)])
