"""What went between the pretend device and the host, and how much was done there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that makes the host wait for the device.

    Attributes:
        operation: as torch calls it: `aten.nonzero.default`.
        nbytes: how many were brought to the host by it; 0 of what waits for a size, and of what was brought from the host.
    """

    operation: str
    nbytes: int = 0


@dataclass(slots=True)
class Ledger:
    """What happened while it was open, on whichever thread.

    Attributes:
        operations: how often each operation was computed on the device.
        waits: what made the host wait, in order.
    """

    operations: Counter[str] = field(default_factory=Counter[str])
    waits: list[Entry] = field(default_factory=list[Entry])

    @property
    def bytes(self) -> int:
        """How many were brought to the host."""
        return sum(entry.nbytes for entry in self.waits)

    @property
    def done(self) -> int:
        """How many operations were computed there."""
        return self.operations.total()


LEDGER: list[Ledger] = []  # those that are open


def done(operation: str) -> None:
    """An operation was computed on the device."""
    for each in LEDGER:
        each.operations[operation] += 1


def waited(operation: str, nbytes: int = 0) -> None:
    """The host waited, for so many bytes."""
    for each in LEDGER:
        each.waits.append(Entry(operation, nbytes))


@contextmanager
def ledger() -> Generator[Ledger]:
    """Counts inside the block."""
    opened = Ledger()
    LEDGER.append(opened)
    try:
        yield opened
    finally:
        LEDGER[:] = [each for each in LEDGER if each is not opened]
