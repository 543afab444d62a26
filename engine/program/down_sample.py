"""Many numbers as few, honestly: each is one of those it stands for, the one of largest magnitude, and NaN is never lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pool(numbers: npt.NDArray[Any], height: int, width: int, floor: float = -np.inf) -> npt.NDArray[Any]:
    """At most `height` by `width` numbers, each the one of largest magnitude of its part.

    NaN wins over all; what is masked (at or below `floor`) wins only where there is nothing else.
    """
    rows, columns = numbers.shape
    if not rows or not columns:
        return np.zeros((0, 0), dtype=np.float32)
    wide = numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)
    masked = (wide <= floor) & np.isfinite(wide)
    if not masked.any():
        return _largest(wide, height, width)
    pooled = _largest(np.where(masked, 0, wide), height, width)
    return np.where(_reduce(np.logical_and, masked, height, width), wide.dtype.type(np.finfo(wide.dtype).min), pooled)


def _largest(numbers: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    high, low = (_reduce(ufunc, numbers, height, width) for ufunc in (np.maximum, np.minimum))
    return np.where(np.isnan(high) | (np.abs(high) >= np.abs(low)), high, low)


def _reduce(ufunc: np.ufunc, numbers: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    rows, columns = numbers.shape
    down = ufunc.reduceat(numbers, edges_of(rows, max(1, min(height, rows)))[:-1], axis=0)
    return ufunc.reduceat(down, edges_of(columns, max(1, min(width, columns)))[:-1], axis=1)


def edges_of(size: int, parts: int) -> list[int]:
    """Where parts of as equal a size as can be begin, and where the last one ends."""
    return [size * part // parts for part in range(parts + 1)]
