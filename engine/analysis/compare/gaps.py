"""Where two traces are first apart, and how far they are up to there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...program.dtypes import FLOATS, coarser
from ...program.stage import Stage
from ...program.trace import Trace
from .added_error import counterpart, same_shapes
from .align import Alignment
from .comparison import Difference, OtherShape
from .rounding import allowed, grains
from .walk import ONE_HOT, Walk

StageGap = Difference | OtherShape


@dataclass(frozen=True)
class Allowance:
    """How far apart a stage may be.

    Attributes:
        given: a share of the reference's largest magnitude; None for what rounding alone may do.
    """

    given: float | None = None

    def at(self, stage: Stage, layers: int, grain: str) -> float | None:
        """Of a stage; None for ids and positions, of which every one counts.

        Args:
            grain: what our value is good to, in the coarser of what both sides are made of. What theirs rounds on the way besides is
                no excuse: it may be the cause.
        """
        if not grain:
            return None
        return self.given if self.given is not None else allowed(stage, layers, grain)


def made_of(trace: Trace) -> str:
    """The dtype that most of a trace's values are of; "" where they hold whole numbers alone."""
    counted = Counter(dtype for stage in trace.program if (dtype := trace.value(stage.name).dtype) in FLOATS)
    return counted.most_common(1)[0][0] if counted else ""


def good_to(trace: Trace) -> dict[str, str]:
    """What each value is good to, where something is rounded on the way as well: see `grains`."""
    own = grains(trace)
    for stage in trace.program:
        if own[stage.name]:
            for grain in (getattr(stage.op, "grain", ""), *(own[name] for name in stage.inputs)):
                own[stage.name] = coarser(own[stage.name], grain) if grain else own[stage.name]
    return own


def rows_between(
    ours: Trace, theirs: Trace, alignment: Alignment, limit: Allowance, before: Trace | None = None
) -> Iterator[StageGap]:
    """How far apart the stages are that both have; each is computed when it is asked for.

    Args:
        before: ours before it was edited: in whose order they are gone through, whatever has been wired otherwise since, and how good
            its values are. What an edit rounds is no excuse for the edit.
    """
    order, own = (before or ours).program, good_to(before or ours)
    walk = Walk(ours, theirs, alignment, parts=False)
    whole = made_of(theirs)
    for position, known in enumerate(order):
        name, stage = known.name, ours.program[known.name]
        other = counterpart(stage, theirs.program)
        if other is None or name == ONE_HOT or not (ours.has(name) and theirs.has(name)):
            continue
        if stage.axes != other.axes or not same_shapes(stage, ours.shapes[name], theirs.shapes[name]):
            yield OtherShape(name, position, stage.axes, ours.shapes[name], theirs.shapes[name])
            continue
        grain = coarser(own[name], whole) if own[name] and whole else own[name]
        row = walk.difference(stage, position, limit.at(stage, ours.program.layers, grain), False)
        yield row if grain else replace(row, tolerance=0.0 if stage.card.given or not stage.inputs else row.tolerance)


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


def reach(ours: Trace, theirs: Trace, alignment: Alignment, limit: Allowance, before: Trace | None = None) -> Reach:
    """How far two traces agree; nothing after the first stage that is apart is computed.

    Args:
        before: ours before it was edited: in whose order they are gone through, and how good its values are. What an edit rounds is no
            excuse for the edit.
    """
    rest = 0.0
    for row in rows_between(ours, theirs, alignment, limit, before):
        if is_apart(row):
            return Reach(row, rest)
        if isinstance(row, Difference) and row.dtype:  # of ids and positions the share that differs says nothing
            rest = max(rest, row.relative)
    return Reach(None, rest)
