"""Functions of torch whose stubs leave types unsaid, with the types that they have."""
# pyright: reportUnknownMemberType=false
# Here alone: what torch does not say of these is said below, and everyone else asks for them here.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

if TYPE_CHECKING:
    import torch  # a recording opens without it


def from_numpy(array: npt.NDArray[Any]) -> torch.Tensor:
    """A tensor that shares the array's memory."""
    import torch

    return torch.from_numpy(array)
