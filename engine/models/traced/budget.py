"""The values of a passage within a budget: the largest go first, and leave behind what their numbers were like, and a corner of them.

Nothing is copied while the module computes, but what is about to be written to; nothing is brought from a device before `settle`. What others
give again to the last bit is not held (`again`).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import torch

from .again import CameOutOtherwiseError
from .figures import FiguresOnDevice, figures_on_device
from .graph import TorchCall
from .kept import ValuesByName, in_memory
from .spared import SparedValues
from .storages import address_of, has_storage, held_by_others, version

CORNER = 1 << 14  # numbers of a value that was given up which are kept at most
CORNERS = 8  # of the budget, the share that all of those may take


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a value that was given up.

    Attributes:
        figures: what its numbers were like.
        corner: the first of them along each axis; None where there was no room for any.
    """

    figures: FiguresOnDevice
    corner: torch.Tensor | None


def remains_of(tensor: torch.Tensor, room: int) -> Remains:
    """What is to be left of a value.

    Args:
        room: bytes that a corner may take. It is far smaller than the value, or none.
    """
    figures = figures_on_device(tensor)
    most = min(CORNER, tensor.numel() // 16, room // tensor.element_size())
    if figures.numbers is None or most < 1:
        return Remains(figures, None)
    sizes = list(tensor.shape)
    while math.prod(sizes) > most:
        longest = sizes.index(max(sizes))
        sizes[longest] = (sizes[longest] + 1) // 2
    return Remains(figures, tensor[tuple(slice(size) for size in sizes)].clone())


@dataclass(slots=True)
class Shared:
    """Memory that values share.

    Attributes:
        names: of the values.
        size: in bytes, as far as it is there for the recording's sake.
    """

    names: list[str] = field(default_factory=list[str])
    size: int = 0


class KeptWithin(ValuesByName):
    """Values within a budget; each is as it was when it was made.

    Args:
        budget: how many bytes are held at most; the largest values are given up for it.
        others: tensors whose memory is there anyway, and may be written to when the passage is over: weights and inputs.

    Attributes:
        left_out: of each value that was given up, what is left of it.
        never: names of values that have no storage, and whose numbers could not be kept.
        spared: values that are not held, and are computed from others when they are read.
        size: bytes that are held.
    """

    def __init__(self, budget: int, others: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self.budget, self.size = budget, 0
        self.left_out: dict[str, Remains] = {}
        self.never: set[str] = set()
        self.spared = SparedValues(self._values)
        self._room = budget // CORNERS
        self.rewritten: set[int] = set()  # by address: memory of others that was written to in the passage
        self._others = {address_of(tensor) for tensor in others} - {0}
        self._versions: dict[str, int] = {}
        self._shared: dict[int, Shared] = {}
        self._largest: list[tuple[int, int]] = []  # a heap of (-bytes, address)

    # -- while the module computes ----------------------------------------------------------------------------------

    def put(self, name: str, tensor: torch.Tensor, call: TorchCall | None = None) -> None:
        """Keep a value; its memory is shared until it is written to."""
        if not has_storage(tensor):
            self.never.add(name)
            return
        place = address_of(tensor)
        apart = place not in self._shared and place not in self._others
        if self.spared.take(name, tensor, call if apart else None):
            return
        self._hold(name, tensor.detach())
        while self.size > self.budget and self._largest:
            self._give_up(heapq.heappop(self._largest))

    def _hold(self, name: str, held: torch.Tensor) -> None:
        self._values[name] = held
        place = address_of(held)
        shared = self._shared.setdefault(place, Shared())
        own = place not in self._others
        if not own or not shared.names:
            self._grow(place, shared, _bytes(held) if own else held.numel() * held.element_size())
        shared.names.append(name)

    def before_write(self, tensor: torch.Tensor) -> None:
        """Copy what shares a tensor's memory, which is about to be written to."""
        place = address_of(tensor)
        if place in self._others:
            self.rewritten.add(place)
        self.spared.before_write(place)
        shared = self._shared.pop(place, None)
        if shared is None:
            return
        self.size -= shared.size
        for name in shared.names:
            self._copy(name)

    def _copy(self, name: str) -> None:
        copied = self._values[name] = self._values[name].clone()
        self._grow(address_of(copied), self._shared.setdefault(address_of(copied), Shared([name])), _bytes(copied))

    def _grow(self, place: int, shared: Shared, size: int) -> None:
        shared.size += size
        self.size += size
        heapq.heappush(self._largest, (-shared.size, place))

    def _give_up(self, entry: tuple[int, int]) -> None:
        size, place = entry
        shared = self._shared.get(place)
        if shared is None or shared.size != -size:  # gone, or grown since
            return
        for user in [user for name in shared.names for user in self.spared.users(name)]:
            self._hold_after_all(user)
        del self._shared[place]
        self.size -= shared.size
        for name in shared.names:
            remains = self.left_out[name] = remains_of(self._values.pop(name), self._room)
            if remains.corner is not None:
                self._room -= remains.corner.nbytes
                self.size += remains.corner.nbytes

    def _hold_after_all(self, name: str) -> None:
        """Hold a value that is computed from one which is given up."""
        if name not in self.spared.by_name:  # a view of one that came before
            return
        with suppress(CameOutOtherwiseError):
            computed = self.spared.computed(name)
            layouts = {view: self.spared.by_name[view].layout for view in self.spared.let_go(name)}
            self._hold(name, computed)
            for view, layout in layouts.items():
                self._hold(view, layout.within(computed.untyped_storage()))

    # -- when it has computed ----------------------------------------------------------------------------------------

    def settle(self, results: Iterable[torch.Tensor]) -> None:
        """Copy what others hold as well, who may write to it, and bring the rest from its device, once for all.

        Args:
            results: what the module gave back.
        """
        theirs = self._others | {address_of(tensor) for tensor in results}
        needed = self.spared.parts()
        with torch.no_grad():
            for place, shared in self._shared.items():
                if place not in theirs and not needed.isdisjoint(shared.names):
                    self._values.update(_apart({name: self._values[name] for name in shared.names}))
                elif place in theirs or len(shared.names) == 1:
                    self._values.update((name, _own(self._values[name], place in theirs)) for name in shared.names)
                else:
                    self._values.update(_brought({name: self._values[name] for name in shared.names}))
        self._versions = {name: version(held) for name, held in self._values.items()}
        self._shared.clear()
        self._largest.clear()

    def is_as_it_was(self, name: str) -> bool:
        """Whether nobody has written into a value's memory since: a module may have kept the tensor, too.

        What others are computed from lies in memory of its own.
        """
        if name in self.spared.by_name:
            return not self.spared.is_lost(name)
        return version(self._values[name]) == self._versions[name]

    # -- all of them, held or not ------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> torch.Tensor:
        """A value; computed, where it is not held.

        Raises:
            CameOutOtherwiseError: it is not what it was then.
        """
        return self.spared.computed(name) if name in self.spared.by_name else super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self.spared.by_name

    def __iter__(self) -> Iterator[str]:
        yield from self._values
        yield from self.spared.by_name

    def __len__(self) -> int:
        return len(self._values) + len(self.spared.by_name)


def _own(held: torch.Tensor, theirs: bool) -> torch.Tensor:
    """A value on the CPU, copied if it is there and others hold it as well."""
    if held.device.type in ("cpu", "meta"):
        return held.clone() if theirs else held
    return held.cpu()


def _apart(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Values on the CPU that share their memory, which is copied if others hold it as well."""
    if not held_by_others(held.values()):
        return held
    memory = next(iter(held.values())).untyped_storage().clone()
    return {name: in_memory(tensor, memory) for name, tensor in held.items()}


def _brought(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Values that share their memory, on the CPU, where they share it as well."""
    first = next(iter(held.values()))
    if first.device.type in ("cpu", "meta"):
        return held
    if first.layout is not torch.strided or len({tensor.dtype for tensor in held.values()}) > 1:
        return {name: tensor.cpu() for name, tensor in held.items()}
    numbers = first.untyped_storage().nbytes() // first.element_size()
    whole = torch.as_strided(first, (numbers,), (1,), 0).cpu()
    return {
        name: torch.as_strided(whole, tensor.shape, tensor.stride(), tensor.storage_offset())
        for name, tensor in held.items()
    }


def _bytes(tensor: torch.Tensor) -> int:
    try:
        return tensor.untyped_storage().nbytes()
    except (NotImplementedError, RuntimeError):
        return tensor.numel() * tensor.element_size()
