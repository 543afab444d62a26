"""Which name stands for a tensor at the moment, where tensors are views of one memory and are written to in place.

A program assigns every name once. So a write gives a new name, and whatever else looks at the same memory is read anew from that
when it is used next: `x[:, 0] = 1` makes of x a value with another name, and of every view of x taken before a view of that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.weak import WeakIdKeyDictionary

NO_STORAGE = "it has no memory of its own: it is sparse, or stands for others inside torch.vmap or torch.func"


@dataclass(slots=True)
class Memory:
    """One storage: how often it was written to, and the value that now fills it.

    Attributes:
        held: keeps its address from being given to another, though not its numbers from being freed; None of a tensor without storage.
        version: how often it was written to.
        whole: a value that fills it from the first number to the last, in order; "" where none does.
        kind: the shape and dtype of that.
    """

    held: StorageWeakRef | None
    version: int = 0
    whole: str = ""
    kind: tuple[tuple[int, ...], torch.dtype] = ((), torch.float32)

    def fill(self, name: str, tensor: torch.Tensor) -> None:
        """Let a value fill it from now on."""
        self.whole, self.kind = name, (tuple(tensor.shape), tensor.dtype)


@dataclass(frozen=True, slots=True)
class Known:
    """A tensor's name, its memory when it got it, and how often that had been written to.

    Attributes:
        memory: its address: `x.data = y` gives a tensor another one.
    """

    name: str
    version: int
    memory: int


class Emit(Protocol):
    """Adds a call for a tensor that is at hand, and says its name."""

    def __call__(self, target: str, arguments: tuple[object, ...], result: torch.Tensor) -> str: ...


class Storages:
    """The names of tensors that are alive.

    Args:
        emit: makes a call of what has to be said of a memory that was written to.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._known = WeakIdKeyDictionary()  # a tensor -> Known; it lives no longer for being known
        self._memories: dict[int, Memory] = {}  # by the address of the storage
        self._alone = WeakIdKeyDictionary()  # a tensor without storage, known by identity alone -> Memory

    def give_name(self, tensor: torch.Tensor, name: str) -> None:
        """Give a tensor a name, and its memory, if it fills that and nothing did."""
        address = address_of(tensor)
        memory = self._memory(tensor, address)
        if not memory.whole and fills(tensor):
            memory.fill(name, tensor)
        self._known[tensor] = Known(name, memory.version, address)

    def name(self, tensor: torch.Tensor) -> str | None:
        """What a tensor is called now; None where nothing is known of it.

        One whose memory was written to since it was named is read anew, and so is one that looks at a memory which is known (`x.data`).
        """
        known = cast("Known | None", self._known.get(tensor))  # pyright: ignore[reportUnknownMemberType] # a dict without types
        address = address_of(tensor)
        memory = self._memory(tensor, address)
        if known is not None and (known.version, known.memory) == (memory.version, address):
            return known.name
        if not memory.whole:
            return None
        as_it_is = fills(tensor) and (tuple(tensor.shape), tensor.dtype) == memory.kind
        name = memory.whole if as_it_is else self._read_anew(tensor, memory)
        self._known[tensor] = Known(name, memory.version, address)
        return name

    def write(self, tensor: torch.Tensor, name: str) -> None:
        """Say that a tensor was written to, and is now that value."""
        address = address_of(tensor)
        memory = self._memory(tensor, address)
        before, memory.version = memory.whole, memory.version + 1
        if fills(tensor):
            memory.fill(name, tensor)
        elif before:
            whole = _flat(tensor)
            place = [list(tensor.shape), list(tensor.stride()), tensor.storage_offset()]
            memory.fill(self._emit("encoder_tui.written_into", (before, name, *place), whole), whole)
        else:
            memory.whole = ""
        self._known[tensor] = Known(name, memory.version, address)

    def _read_anew(self, tensor: torch.Tensor, memory: Memory) -> str:
        place = [list(tensor.shape), list(tensor.stride()), tensor.storage_offset()]
        return self._emit("encoder_tui.read_from", (memory.whole, *place), tensor)

    def _memory(self, tensor: torch.Tensor, address: int) -> Memory:
        if not address:
            return cast(Memory, self._alone.setdefault(tensor, Memory(None)))  # pyright: ignore[reportUnknownMemberType] # a dict without types
        if address not in self._memories:
            self._memories[address] = Memory(StorageWeakRef(tensor.untyped_storage()))
        return self._memories[address]


def address_of(tensor: torch.Tensor) -> int:
    """The address of a tensor's storage itself, which is its own even where it holds no numbers; 0 where there is none."""
    return tensor.untyped_storage()._cdata if has_storage(tensor) else 0  # pyright: ignore[reportPrivateUsage]


def held_by_others(tensors: Collection[torch.Tensor]) -> bool:
    """Whether anybody but these tensors, which share a memory, holds it; True where torch does not tell."""
    count = getattr(torch._C, "_storage_Use_Count", None)  # pyright: ignore[reportPrivateUsage]
    if count is None:
        return True
    nobody_else = torch.empty(1, device="cpu")
    return count(address_of(next(iter(tensors)))) - count(address_of(nobody_else)) != len(tensors) - 1


def is_wrapped(tensor: torch.Tensor) -> bool:
    """Whether it stands for numbers that torch.vmap or torch.func holds elsewhere."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))  # pyright: ignore


def has_storage(tensor: torch.Tensor) -> bool:
    """Whether a tensor has a storage: those have none that are sparse, or stand for others inside torch.vmap and torch.func."""
    return torch._C._has_storage(tensor)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownVariableType, reportAttributeAccessIssue]


def share_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether what is written into one tensor is written into another."""
    return one is other or address_of(one) == address_of(other) != 0


def version(tensor: torch.Tensor) -> int:
    """How often a tensor's memory was written to; 0 where torch does not count it, in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def fills(tensor: torch.Tensor) -> bool:
    """Whether a tensor is all of its memory, in order."""
    if tensor.is_nested or not has_storage(tensor):
        return False
    return tensor.is_contiguous() and tensor.nbytes == tensor.untyped_storage().nbytes()


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape of a tensor; () of a nested one, which has none."""
    return () if tensor.is_nested else tuple(tensor.shape)


def is_same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same numbers in the same memory, laid out alike."""
    return one is other or (
        one.layout is other.layout is torch.strided
        and not (one.is_nested or other.is_nested)
        and has_storage(one)
        and has_storage(other)
        and one.data_ptr() == other.data_ptr() != 0
        and (one.shape, one.stride(), one.dtype) == (other.shape, other.stride(), other.dtype)
        and (one.is_conj(), one.is_neg()) == (other.is_conj(), other.is_neg())  # the memory is that of its conjugate
        and one.numel() > 0
    )


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    return torch.as_strided(tensor.detach(), (size,), (1,), 0)
