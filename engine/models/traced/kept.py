"""The values of a passage as they were when they were made, whatever was written into their memory afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

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

    def put(self, name: str, tensor: torch.Tensor) -> None:
        """Keep a value; its memory is shared until it is written to."""
        held = tensor.detach()
        self._values[name] = held
        self._sharing.setdefault(address_of(held), []).append(name)

    def before_write(self, tensor: torch.Tensor) -> None:
        """Copy what shares a tensor's memory, which is about to be written to."""
        for name in self._sharing.pop(address_of(tensor), ()):
            self._values[name] = self._values[name].clone()
