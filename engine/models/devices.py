"""Which device and which dtype to compute with, from what was asked for."""

from __future__ import annotations

import re

import torch

from ..messages.errors import InputError, nearest
from ..program.dtypes import FLOATS


def device_of(name: str) -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` is the fastest there is.

    Raises:
        InputError: no such device, or this machine has none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise InputError(
            f"device {name!r} is not known{nearest(name, ('cpu', 'cuda', 'mps', 'auto'))}; write auto, cpu, cuda, cuda:N or mps"
        )
    if name.startswith("cuda"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            raise InputError(
                f"device {name!r}: this machine has {count or 'no'} CUDA device{'s' * (count != 1)} torch can use; write --device cpu"
            )
        return torch.device("cuda", int(name.partition(":")[2] or torch.cuda.current_device()))
    if name == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps': this machine has none torch can use; write --device cpu")
    return torch.device(name)


def dtype_of(name: str) -> torch.dtype:
    """One of float32, float64, bfloat16, float16.

    Raises:
        InputError: another.
    """
    if name not in FLOATS:
        raise InputError(f"dtype {name!r} is not known{nearest(name, FLOATS)}; write one of {', '.join(FLOATS)}")
    return getattr(torch, name)
