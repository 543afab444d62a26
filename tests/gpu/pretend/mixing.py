"""Which operations a GPU does with a tensor of the host among its own; the words it refuses the others in are torch's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

aten: Any = torch.ops.aten


class NotOnOneDevice(RuntimeError):
    """What torch raises as a plain RuntimeError; a name of its own, so that a test can tell it from others."""


# The host's tensors go in: they are copied. In `INDEXED` only the places may lie on the host, never what is indexed.
COPIES = {aten.copy_, aten._copy_from, aten._to_copy, aten._copy_from_and_resize, aten.set_}
INDEXED = {
    aten.index,
    aten.index_put,
    aten.index_put_,
    aten._index_put_impl_,
    aten._unsafe_index,
    aten._unsafe_index_put,
}
# One number on the host is given to a kernel as a number: by every elementwise one, which torch marks, and by these.
TAKE_NUMBERS = {
    aten.masked_fill,
    aten.masked_fill_,
    aten.fill_,
    aten.where,
    aten.index_fill,
    aten.index_fill_,
    aten.full_like,
}


def refuse_mixed(func: Any, args: Sequence[Any], flat: Iterable[Any], here: torch.device) -> None:
    """Raise what a GPU raises where it can't compute with a tensor that lies on the host.

    Args:
        func: the operation.
        args: as given, which says what is first.
        flat: all that is given to it, with what lists hold.
        here: the device.
    """
    packet = func.overloadpacket
    if packet in COPIES:
        return
    tensors = [each for each in flat if isinstance(each, torch.Tensor) and each.device.type != "meta"]
    hosts = [each for each in tensors if each.device.type == "cpu"]
    if not hosts or len(hosts) == len(tensors):
        return
    if packet in INDEXED:
        values = args[2] if len(args) > 2 else None
        wrong = args[0].device.type == "cpu" or (
            isinstance(values, torch.Tensor) and values.device.type == "cpu" and values.ndim > 0
        )
    else:
        numbers = torch.Tag.pointwise in func.tags or packet in TAKE_NUMBERS
        wrong = _writes_to_host(func, args, here) or not numbers or any(each.ndim for each in hosts)
    if wrong:
        raise NotOnOneDevice(
            f"Expected all tensors to be on the same device, but found at least two devices, {here} and cpu! (in {func})"
        )


def _writes_to_host(func: Any, args: Sequence[Any], here: torch.device) -> bool:
    for given, argument in zip(args, func._schema.arguments, strict=False):
        writes = argument.alias_info is not None and argument.alias_info.is_write
        if writes and isinstance(given, torch.Tensor) and given.device.type == "cpu":
            return True
    return False
