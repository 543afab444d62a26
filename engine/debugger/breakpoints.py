"""Where to stop: a breakpoint, and what it may ask of a stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..program.element import Place
from ..program.stage import Stage
from ..program.trace import Trace


class Condition(Protocol):
    """A predicate of a stage's value."""

    @property
    def text(self) -> str:
        """As typed."""
        ...

    def holds(self, trace: Trace, stage: Stage) -> str:
        """What made it true, for people (`nan = 3`); "" when it does not hold."""
        ...

    def place(self, trace: Trace, stage: Stage) -> Place:
        """Where it holds, the element or the row it speaks of; () where it speaks of none."""
        ...


class Watched(Protocol):
    """An expression looked at after every stage."""

    @property
    def text(self) -> str:
        """As typed."""
        ...

    @property
    def made(self) -> str:
        """The one stage where its value comes to be, for good; "" where every stage has a value of its own."""
        ...

    def value(self, trace: Trace, stage: Stage) -> float | bool | None:
        """Its value once that stage has run; None where it has none."""
        ...


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where to stop: at stages, where a condition holds, or where what is watched changes.

    Attributes:
        number: as `info` lists it and `delete` takes it.
        pattern: a stage or glob as typed; stages: what it means in this program.
        condition: stops only where this holds; None always.
        watch: stops only where this changes; None for a breakpoint.
        temporary: gone after its first stop.
        enabled: whether it stops at all.
        ignore: how many more times it lets pass.
        hits: how often it stopped.
    """

    number: int
    pattern: str
    stages: frozenset[str]
    condition: Condition | None = None
    watch: Watched | None = None
    temporary: bool = False
    enabled: bool = True
    ignore: int = 0
    hits: int = 0

    def __str__(self) -> str:
        if self.watch is not None:
            return f"watch {self.watch.text}"
        return f"{self.pattern} if {self.condition.text}" if self.condition else self.pattern


def written(value: float | bool) -> str:
    """A watched value for people: `true`, `2.20034`."""
    return str(value).lower() if isinstance(value, bool) else f"{value:.6g}"
