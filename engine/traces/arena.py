"""Memory for values that are computed once and kept: large pieces of it, in huge pages where Linux has them, used again and again.

New memory costs more than the arithmetic that fills it: at 512 tokens a passage of MiniLM touches 300 MiB, 75,000 pages of 4 KiB, each
of which is a fault. A huge page is one fault for 2 MiB, and memory that was there before is none.
"""

from __future__ import annotations

import bisect
import ctypes
import math
import mmap
import os
import weakref
from collections import defaultdict

import torch

HUGE_PAGES: int | None = getattr(mmap, "MADV_HUGEPAGE", None)  # where there are none, torch allocates everything
PIECE = 16 << 20  # as much is asked of the system at a time, or what one value takes where that is more
SMALL = 128 << 10  # less than this the allocator of C takes from what it has at hand
LARGE = 4 << 20  # from here on a value that lies alone has huge pages as well
RESERVE = 64 << 20  # as much stays for the next run when nobody has the last one any more
PAGE = 4096
APART = 64  # bytes: tensors of torch's own begin at multiples of it

# glibc's: what C's allocator has free goes back to the system. None where there is another library of C.
_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None

Idle = defaultdict[int, list[mmap.mmap]]  # pieces by size

_reserve: Idle = defaultdict(list)


def one_value(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Memory of the processor for one value, which goes back to the system with it; as `torch.empty`, in huge pages if it is large."""
    count = math.prod(shape)
    size = count * dtype.itemsize
    if size < LARGE or HUGE_PAGES is None:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(_mapped(_whole_pages(size)), dtype=dtype, count=count).view(shape)


def give_back() -> None:
    """Give memory back to the system that C's allocator holds free.

    What a kernel takes for a moment, and values below `LARGE`, lie in its heaps, of which each thread has its own; between what stays
    there, free pieces of another size are left over, and more of them with every layer.
    """
    if _TRIM is not None:
        _TRIM(0)


class Arena:
    """Where values of one run and its forks lie, side by side. A piece is used again once no value lies in it."""

    def __init__(self) -> None:
        self._idle: Idle = defaultdict(list)
        self._piece: memoryview | None = None
        self._next = self._last = 0  # in that piece, and where it begins
        self._begins: list[int] = []  # where the pieces begin that several values share, in order
        self._handed_out: dict[int, int] = {}  # bytes of each, by where it begins
        self._closed = False
        weakref.finalize(self, _keep_in_reserve, self._idle).atexit = False

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Memory of the processor for a value of this shape, with nothing in it yet, as `torch.empty`."""
        count = math.prod(shape)
        size = count * dtype.itemsize
        if size < SMALL or HUGE_PAGES is None:
            return torch.empty(shape, dtype=dtype)
        if size > PIECE:
            return self.alone(shape, dtype)
        if self._piece is None or self._next + size > PIECE:
            self._piece, self._next = self._lease(PIECE), 0
        begin, self._next = self._next, self._next + -(-size // APART) * APART
        self._handed_out[self._last] = self._next
        return torch.frombuffer(self._piece, dtype=dtype, count=count, offset=begin).view(shape)

    def alone(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """As `empty`, with no other value beside it: its memory is there for the next one as soon as nobody holds it any more."""
        count = math.prod(shape)
        if HUGE_PAGES is None:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(self._lease(_whole_pages(count * dtype.itemsize)), dtype=dtype, count=count).view(shape)

    def piece(self, address: int) -> tuple[int, int] | None:
        """Where the piece begins that an address lies in, and its bytes in use; None where it lies in none that several values share."""
        before = bisect.bisect_right(self._begins, address)
        if not before or address >= self._begins[before - 1] + PIECE:
            return None
        begin = self._begins[before - 1]
        return begin, self._handed_out.get(begin, PIECE)

    def give_up(self) -> None:
        """Give what is idle back to the system."""
        self._piece = None
        self._idle.clear()
        _reserve.clear()

    def close(self) -> None:
        """Give what is idle back to the system, now and whenever something becomes idle."""
        self._closed = True
        self.give_up()

    def _lease(self, size: int) -> memoryview:
        """A piece that comes back by itself, once no tensor holds it."""
        piece = _taken(self._idle, size) or _taken(_reserve, size) or _mapped(size)
        lease = memoryview(piece)
        begin = torch.frombuffer(piece, dtype=torch.uint8, count=1).data_ptr()
        if size == PIECE:
            bisect.insort(self._begins, begin)
            self._last = begin
        weakref.finalize(lease, _come_back, weakref.ref(self), piece, begin).atexit = False
        return lease

    def _take_back(self, piece: mmap.mmap, begin: int) -> None:
        if len(piece) == PIECE:
            self._begins.remove(begin)
            del self._handed_out[begin]
        if not self._closed:
            self._idle[len(piece)].append(piece)


def _whole_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _mapped(size: int) -> mmap.mmap:
    assert HUGE_PAGES is not None
    piece = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    piece.madvise(HUGE_PAGES)
    return piece


def _taken(idle: Idle, size: int) -> mmap.mmap | None:
    try:
        return idle[size].pop()
    except IndexError:
        return None


def _come_back(arena: weakref.ref[Arena], piece: mmap.mmap, begin: int) -> None:
    """A piece that nobody uses: to its arena, or to whoever is next. On whatever thread the last tensor went."""
    there = arena()
    if there is not None:
        there._take_back(piece, begin)  # pyright: ignore[reportPrivateUsage]
    else:
        _keep_in_reserve({len(piece): [piece]})


def _keep_in_reserve(idle: dict[int, list[mmap.mmap]]) -> None:
    left = RESERVE - sum(size * len(pieces) for size, pieces in list(_reserve.items()))
    for size, pieces in list(idle.items()):
        while pieces and size <= left:
            _reserve[size].append(pieces.pop())
            left -= size
