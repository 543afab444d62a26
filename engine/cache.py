"""Values that a run keeps, within a budget; what is evicted leaves its memory to the next value of the same shape."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import torch

BufferKey = tuple[tuple[int, ...], torch.dtype, torch.device]

# How much memory of evicted values may lie idle, as a share of the budget.
IDLE_SHARE = 0.125


class Cache:
    """Tensors by stage name.

    Several names may share one storage (heads are a view of the query); its bytes count once, and it is reused only when
    no name holds it any more. Tensors never leave the engine (`Value.tensor` copies), so reuse is safe.

    Args:
        budget: bytes to be kept at most; None for no limit. What is needed for the computation at hand may exceed it.
        anchors: names to be kept longest, since whole layers can be computed again from them.
    """

    def __init__(self, budget: int | None = None, anchors: Collection[str] = ()) -> None:
        self.budget = budget
        self.anchors = frozenset(anchors)
        self.bytes = 0
        self.evictions = 0
        self._tensors: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._users: Counter[int] = Counter()
        self._held: Counter[str] = Counter()
        self._free: dict[BufferKey, list[torch.Tensor]] = {}
        self._free_bytes = 0

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def get(self, name: str) -> torch.Tensor | None:
        """The tensor kept under a name, now the one used last; None when there is none."""
        found = self._tensors.get(name)
        if found is not None:
            self._tensors.move_to_end(name)
        return found

    @contextmanager
    def hold(self, names: Iterable[str]) -> Iterator[None]:
        """Evict none of these names inside the block: their tensors are being computed with."""
        names = tuple(names)
        self._held.update(names)
        try:
            yield
        finally:
            self._held.subtract(names)

    def put(self, name: str, tensor: torch.Tensor) -> None:
        """Keep a tensor, and evict others until the budget is met."""
        if name in self._tensors:
            self.drop(name)
        self._tensors[name] = tensor
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        users = self._users.get(place, 0)
        if not users:
            self.bytes += storage.nbytes()
        self._users[place] = users + 1
        if self.budget is not None and self.bytes > self.budget:
            self._evict(name)

    def drop(self, name: str) -> None:
        """Forget a name; its memory is free once no other name shares it."""
        tensor = self._tensors.pop(name, None)
        if tensor is None:
            return
        storage = tensor.untyped_storage()
        place = storage.data_ptr()
        self._users[place] -= 1
        if not self._users[place]:
            del self._users[place]
            self.bytes -= storage.nbytes()
            if tensor.is_contiguous() and tensor.nbytes == storage.nbytes():
                self._keep_free(tensor)

    def clear(self) -> None:
        """Forget every name; the memory stays for whoever computes the same shapes next."""
        for name in list(self._tensors):
            self.drop(name)

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Memory for a result: what an evicted value of the same shape left, or new."""
        found = self._free.get((shape, dtype, device))
        if not found:
            return torch.empty(shape, dtype=dtype, device=device)
        self._free_bytes -= found[-1].nbytes
        return found.pop()

    def _keep_free(self, tensor: torch.Tensor) -> None:
        """Leave the memory for another value, as long as what lies idle stays small beside the budget."""
        if self.budget is not None and self._free_bytes + tensor.nbytes > self.budget * IDLE_SHARE:
            return
        self._free.setdefault((tuple(tensor.shape), tensor.dtype, tensor.device), []).append(tensor)
        self._free_bytes += tensor.nbytes

    def _evict(self, newest: str) -> None:
        """Drop what was used longest ago, anchors last, until the budget is met or only what is held is left."""
        assert self.budget is not None
        for spared in (self.anchors, frozenset[str]()):
            for name in list(self._tensors):
                if self.bytes <= self.budget:
                    return
                if name != newest and name not in spared and not self._held[name]:
                    self.drop(name)
                    self.evictions += 1
