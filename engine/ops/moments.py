"""Mean, deviation and size of a result that is never built whole, from those of what it is made of.

A square of scores is far larger than queries and keys, and they say what all of it is like: Σ (q·k) = (Σ q) · (Σ k), and since a trace
is the same in a circle, ‖Q Kᵀ‖² = tr(Q Kᵀ K Qᵀ) = Σ (Qᵀ Q) ∘ (Kᵀ K), which are two matrices of head_dim × head_dim.

A deviation is a seminorm: |std(x + e) − std(x)| ≤ std(e) ≤ rms(e), and so for the mean and the root mean square. So what they are of exact
numbers, and one bound on the root mean square of what rounding makes of those, are ranges of all three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from .lazy import torch
from .rounding import TINY, UNIT, gamma, unit

# Squares of smaller numbers are rounded coarsely by float64, or vanish.
SQUARABLE = 1e-150


@dataclass(frozen=True, slots=True)
class Moments:
    """What the numbers of a value are like together; NaN or infinite where nothing can be said.

    Attributes:
        mean, std, rms: of exact numbers; `std` divides by n, `rms` is the root of the mean of their squares.
        room: what the root mean square of the differences between those and the numbers themselves is at most.
        most: what no number exceeds in magnitude.
    """

    mean: float
    std: float
    rms: float
    room: float
    most: float

    def times(self, factor: float, dtype: torch.dtype) -> Moments:
        """Of the numbers times a factor, which is rounded to the dtype as each of the results is."""
        by, steps = abs(factor), 4 * _unit(dtype)
        room = by * (self.room + steps * (self.rms + self.room)) + _tiny(dtype)
        return Moments(
            factor * self.mean, by * self.std, by * self.rms, room, by * self.most * (1 + steps) + _tiny(dtype)
        )

    def plus(self, other: Moments, dtype: torch.dtype) -> Moments:
        """Of the sum of the numbers and others, each rounded to the dtype: what is smaller is room beside what is larger."""
        large, small = (self, other) if self.rms >= other.rms else (other, self)
        room = large.room + small.rms + small.room
        most = (self.most + other.most) * (1 + 2 * _unit(dtype))
        return Moments(large.mean, large.std, large.rms, room + 2 * _unit(dtype) * (large.rms + room), most)


class MomentSources(Protocol):
    """What a rule may ask about what a result is made of."""

    def tensor(self, place: int) -> torch.Tensor | None:
        """The input at a place, counted from the last where that is negative; None where it is never whole."""
        ...

    def moments(self, place: int) -> Moments | None:
        """Those of the input at a place; None where they are not known."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the result."""
        ...


def of_square(query: torch.Tensor, key: torch.Tensor, dtype: torch.dtype) -> Moments | None:
    """Of Q · Kᵀ, from (batch, head, query, head_dim) and (batch, head, key, head_dim).

    Each score is off by at most γₙ ‖q‖ ‖k‖, n being head_dim (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition,
    section 3.1, and Cauchy-Schwarz), and what is added up here in float64 likewise.

    Returns:
        None where the device has no float64, or where products are told to round more than the dtype does.
    """
    if query.device.type == "mps" or torch.get_float32_matmul_precision() != "highest":
        return None
    each = [_of_head(query[:, head], key[:, min(head, key.shape[1] - 1)]) for head in range(query.shape[1])]
    figures = torch.stack(each)  # (head, figure)
    together = torch.cat([figures[:, :3].sum(0), figures[:, 3:].amax(0).sqrt()]).cpu()  # in one trip
    total, squares, reach, queries, keys = (figure.item() for figure in together)
    batch, heads, rows, size = query.shape
    count = batch * heads * rows * key.shape[2]
    mean, rms, reach = total / count, math.sqrt(max(0.0, squares / count)), math.sqrt(max(0.0, reach / count))
    std = math.sqrt(max(0.0, squares / count - mean * mean))
    # the mean of the squares, and the square of the mean, are off by so much of reach²; a root by no more than the root of that
    own = math.sqrt(4 * gamma(rows + key.shape[2] + batch * heads * size * size, UNIT["float64"]))
    off = gamma(size + 2, _unit(dtype))
    lost = size * (_tiny(dtype) + SQUARABLE * (queries + keys))
    return Moments(mean, std, rms, (own + off) * reach + lost, (1 + off) * queries * keys * (1 + own) + lost)


def of_two(number: float, share: float) -> Moments:
    """Of numbers of which a share are one number, and all others 0."""
    size = abs(number)
    std, rms = size * math.sqrt(share * (1 - share)), size * math.sqrt(share)
    return Moments(share * number, std, rms, 0.0, size if share else 0.0)


def _of_head(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Of one head's scores in all texts: sum, sum of squares, that of ‖q‖² ‖k‖²; the largest ‖q‖² and ‖k‖²."""
    q, k = query.double(), key.double()  # (batch, token, head_dim)
    total = (q.sum(1) * k.sum(1)).sum()
    squares = ((q.mT @ q) * (k.mT @ k)).sum()
    sizes = q.square().sum(-1), k.square().sum(-1)  # (batch, token)
    reach = (sizes[0].sum(-1) * sizes[1].sum(-1)).sum()
    return torch.stack([total, squares, reach, sizes[0].max(), sizes[1].max()])


def _unit(dtype: torch.dtype) -> float:
    return unit(str(dtype).removeprefix("torch."))


def _tiny(dtype: torch.dtype) -> float:
    return TINY.get(str(dtype).removeprefix("torch."), 0.0)
