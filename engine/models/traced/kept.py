"""The values of a passage as they were when they were made, whatever was written into their memory afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from .graph import TorchCall
from .storages import address_of


class ValuesByName(Mapping[str, torch.Tensor]):
    """Values by name, in the order they were made."""

    def __init__(self) -> None:
        self._values: dict[str, torch.Tensor] = {}

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class KeptValues(ValuesByName):
    """All of them. None is copied before something is written into it."""

    def __init__(self) -> None:
        super().__init__()
        self._sharing: dict[int, list[str]] = {}  # by the address of the memory: whose numbers would change with it

    def put(self, name: str, tensor: torch.Tensor, call: TorchCall | None = None) -> None:
        """Keep a value; its memory is shared until it is written to."""
        held = tensor.detach()
        self._values[name] = held
        if address := address_of(held):
            self._sharing.setdefault(address, []).append(name)

    def before_write(self, tensor: torch.Tensor) -> None:
        """Copy a tensor's memory, which is about to be written to, and let what shares it share the copy, laid out as it was."""
        names = self._sharing.pop(address_of(tensor), ())
        memory = tensor.untyped_storage().clone() if names else None
        for name in names:
            self._values[name] = in_memory(self._values[name], memory)


def in_memory(value: torch.Tensor, memory: torch.UntypedStorage | None) -> torch.Tensor:
    """A tensor's numbers in a copy of its memory; apart where they are not simply those that stand there."""
    if memory is None or value.layout is not torch.strided or value.is_nested or value.is_conj() or value.is_neg():
        return value.clone()
    place = value.storage_offset(), value.size(), value.stride()
    return torch.empty(0, dtype=value.dtype, device=value.device).set_(memory, *place)
