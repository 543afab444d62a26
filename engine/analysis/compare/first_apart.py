"""The first stage that `compare` names, without what comes after it."""

from __future__ import annotations

from collections.abc import Container

from ...program.trace import Trace
from .added_error import counterpart, same_shapes
from .align import Alignment, align_traces
from .gaps import StageGap
from .other_shape import other_shape
from .walk import ONE_HOT, Walk, may_be_exact


def first_apart(
    ours: Trace,
    theirs: Trace,
    *,
    tolerance: float | None = None,
    alignment: Alignment | None = None,
    known: Container[str] = (),
) -> StageGap | None:
    """The first stage of two traces that is of another shape or beyond tolerance, as `compare` judges it; None where none is.

    Nothing after it is computed.

    Args:
        tolerance, alignment: as of `compare`.
        known: stages that are known not to be apart.
    """
    alignment = alignment if alignment is not None else align_traces(ours, theirs)
    exact, walk = may_be_exact(ours, theirs), Walk(ours, theirs, alignment, parts=False)
    for position, stage in enumerate(ours.program):
        name, other = stage.name, counterpart(stage, theirs.program)
        if other is None or name == ONE_HOT or name in known:
            continue
        if stage.axes != other.axes or not same_shapes(stage, ours.shapes[name], theirs.shapes[name]):
            unlike = other_shape(ours, theirs, stage, position)
            if unlike.by_tokens or unlike.by_layout:
                continue
            return unlike
        if ours.has(name) and theirs.has(name):
            row = walk.difference(stage, position, tolerance, exact)
            if row.beyond:
                return row
    return None
