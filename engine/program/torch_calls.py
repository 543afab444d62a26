"""Functions of torch whose stubs leave types unsaid, with the types that they have."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Here alone: what torch does not say of these is said below, and everyone else asks for them here.

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

if TYPE_CHECKING:
    import torch  # a recording opens without it
    from torch import nn


def from_numpy(array: npt.NDArray[Any]) -> torch.Tensor:
    """A tensor that shares the array's memory."""
    import torch

    return torch.from_numpy(array)


def row_norms(rows: torch.Tensor, order: int = 2, dtype: torch.dtype | None = None) -> torch.Tensor:
    """`torch.linalg.vector_norm` over the last axis: of order 1 a sum of magnitudes, of order 2 the root of a sum of squares."""
    import torch

    return torch.linalg.vector_norm(rows, order, -1, dtype=dtype)


def entropies(weights: torch.Tensor) -> torch.Tensor:
    """`torch.special.entr`: −w ln w of each number."""
    import torch

    return torch.special.entr(weights)


@contextmanager
def without_fast_path() -> Generator[None]:
    """torch's own encoders step by step: their fast path is one operation a layer, of which nothing inside is seen."""
    import torch

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def named_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """`torch.nn.Module.named_modules`: a module under the name "", then all within it by theirs."""
    return module.named_modules()
