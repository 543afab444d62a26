"""In what range a figure of finite numbers certainly lies, from less than counting it out over all of them in float64.

Three steps, each dearer and narrower than the one before: from a bound on the magnitudes, from the least and the greatest
number, and from sums in the dtype's own precision, with room for their rounding. A figure in float64 lies in them all.
"""

from __future__ import annotations

import math

import torch

Range = tuple[float, float]
RANGED = frozenset({"nan", "inf", "absmax", "min", "max", "mean", "std", "norm", "sparsity", "entropy"})
# Room for the rounding of what is compared: figures come from sums in float64.
ROOM = 1e-9
# Squares of larger numbers overflow float64, and are not foretold.
SQUARED = 1e150
# Squares of smaller numbers are rounded coarsely by float64, or vanish.
SQUARABLE = 1e-150
# What is left of the squares of numbers too small for the dtype, each at most this.
LOST_SQUARE = 1.2e-38


def by_bound(word: str, most: float, count: int) -> Range | None:
    """Of `count` numbers whose magnitudes are at most `most`; true of any part of them as well."""
    if not most < math.inf or not count:
        return None
    if word in ("nan", "inf"):
        return 0.0, 0.0
    if word == "sparsity":
        return 0.0, 1.0
    if word == "entropy":
        return -math.inf, math.inf
    if word in ("std", "norm"):
        root = math.sqrt(count) if word == "norm" else 1.0
        return (0.0, (most + SQUARABLE) * root * (1 + ROOM)) if most < SQUARED else None
    room = most * (1 + ROOM)
    return (0.0 if word == "absmax" else -room), room


def by_ends(word: str, ends: Range, count: int) -> Range | None:
    """Of `count` numbers of which the least and the greatest are known: exactly, for `min`, `max` and `absmax`."""
    low, high = ends
    largest = max(abs(low), abs(high))
    if not largest < math.inf or not count:
        return None
    if word in ("nan", "inf"):
        return 0.0, 0.0
    if word in ("min", "max", "absmax"):
        exact = {"min": low, "max": high, "absmax": largest}[word]
        return exact, exact
    if word == "mean":
        return low - ROOM * largest, high + ROOM * largest
    if word == "sparsity":
        return (0.0, 0.0) if low > 0 or high < 0 else (0.0, 1.0)
    if word == "entropy":
        return (0.0, math.inf) if low >= 0 and high <= 1 else None
    if largest > SQUARED:
        return None
    if word == "std":
        return 0.0, (high / 2 - low / 2) * (1 + ROOM) + ROOM * largest + SQUARABLE
    least = largest * (1 - ROOM) if largest > SQUARABLE else 0.0
    return least, (largest + SQUARABLE) * math.sqrt(count) * (1 + ROOM)


def by_sums(word: str, tensor: torch.Tensor, largest: float) -> Range | None:
    """Of a tensor of finite numbers none of which is larger than `largest`, from their sum and their Euclidean length."""
    count = tensor.numel()
    if word == "sparsity":
        share = (count - int(torch.count_nonzero(tensor))) / count
        return share, share
    if word not in ("mean", "std", "norm", "entropy") or not tensor.is_floating_point() or largest > SQUARED:
        return None
    if word == "entropy":
        return _entropy(tensor)
    wide = torch.promote_types(tensor.dtype, torch.float32)
    room = ROOM + count * torch.finfo(wide).eps  # as much as adding one after another could be off
    middle = tensor.sum(dtype=wide).item() / count
    if not abs(middle) < math.inf:  # the sum overflows where the figure, in float64, does not
        return None
    mean = middle - room * largest, middle + room * largest
    if word == "mean":
        return mean
    length = torch.linalg.vector_norm(tensor, dtype=wide).item()
    if not length < math.inf:
        return None
    least = max(0.0, length * (1 - room) - math.sqrt(count * LOST_SQUARE))
    most = length * (1 + room) + math.sqrt(count * LOST_SQUARE)
    if word == "norm":
        return least, most
    # the variance is the mean of the squares less the square of the mean
    furthest, nearest = max(abs(mean[0]), abs(mean[1])), max(0.0, mean[0], -mean[1])
    room = ROOM * largest
    return (
        max(0.0, math.sqrt(max(0.0, least**2 / count - furthest**2)) - room),
        math.sqrt(max(0.0, most**2 / count - nearest**2)) + room,
    )


def _entropy(weights: torch.Tensor) -> Range:
    """Of weights from 0 to 1: the mean over rows of −Σ w ln w, whose terms are never negative."""
    keys = weights.shape[-1]
    wide = weights if weights.dtype in (torch.float32, torch.float64) else weights.float()
    found = torch.special.entr(wide).sum().item() * keys / weights.numel()
    room = found * weights.numel() * torch.finfo(wide.dtype).eps + keys * 4 * torch.finfo(wide.dtype).eps
    return found - room, found + room
