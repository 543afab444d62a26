"""Where two traces are first apart, and how far they are up to there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ...program.trace import Trace
from .added_error import counterpart, same_shapes
from .align import Alignment
from .comparison import Difference, OtherShape
from .walk import ONE_HOT, Walk

StageGap = Difference | OtherShape


@dataclass(frozen=True)
class Allowance:
    """How far apart a stage may be.

    Attributes:
        given: a share of the reference's largest magnitude; None for what rounding alone may do.
    """

    given: float | None = None


def rows_between(ours: Trace, theirs: Trace, alignment: Alignment, limit: Allowance) -> Iterator[StageGap]:
    """How far apart the stages are that both have, in our order; each is computed when it is asked for."""
    walk = Walk(ours, theirs, alignment, parts=False)
    for position, stage in enumerate(ours.program):
        name, other = stage.name, counterpart(stage, theirs.program)
        if other is None or name == ONE_HOT or not (ours.has(name) and theirs.has(name)):
            continue
        if stage.axes != other.axes or not same_shapes(stage, ours.shapes[name], theirs.shapes[name]):
            yield OtherShape(name, position, stage.axes, ours.shapes[name], theirs.shapes[name])
        else:
            yield walk.difference(stage, position, limit.given, False)


def is_apart(row: StageGap) -> bool:
    """Whether a stage is further apart than it may be."""
    return isinstance(row, OtherShape) or row.beyond


def size_of_gap(row: StageGap) -> float:
    """How far, as a share of the reference's largest magnitude; infinite where shapes differ."""
    return math.inf if isinstance(row, OtherShape) else row.relative


@dataclass(frozen=True)
class Reach:
    """How far two traces agree.

    Attributes:
        first: the first stage that is apart; None where none is.
        rest: the largest gap of those before it.
    """

    first: StageGap | None
    rest: float

    @property
    def position(self) -> float:
        """Where that is; infinite where nothing is apart."""
        return math.inf if self.first is None else self.first.position


def reach(ours: Trace, theirs: Trace, alignment: Alignment, limit: Allowance) -> Reach:
    """How far two traces agree; nothing after the first stage that is apart is computed."""
    rest = 0.0
    for row in rows_between(ours, theirs, alignment, limit):
        if is_apart(row):
            return Reach(row, rest)
        rest = max(rest, size_of_gap(row))
    return Reach(None, rest)
