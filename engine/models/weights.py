"""The weights of a program, on the device and in the dtype to compute with."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Protocol

import torch


class Stored(Protocol):
    """Whatever has weights by name."""

    def weight(self, name: str) -> torch.Tensor:
        """A weight as it is stored."""
        ...


class Weights(Mapping[str, torch.Tensor]):
    """The weights of a program on one device and in one dtype, each brought there when it is first used.

    Args:
        wide: names of those that are brought to float32 instead.
    """

    def __init__(
        self,
        source: Stored,
        names: Iterable[str],
        device: torch.device,
        dtype: torch.dtype,
        wide: Container[str] = (),
    ) -> None:
        self._source, self._names = source, tuple(names)
        self._device, self._dtype, self._wide = device, dtype, wide
        self._ready: dict[str, torch.Tensor] = {}

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = self._ready.get(name)
        if tensor is None:
            dtype = torch.float32 if name in self._wide else self._dtype
            tensor = self._source.weight(name).to(device=self._device, dtype=dtype)
            self._ready[name] = tensor
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
