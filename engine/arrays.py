"""Torch's tensors as numpy's arrays."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch


def to_numpy(tensor: torch.Tensor) -> npt.NDArray[Any]:
    """A numpy array of its own; bfloat16, which numpy lacks, as float32, which holds it exactly."""
    here = tensor.detach().cpu()
    if here.dtype == torch.bfloat16:
        here = here.float()
    array = here.numpy()
    return array.copy() if here.data_ptr() == tensor.data_ptr() else array
