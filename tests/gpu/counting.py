"""What goes between the device and the host: bytes that are copied, and calls that wait."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = "called a synchronizing CUDA operation"


class Copied(TorchDispatchMode):
    """Counts the bytes that are brought to the host, of whole tensors and of single numbers.

    Attributes:
        bytes, times: how many so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.times = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [each for each in args if isinstance(each, torch.Tensor)]
        if func is torch.ops.aten._local_scalar_dense.default:
            self._count(given[0].itemsize * (given[0].device.type != "cpu"))
        elif func is torch.ops.aten.copy_.default and len(given) == 2:
            self._crossed(given[1], given[0])
        elif func is torch.ops.aten._to_copy.default:
            self._crossed(given[0], result)
        return result

    def _crossed(self, source: torch.Tensor, target: torch.Tensor) -> None:
        if source.device.type != "cpu" and target.device.type == "cpu":
            self._count(target.nbytes)

    def _count(self, nbytes: int) -> None:
        self.bytes += nbytes
        self.times += bool(nbytes)


@contextmanager
def waits(device: torch.device) -> Generator[list[str]]:
    """Collects a word for each call that waits for the device; none where there is nothing to wait for."""
    told: list[str] = []
    if device.type == "pretend":
        from .pretend import ledger

        with ledger() as opened:
            yield told
        told += [entry.operation for entry in opened.waits]
        return
    if device.type != "cuda":
        yield told
        return
    torch.cuda.synchronize(device)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield told
        finally:
            torch.cuda.set_sync_debug_mode("default")
            told += [str(each.message) for each in caught if WAITS in str(each.message)]


def waiting_stages(run: Any) -> dict[str, int]:
    """Steps through all stages of a new run; how often each waited for the device, of those that did."""
    found: dict[str, int] = {}
    for position, stage in enumerate(run.program):
        with waits(run.device) as told:
            run.reach(position)
        if told:
            found[stage.name] = len(told)
    return found


def settle(device: torch.device) -> None:
    """Wait for all that is under way."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """The most memory that was allocated since `forget_peak`; 0 where nobody counts."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def forget_peak(device: torch.device) -> int:
    """Count anew from what is allocated now, which is returned."""
    if device.type != "cuda":
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)
