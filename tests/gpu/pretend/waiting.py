"""What makes a host wait for a GPU: it asks for numbers, for how many there are, or copies from memory that is not pinned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .ledger import waited

aten: Any = torch.ops.aten
COPIES = {aten.copy_, aten._copy_from, aten._to_copy}
INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
# The sizes of their results, or the ways they go, are what numbers on the device say.
ASK = {
    aten.nonzero, aten.masked_select, aten.equal, aten._unique2, aten._unique, aten.unique_dim, aten.unique_consecutive,
    aten._linalg_svd, aten._linalg_eigh, aten.linalg_lstsq, aten.bincount, aten.repeat_interleave,
}  # fmt: skip


def note_waits(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
    """Write down whether a host would have waited for an operation, and how many bytes it was brought."""
    packet, name = func.overloadpacket, str(func)
    if packet is aten._local_scalar_dense:
        waited(name, args[0].itemsize)
    elif packet in COPIES:
        _note_copy(func, args, kwargs, result)
    elif packet in ASK or (packet in INDEXED and any(_asks(mark) for mark in args[1])):
        waited(name)


def _asks(mark: Any) -> bool:
    """Whether an index is a mask, whose ones are counted, or lies on the host."""
    return isinstance(mark, torch.Tensor) and (mark.dtype in (torch.bool, torch.uint8) or mark.device.type == "cpu")


def _note_copy(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> None:
    packet = func.overloadpacket
    if packet is aten._to_copy:
        source, target, quickly = args[0], result, kwargs.get("non_blocking", False)
    else:
        target, source = args[:2] if packet is aten.copy_ else (args[1], args[0])
        quickly = kwargs.get("non_blocking", args[2] if len(args) > 2 else False)
    from_host, to_host = source.device.type == "cpu", target.device.type == "cpu"
    if to_host and not from_host:
        waited(str(func), target.nbytes)
    elif from_host and not to_host and not quickly:
        waited(str(func))
