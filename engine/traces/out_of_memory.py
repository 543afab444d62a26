"""Memory that is full: values that can be computed again make room, and what does not fit even then is refused in a line."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import Protocol, TypeVar

import torch

from ..messages.errors import InputError
from ..program.stage import Shape, write_shape


class Full(Protocol):
    """What can run full: values on a device, of known shapes, that can be given up."""

    device: torch.device

    def give_up(self) -> None:
        """Keep no value that is not being computed with."""
        ...

    def shape(self, name: str) -> Shape:
        """The shape of the value of a stage."""
        ...

    def dtype(self, name: str) -> torch.dtype:
        """What the value of a stage is made of."""
        ...


Result = TypeVar("Result")
# What torch's allocators say of memory: CUDA's, MPS's, the CPU's on Linux and elsewhere; and cuBLAS of its workspace.
FULL = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")


def is_full(error: Exception) -> bool:
    """Whether an error says that memory is full."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(said in str(error) for said in FULL)
    )


def with_room(full: Full, name: str, work: Callable[[], Result]) -> Result:
    """Do a stage's work; where memory is full, again as `made_room` does.

    Raises:
        InputError: it does not fit even then.
    """
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_full(error):
            raise
    return made_room(full, name, work)  # outside of `except`: the error's traceback holds what the work had made so far


def made_room(full: Full, name: str, work: Callable[[], Result]) -> Result:
    """Do work that met full memory once more, after every value is given up that is not computed with.

    Raises:
        InputError: it does not fit even then.
    """
    full.give_up()
    empty(full.device)
    try:
        return work()
    except (RuntimeError, MemoryError) as error:
        if not is_full(error):
            raise
    raise InputError(_refusal(full, name))


def empty(device: torch.device) -> None:
    """Hand memory that nothing lies in back to the device: torch keeps it, in pieces that may be too small."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def _refusal(full: Full, name: str) -> str:
    shape, dtype = full.shape(name), full.dtype(name)
    size = f"{math.prod(shape) * dtype.itemsize / 2**20:,.3g} MiB"
    return (
        f"memory of {full.device} is full at {name}, {write_shape(shape)} in {str(dtype).removeprefix('torch.')}, which takes {size}, though "
        "all else was given up; give --memory SIZE (what is larger than a quarter of it is read in rows), "
        "--dtype bfloat16 or a shorter text"
    )
