"""In what range a figure of finite numbers certainly lies, from less than counting it out over all of them in float64.

Three steps, each dearer and narrower than the one before: from a bound on the magnitudes, from the least and the greatest
number, and from sums in the dtype's own precision, with room for their rounding. A figure in float64 lies in them all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ...ops.moments import SQUARABLE, Moments
from ...program.figures import Range
from ...program.torch_calls import entropies, row_norms

RANGED = frozenset({"nan", "inf", "absmax", "min", "max", "mean", "std", "norm", "sparsity", "entropy"})
# Figures that sums tell.
SUMMED = frozenset({"mean", "std", "norm", "entropy"})
# Room for the rounding of what is compared: figures come from sums in float64.
ROOM = 1e-9
# Squares of larger numbers overflow float64, and are not foretold.
SQUARED = 1e150
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


def by_sums(word: str, tensor: torch.Tensor, largest: float) -> Iterator[Range]:
    """Of a tensor of finite numbers none of which is larger than `largest`, from sums over its rows."""
    count = tensor.numel()
    if word == "sparsity":
        share = (count - int(torch.count_nonzero(tensor))) / count
        yield share, share
    if word not in SUMMED or not tensor.is_floating_point() or largest > SQUARED:
        return
    sums = Sums()
    sums.add(tensor, word != "norm", word != "mean")
    ranges = by_totals(word, sums, largest)
    yield from ranges
    if ranges and word == "entropy":
        yield _entropy(tensor, sums.room)


def by_totals(word: str, sums: Sums, largest: float) -> list[Range]:
    """Of finite numbers none of which is larger than `largest`, from the sums over all of them; none where nothing is certain."""
    count = sums.count
    if word not in SUMMED or not count or not largest <= SQUARED:
        return []
    if not (
        abs(sums.total) < math.inf and sums.squares < math.inf
    ):  # they overflow where the figure, in float64, does not
        return []
    if word == "entropy":
        return [_entropy_by_squares(sums)] if sums.total > 0 else []
    room = sums.room * largest
    mean = sums.total / count - room, sums.total / count + room
    if word == "mean":
        return [mean]
    lost = LOST_SQUARE * count
    least = max(0.0, sums.squares * (1 - 2 * sums.room) - lost)
    most = sums.squares * (1 + 2 * sums.room) + lost
    if word == "norm":
        return [(math.sqrt(least), math.sqrt(most))]
    # the variance is the mean of the squares less the square of the mean
    furthest, nearest = max(abs(mean[0]), abs(mean[1])), max(0.0, mean[0], -mean[1])
    room = ROOM * largest
    return [
        (
            max(0.0, math.sqrt(max(0.0, least / count - furthest**2)) - room),
            math.sqrt(max(0.0, most / count - nearest**2)) + room,
        )
    ]


def by_moments(word: str, moments: Moments, count: int) -> Range | None:
    """Of `count` finite numbers, from what they are like together; None where that says nothing of the figure."""
    known = (moments.mean, moments.std, moments.rms, moments.room, moments.most)
    if not all(map(math.isfinite, known)) or moments.most > SQUARED or not count:
        return None
    if word in ("min", "max", "absmax"):
        return by_bound(word, moments.most, count)
    room = moments.room + ROOM * (moments.rms + moments.room) + SQUARABLE
    if word == "mean":
        return moments.mean - room, moments.mean + room
    if word == "std":
        return max(0.0, moments.std - room), moments.std + room
    if word == "norm":
        root = math.sqrt(count)
        return max(0.0, moments.rms - room) * root, (moments.rms + room) * root * (1 + ROOM)
    return None


class Sums:
    """Sums over a tensor, or over the parts of one, each row (last axis) in the dtype's own precision and the rows together in float64.

    Attributes:
        total: of the numbers; 0 where it was not asked for.
        squares: of their squares, likewise.
        rows, count: how many of them there are, and how many numbers.
        room: how far they may be off, for each 1 of magnitude added up: as far as adding a row one by one could be.
    """

    def __init__(self) -> None:
        self.rows = self.count = 0
        self.room = self.total = self.squares = 0.0

    def add(self, tensor: torch.Tensor, total: bool = True, squares: bool = True) -> None:
        """Add up a tensor as well; `total` and `squares` say what of it."""
        wide = torch.promote_types(tensor.dtype, torch.float32)
        rows = tensor if tensor.dim() else tensor.reshape(1)
        self.rows += rows.numel() // rows.shape[-1]
        self.count += rows.numel()
        self.room = max(self.room, ROOM + 2 * rows.shape[-1] * torch.finfo(wide).eps)
        self.total += _together(rows.sum(-1, dtype=wide)) if total else 0.0
        self.squares += _together(row_norms(rows, 2, wide), squared=True) if squares else 0.0


def _together(rows: torch.Tensor, *, squared: bool = False) -> float:
    wide = rows.cpu().double()  # not every device has float64
    return (wide.square() if squared else wide).sum().item()


def _entropy_by_squares(sums: Sums) -> Range:
    """Of N weights from 0 to 1 with the sum T and the sum of squares C: T ln(T/C) <= -sum w ln w <= T ln(N/T).

    Both are Jensen's inequality for the logarithm. No logarithm of each weight is taken, which is what costs.
    """
    total, squares = sums.total, sums.squares + LOST_SQUARE * sums.count
    room = 4 * sums.room * total * (1 + abs(math.log(total)) + math.log(sums.count))
    least = total * math.log(total / squares)
    most = total * math.log(sums.count / total)
    return max(0.0, least - room) / sums.rows, (most + room) / sums.rows


def _entropy(weights: torch.Tensor, room: float) -> Range:
    """Of weights from 0 to 1: the mean over rows of −Σ w ln w, whose terms are never negative."""
    keys = weights.shape[-1]
    wide = weights if weights.dtype in (torch.float32, torch.float64) else weights.float()
    entropy = _together(entropies(wide).sum(-1)) * keys / weights.numel()
    lost = keys * torch.finfo(wide.dtype).eps
    return entropy * (1 - room) - lost, entropy * (1 + room) + lost
