"""Figures of a tensor's rows (its last axis), where it lies."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ...program.rows import far_apart
from ..tensors import both, to_numpy

# Of float32 numbers: more than same rows may be apart.
CERTAIN = 1e-6
# From how many elements on a product with ones is faster than a sum.
WORTH_A_PRODUCT = 1 << 16


def row_figures(tensor: torch.Tensor, figure: str, first: int | None = None) -> torch.Tensor:
    """The `sum` or `var` of each row, or of the first numbers of each; see `Value.rows`."""
    rows = tensor if first is None else tensor.narrow(-1, 0, min(first, tensor.shape[-1]))
    figures = _FIGURES[figure](rows if rows.dtype in (torch.float32, torch.float64) else rows.float())
    if figures.dtype == torch.float64 or rows.device.type == "mps" or bool(torch.isfinite(figures).all()):
        return figures
    return _FIGURES[figure](rows.double())  # finite numbers whose sum is beyond float32 are not infinite


def row_ends(tensor: torch.Tensor, figure: str, first: int | None = None) -> tuple[float, float]:
    """The least and the greatest of `row_figures`; both NaN if any is, or if there are none."""
    if not tensor.numel():
        return math.nan, math.nan
    return both(torch.aminmax(row_figures(tensor, figure, first)))


def apart(tensor: torch.Tensor, one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two rows certainly differ: mostly their first numbers tell, else some, else all."""
    if tensor.dtype != torch.float32 or not tensor.is_cpu:
        return far_apart(to_numpy(tensor[one]), to_numpy(tensor[other]), str(tensor.dtype).removeprefix("torch."))
    array = tensor.numpy()
    a, b = array.item(*one, 0), array.item(*other, 0)
    if abs(a - b) > CERTAIN * (abs(a) + abs(b)):
        return True
    return far_apart(array[one], array[other], "float32")


def _sums(rows: torch.Tensor) -> torch.Tensor:
    if rows.numel() < WORTH_A_PRODUCT or not rows.is_contiguous():
        return rows.sum(-1)
    return rows.view(-1, rows.shape[-1]).mv(rows.new_ones(rows.shape[-1]))


_FIGURES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sum": _sums, "var": lambda rows: rows.var(-1, unbiased=False),
}  # fmt: skip
