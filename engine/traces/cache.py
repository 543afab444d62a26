"""Values that runs keep, within one budget; what is evicted leaves its memory to the next value of the same shape."""

from __future__ import annotations

import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import count

import torch

from .arena import Arena, give_back, one_value
from .lifetimes import Lifetimes, thinned
from .long_work import LongWork

BufferKey = tuple[tuple[int, ...], torch.dtype, torch.device]
CacheKey = tuple[int, str]  # the number of a cache, and the name of a stage

# How much of the budget is for memory of evicted values that lies idle; the rest is for values.
IDLE_SHARE = 0.125
# After twice the budget was evicted, and so many bytes at least and at most, what is free goes back to the system: about once a
# layer of a long text or of a large batch.
EVICTED = 256 << 20, 1 << 30


def reuses(device: torch.device) -> bool:
    """Whether the memory of an evicted value is kept for the next one, which saves the page faults of new memory.

    On a GPU torch keeps it itself, without faults, and a call that is given memory costs more than one that is not.
    """
    return device.type == "cpu"


class MemoryPool:
    """What the caches of a run and of its forks have in common: the budget, who was used last, memory that lies idle.

    It holds no tensor but idle ones: a cache that is let go takes its own along at once, and is struck off here before the
    next thing happens, since whoever lets it go may be another thread.

    Several names may share one storage (heads are a view of the query), in one cache or across them; its bytes count once,
    and it is reused only when no name holds it any more. Tensors never leave the engine (`Value.tensor` copies), so reuse is safe.

    As long as all that is expected fits the budget nothing is counted: no value has to go, and values lie in an arena, side by side.

    Args:
        budget: bytes at most, idle ones included; None for no limit. What is needed for the computation at hand may exceed it.
        anchors: names to be kept longer than others, since whole layers can be computed again from them.
        device: where the values are; None for the CPU.

    Attributes:
        counting: whether values may have to go, so that it is counted where they lie and who was used last.
        long_work: what is being computed here on a thread of its own.
    """

    def __init__(
        self, budget: int | None = None, anchors: Collection[str] = (), device: torch.device | None = None
    ) -> None:
        self.budget = budget
        self.counting = False
        self.long_work = LongWork()
        self._expected = 0
        self._arena = Arena() if device is None or reuses(device) else None
        self.anchors = frozenset(anchors)
        self._foreign: set[int] = set()  # where memory lies that is somebody else's
        self.evictions = 0
        self._numbers = count()
        self._caches: weakref.WeakValueDictionary[int, Cache] = weakref.WeakValueDictionary()
        self._gone: deque[tuple[int, int]] = (
            deque()
        )  # caches that were let go: their numbers, and what was expected of them
        self._used: tuple[OrderedDict[CacheKey, None], ...] = (
            OrderedDict(),
            OrderedDict(),
        )  # the others, anchors; oldest first
        self._places: dict[int, dict[str, tuple[int, int]]] = {}  # of each cache: name -> storage and its bytes
        self._users: Counter[int] = Counter()
        self._held: Counter[CacheKey] = Counter()
        self._bytes = 0
        self._evicted = 0  # since free memory was last given back
        self._free: dict[BufferKey, list[torch.Tensor]] = {}
        self._free_bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of the values kept at the moment, by all caches."""
        if not self.counting:
            storages = [tensor.untyped_storage() for cache in self._caches.values() for tensor in cache.tensors()]
            return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
        self._strike_off()
        return self._bytes

    def enter(self, cache: Cache, expected: int) -> int:
        """Take in a cache of so many bytes at most, and begin to count if all of them might be too much; its number."""
        self._strike_off()
        number = next(self._numbers)
        self._caches[number], self._places[number] = cache, {}
        weakref.finalize(cache, self._gone.append, (number, expected)).atexit = False
        self._expected += expected
        if self.budget is not None and not self.counting and self._expected > self.budget * (1 - IDLE_SHARE):
            self._begin_to_count()
        return number

    def _begin_to_count(self) -> None:
        self.counting = True
        if self._arena is not None:
            self._arena.close()
        for cache in list(self._caches.values()):
            cache.count()

    def use(self, key: CacheKey) -> None:
        """Note that a value was used just now."""
        self._used[key[1] in self.anchors].move_to_end(key)

    @contextmanager
    def hold(self, keys: Iterable[CacheKey]) -> Generator[None]:
        """Evict none of these inside the block: their tensors are being computed with."""
        keys = tuple(keys)
        self._held.update(keys)
        try:
            yield
        finally:
            for key in keys:
                self._held[key] -= 1
                if not self._held[key]:
                    del self._held[key]

    def add(self, key: CacheKey, tensor: torch.Tensor, borrowed: bool) -> None:
        """Count a tensor in, and evict others until the budget is met; what is borrowed is never computed in."""
        self._strike_off()
        place, size = self._lies(tensor)
        if not self._users[place]:
            self._bytes += size
        self._users[place] += 1
        if borrowed:
            self._foreign.add(place)
        self._places[key[0]][key[1]] = (place, size)
        self._used[key[1] in self.anchors][key] = None
        if self.budget is not None and self._bytes > self.budget * (1 - IDLE_SHARE):
            before = self._bytes
            self._evict(key, self.budget * (1 - IDLE_SHARE))
            self._went(before - self._bytes)

    def _went(self, size: int) -> None:
        """So many bytes were evicted: now and then what lies free where they were is given back."""
        self._evicted += size
        if (
            self.budget is not None
            and self._evicted > sorted((2 * self.budget, *EVICTED))[1]
            and self._arena is not None
        ):
            self._evicted = 0
            give_back()

    def remove(self, key: CacheKey, tensor: torch.Tensor) -> None:
        """Count a tensor out; its memory is free once no other name shares it, unless it is somebody else's."""
        free = self._forget(key) and tensor.is_contiguous()
        if free and tensor.nbytes == tensor.untyped_storage().nbytes():
            self._keep_free(tensor)

    def buffer(
        self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, *, alone: bool = False
    ) -> torch.Tensor:
        """Memory for a result: what an evicted value of the same shape left, or new; `alone` for one that may go before those beside it."""
        if not self.counting and self._arena is not None:
            return self._arena.alone(shape, dtype) if alone else self._arena.empty(shape, dtype)
        idle = self._free.get((shape, dtype, device))
        if not idle:
            return torch.empty(shape, dtype=dtype, device=device) if self._arena is None else one_value(shape, dtype)
        self._free_bytes -= idle[-1].nbytes
        return idle.pop()

    def give_up(self) -> None:
        """Have every cache forget what is not held, and forget the memory that lies idle: there is no more to be had."""
        for cache in list(self._caches.values()):
            for name in [name for name in cache.names() if cache.key(name) not in self._held]:
                cache.drop(name)
                self.evictions += 1
        self._free.clear()
        self._free_bytes = 0
        if self._arena is not None:
            self._arena.give_up()

    def _lies(self, tensor: torch.Tensor) -> tuple[int, int]:
        """Where the memory of a tensor begins and how much it is: all of a piece of the arena, which goes only as a whole."""
        storage = tensor.untyped_storage()
        begin, size = storage.data_ptr(), storage.nbytes()
        return (self._arena.piece(begin) if self._arena is not None else None) or (begin, size)

    def _keep_free(self, tensor: torch.Tensor) -> None:
        """Leave the memory for another value, as long as what lies idle stays small beside the budget."""
        if self._arena is None or self._arena.piece(tensor.untyped_storage().data_ptr()) is not None:
            return
        if self.budget is not None and self._free_bytes + tensor.nbytes > self.budget * IDLE_SHARE:
            return
        self._free.setdefault((tuple(tensor.shape), tensor.dtype, tensor.device), []).append(tensor)
        self._free_bytes += tensor.nbytes

    def _forget(self, key: CacheKey) -> bool:
        """Strike a name off; whether that leaves memory free: no other name holds it, and it is nobody else's."""
        number, name = key
        place, size = self._places[number].pop(name)
        del self._used[name in self.anchors][key]
        self._users[place] -= 1
        if self._users[place]:
            return False
        del self._users[place]
        self._bytes -= size
        ours = place not in self._foreign
        self._foreign.discard(place)
        return ours

    def _strike_off(self) -> None:
        """Count out what caches held that are gone by now, tensors and all."""
        while self._gone:
            number, expected = self._gone.popleft()
            self._expected -= expected
            for name in list(self._places[number]):
                self._forget((number, name))
            del self._places[number]

    def _evict(self, newest: CacheKey, most: float) -> None:
        """Drop values until no more than that is kept, or only what is held is left."""
        for key in self._dispensable(newest):
            if self._bytes <= most:
                return
            cache = self._caches.get(key[0])
            if cache is None:  # let go on another thread a moment ago
                self._strike_off()
            elif key[1] in cache and key not in self._held and key != newest:
                cache.drop(key[1])
                self.evictions += 1

    def _dispensable(self, newest: CacheKey) -> Iterator[CacheKey]:
        """What to drop first: what was used longest ago, then anchors here and there, at last what the rest of the layer is made of."""
        others, anchors = (tuple(used) for used in self._used)
        yield from (key for key in others if not self._wanted(key, newest))
        spare = [key for key in anchors if not self._wanted(key, newest)]
        spare.sort(key=lambda key: self._place(key))
        yield from (spare[at] for at in thinned([self._place(key) for key in spare]))
        yield from (*others, *anchors)

    def _wanted(self, key: CacheKey, newest: CacheKey) -> bool:
        """Whether a value is needed to go on from the newest one to the end of its layer."""
        lifetimes = self._lifetimes(key)
        return lifetimes is not None and lifetimes.wanted(key[1], lifetimes.place(newest[1]))

    def _place(self, key: CacheKey) -> int:
        lifetimes = self._lifetimes(key)
        return 0 if lifetimes is None else lifetimes.place(key[1])

    def _lifetimes(self, key: CacheKey) -> Lifetimes | None:
        cache = self._caches.get(key[0])
        return None if cache is None else cache.lifetimes


class Cache:
    """The tensors of one run by stage name.

    Args:
        pool: what it shares with the caches of forks.
        borrowed: names whose memory is somebody else's: a weight's, say.
        given: tensors from outside, whose memory is borrowed whatever lies in it is called.
        expected: bytes that all of its values take at most.
        lifetimes: how long each is wanted; None where nobody knows, and what was used longest ago goes first.
    """

    def __init__(
        self,
        pool: MemoryPool,
        borrowed: Collection[str] = (),
        given: Iterable[torch.Tensor] = (),
        expected: int = 0,
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self.pool, self._borrowed, self.lifetimes = pool, frozenset(borrowed), lifetimes
        self._given = tuple(given)
        self._tensors: dict[str, torch.Tensor] = {}
        self._number = pool.enter(self, expected)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def key(self, name: str) -> CacheKey:
        """What a stage's value here is called in the pool."""
        return self._number, name

    def get(self, name: str) -> torch.Tensor | None:
        """The tensor kept under a name, now the one used last; None when there is none."""
        tensor = self._tensors.get(name)
        if tensor is not None and self.pool.counting:
            self.pool.use((self._number, name))
        return tensor

    def put(self, name: str, tensor: torch.Tensor) -> None:
        """Keep a tensor; others are evicted until the budget is met."""
        if not self.pool.counting:
            self._tensors[name] = tensor
            return
        self.drop(name)
        self._tensors[name] = tensor
        self._add(name, tensor)

    def count(self) -> None:
        """Have the pool count what is kept here, from now on."""
        for name, tensor in list(self._tensors.items()):
            if name in self._tensors:  # counting another one may have evicted it
                self._add(name, tensor)

    def _add(self, name: str, tensor: torch.Tensor) -> None:
        borrowed = name in self._borrowed or tensor.untyped_storage().data_ptr() in self._foreign
        self.pool.add((self._number, name), tensor, borrowed)

    @cached_property
    def _foreign(self) -> frozenset[int]:
        """Where memory lies that was given from outside."""
        return frozenset(tensor.untyped_storage().data_ptr() for tensor in self._given)

    def drop(self, name: str) -> None:
        """Forget a name."""
        tensor = self._tensors.pop(name, None)
        if tensor is not None and self.pool.counting:
            self.pool.remove((self._number, name), tensor)

    def clear(self) -> None:
        """Forget every name; the memory stays for whoever computes the same shapes next."""
        if not self.pool.counting:
            self._tensors.clear()
        for name in list(self._tensors):
            self.drop(name)

    def names(self) -> list[str]:
        """The stages whose values are kept."""
        return list(self._tensors)

    def tensors(self) -> list[torch.Tensor]:
        """Those values."""
        return list(self._tensors.values())
