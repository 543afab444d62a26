"""A weight whose numbers stand on a coarser grid than its neighbours': kept in fewer bits on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from ..checks.findings import Finding
from .stored import AxisSums, StoredWeight, StoredWeights
from .unlikely import Like, unlikely

SAMPLE = 4096  # numbers that are looked at first
LEAST = 64  # numbers from which on a grid is no chance
LEVELS = 256  # of eight bits
ROWS = 8  # looked at for steps


def coarse_weights(weights: StoredWeights) -> Iterator[Finding]:
    """Matrices and tables whose numbers all fit a narrower dtype, or stand on at most 256 steps, as few others' do."""
    every = [weight for weight in weights.sound if not weight.is_vector and not weight.figures.is_constant]
    every = [weight for weight in every if weight.count >= LEAST]
    told: set[StoredWeight] = set()
    for grid, (kept, what) in GRIDS.items():
        on = [weight for weight in every if kept(weight)]
        if 4 * len(on) > len(every) and len(on) > 1:
            continue  # the model was kept so
        for weight in on:
            if weight in told or len(every) == 1:
                continue
            told.add(weight)
            if weight.stage.room == "head":  # those are made apart, and put on a model that was made elsewhere
                weights.notes.append(f"{weight.address} is {what}: no wonder of a head, which may come from elsewhere")
            else:
                odds = Like("matrix or table", "matrices and tables").odds(len(on) - 1, len(every) - 1)
                yield unlikely(weight, grid, f"it is {what}", odds)


def _fits(dtype: torch.dtype) -> Callable[[StoredWeight], bool]:
    """Whether all numbers of a weight are ones of a narrower dtype, stored so or not."""

    def fits(weight: StoredWeight) -> bool:
        tensor = weight.tensor()
        if tensor.dtype == dtype:
            return True
        if tensor.element_size() <= torch.finfo(dtype).bits // 8 or _distinct(tensor) < LEAST / 2:
            return False
        sample = tensor.reshape(-1)[:SAMPLE] if tensor.is_contiguous() else tensor[:1]
        if not torch.equal(sample.to(dtype).to(sample.dtype), sample):
            return False
        return all(torch.equal(block.to(dtype).to(block.dtype), block) for _, block in weight.blocks())

    return fits


def _distinct(tensor: torch.Tensor) -> int:
    sample = tensor[: max(1, SAMPLE // max(1, tensor.shape[1]))]
    return np.unique(sample.to(device="cpu", dtype=torch.float64).numpy()).size


def _on_steps(weight: StoredWeight) -> bool:
    """Whether every row, or every column, stands on a few equal steps of its own."""
    tensor = weight.tensor()
    return any(side.shape[1] >= LEAST and _lines_on_steps(side) for side in (tensor, tensor.T))


def _lines_on_steps(tensor: torch.Tensor) -> bool:
    places = np.unique(np.linspace(0, tensor.shape[0] - 1, ROWS).astype(int))
    lines = tensor[places.tolist()].to(device="cpu", dtype=torch.float64).numpy()
    lines = [line for line in lines if line.any()]
    return bool(lines) and all(_steps(line) for line in lines)


def _steps(line: AxisSums) -> bool:
    """Whether numbers are whole multiples of one step, at most 256 of them, and not only a few different ones."""
    levels = np.unique(line)
    levels = levels[np.concatenate([[True], np.diff(levels) > 1e-6 * np.abs(levels).max()])]  # rounding apart
    if len(levels) < 3 or len(levels) > LEVELS:
        return False
    step = np.diff(levels).min()
    across: AxisSums = (levels - levels[0]) / step
    return bool(across[-1] < LEVELS and np.abs(across - np.round(across)).max() < 0.05)


GRIDS: dict[str, tuple[Callable[[StoredWeight], bool], str]] = {
    "few steps": (
        _on_steps,
        "on at most 256 equal steps, row by row or column by column, as after eight bits or fewer",
    ),
    "bfloat16": (_fits(torch.bfloat16), "of numbers that are all ones of bfloat16, as after half precision on the way"),
    "float16": (_fits(torch.float16), "of numbers that are all ones of float16, as after half precision on the way"),
}
