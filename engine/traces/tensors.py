"""Torch's tensors, read as numpy reads arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch

from ..program.per_text import Index, by_text, is_rectangle


def to_numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A numpy array of its own; bfloat16, which numpy lacks, as float32, which holds it exactly."""
    here = tensor.detach().cpu()
    if here.dtype == torch.bfloat16:
        here = here.float()
    array = here.numpy()
    return array.copy() if here.data_ptr() == tensor.data_ptr() else array


def both(pair: Sequence[torch.Tensor]) -> tuple[float, float]:
    """Two single numbers, in one trip where they lie on another device: each trip waits for all that is under way there."""
    one, other = pair
    if one.device.type == "cpu":
        return one.item(), other.item()
    one, other = torch.stack(list(pair)).cpu()
    return one.item(), other.item()


def indexed(tensor: torch.Tensor, index: Index) -> torch.Tensor:
    """numpy's indexing, negative steps included, which torch does not have; and another place in each text."""
    if not is_rectangle(index):
        return torch.stack([indexed(tensor, alone) for alone in by_text(index, len(tensor))])
    flips: list[int] = []
    kept: list[int | slice] = []
    axis = 0
    for part, size in zip(index, tensor.shape, strict=True):
        if isinstance(part, slice):
            places = range(*part.indices(size))
            if places.step < 0 and len(places):
                part = slice(places[-1], places[0] + 1, -places.step)
                flips.append(axis)
            elif not len(places):
                part = slice(0, 0)
            axis += 1
        kept.append(part)
    window = tensor[tuple(kept)]
    return window.flip(flips) if flips else window


def put(tensor: torch.Tensor, index: Index, numbers: torch.Tensor) -> None:
    """Write a window that goes forwards; `numbers` have its shape or stretch to it."""
    if is_rectangle(index):
        tensor[index] = numbers
        return
    parts = [tensor[alone] for alone in by_text(index, len(tensor))]  # views, one a text
    for part, text in zip(parts, torch.broadcast_to(numbers, (len(parts), *parts[0].shape)), strict=True):
        part.copy_(text)
