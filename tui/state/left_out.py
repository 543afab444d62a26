"""What is said of a value that a recording has no numbers of, or only a corner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...engine.messages.translation import tr
from ...engine.program.stage import write_shape

if TYPE_CHECKING:
    from ...engine.traces.recorded_values import LeftOut
    from .position import World


def why_unread(world: World, stage: str) -> str:
    """Why there are no numbers of a stage, or which there are, and what all of them are like."""
    left_out = world.left_out.get(stage)
    if left_out is None:
        return tr("No numbers here: a recording without this stage, or a model of shapes alone.")
    why = kept_of(world, stage) if left_out.corner is not None else tr("Not kept: {why}", why=left_out.why)
    return f"{why}; {like}" if (like := like_all(left_out)) else why


def kept_of(world: World, stage: str) -> str:
    """Which of the numbers of a value were kept."""
    left_out = world.left_out[stage]
    assert left_out.corner is not None
    corner, whole = write_shape(left_out.corner.shape), write_shape(world.shapes[stage])
    return tr("kept are the first {corner} of {whole}", corner=corner, whole=whole)


def like_all(left_out: LeftOut) -> str:
    """What all the numbers of a value are like; "" where that is not known."""
    figures = left_out.figures
    if figures is None:
        return ""
    words = [f"{name} {getattr(figures, name):.4g}" for name in ("min", "max", "mean", "std")]
    words += [f"{name} {getattr(figures, name):,}" for name in ("nan", "inf") if getattr(figures, name)]
    return f"{tr('all of it')}: {', '.join(words)}"
