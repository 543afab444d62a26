"""Where two traces are first apart, and how far they are up to there."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ...program.dtypes import FLOATS, coarser
from ...program.stage import Stage
from ...program.trace import Trace
from .added_error import counterpart, same_shapes
from .align import Alignment
from .comparison import Difference, OtherShape
from .other_shape import other_shape
from .rounding import allowed, grains
from .walk import ONE_HOT, Walk

StageGap = Difference | OtherShape


@dataclass(frozen=True)
class Allowance:
    """How far apart a stage may be.

    Attributes:
        given: a share of the reference's largest magnitude; None for what rounding alone may do.
        times: so many times what rounding alone may do.
    """

    given: float | None = None
    times: float = 1.0

    def at(self, stage: Stage, layers: int, grain: str) -> float | None:
        """Of a stage; None for ids and positions, of which every one counts.

        Args:
            grain: what our value is good to, in the coarser of what both sides are made of. What theirs rounds on the way besides is
                no excuse: it may be the cause.
        """
        if not grain:
            return None
        return self.given if self.given is not None else self.times * allowed(stage, layers, grain)


@dataclass(frozen=True)
class TraceGrains:
    """What the values of a trace are good to, worked out once for all that is held against it."""

    trace: Trace

    @cached_property
    def each(self) -> Mapping[str, str]:
        """Of each stage: see `grains`."""
        return grains(self.trace)

    @cached_property
    def on_the_way(self) -> Mapping[str, str]:
        """The same, where something is rounded on the way as well."""
        own = dict(self.each)
        for stage in self.trace.program:
            if own[stage.name]:
                for grain in (getattr(stage.op, "grain", ""), *(own[name] for name in stage.inputs)):
                    own[stage.name] = coarser(own[stage.name], grain) if grain else own[stage.name]
        return own

    @cached_property
    def commonest(self) -> str:
        """The dtype that most of its values are of; "" where they hold whole numbers alone."""
        counted = Counter(
            dtype for stage in self.trace.program if (dtype := self.trace.value(stage.name).dtype) in FLOATS
        )
        return counted.most_common(1)[0][0] if counted else ""


def rows_between(
    ours: Trace, theirs: TraceGrains, alignment: Alignment, limit: Allowance, before: TraceGrains | None = None,
    left_out: Container[str] = (),
) -> Iterator[StageGap]:  # fmt: skip
    """How far apart the stages are that both have; each is computed when it is asked for.

    Args:
        before: ours before it was edited: in whose order they are gone through, whatever has been wired otherwise since, and how good
            its values are. What an edit rounds is no excuse for the edit.
        left_out: names of stages that are not asked for.
    """
    before, whole, layers = before or TraceGrains(ours), theirs.commonest, ours.program.layers
    own = before.on_the_way
    walk, there = Walk(ours, theirs.trace, alignment, parts=False, their_grains=theirs.each), theirs.trace
    for position, known in enumerate(before.trace.program):
        name, stage = known.name, ours.program[known.name]
        other = counterpart(stage, there.program)
        if other is None or name == ONE_HOT or name in left_out or not (ours.has(name) and there.has(name)):
            continue
        if stage.axes != other.axes:
            continue  # somebody's own layout: what is made of it tells whether it is the same
        if not same_shapes(stage, ours.shapes[name], there.shapes[name]):
            unlike = other_shape(ours, there, stage, position)
            if not unlike.by_tokens:
                yield unlike
            continue
        grain = coarser(own[name], whole) if own[name] and whole else own[name]
        row = walk.difference(stage, position, limit.at(stage, layers, grain), False)
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
        gaps: of those before it.
    """

    first: StageGap | None
    gaps: Mapping[str, float]

    @property
    def rest(self) -> float:
        """The largest gap before it."""
        return max(self.gaps.values(), default=0.0)

    @property
    def position(self) -> float:
        """Where that is; infinite where nothing is apart."""
        return math.inf if self.first is None else self.first.position


def reach(
    ours: Trace, theirs: TraceGrains, alignment: Alignment, limit: Allowance, before: TraceGrains | None = None,
    known: Mapping[str, float] | None = None,
) -> Reach:  # fmt: skip
    """How far two traces agree; nothing after the first stage that is apart is computed.

    Args:
        before: ours before it was edited: in whose order they are gone through, and how good its values are. What an edit rounds is no
            excuse for the edit.
        known: the gaps of stages that are as they were before the edit, none of which is apart.
    """
    gaps = dict(known or {})
    for row in rows_between(ours, theirs, alignment, limit, before, gaps):
        if is_apart(row):
            return Reach(row, gaps)
        if isinstance(row, Difference) and row.dtype:  # of ids and positions the share that differs says nothing
            gaps[row.name] = row.relative
    return Reach(None, gaps)
