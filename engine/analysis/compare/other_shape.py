"""Stages whose values have another shape, and whether the tokens say why."""

from __future__ import annotations

from ...program.inputs import Inputs
from ...program.stage import Shape, Stage
from ...program.trace import LiveTrace, Trace
from .added_error import counterpart
from .comparison import OtherShape


def other_shape(ours: Trace, theirs: Trace, stage: Stage, position: int) -> OtherShape:
    """What is said of a stage whose shapes cannot be paired."""
    mine, other = ours.shapes[stage.name], theirs.shapes[stage.name]
    by_tokens = _with_tokens_of(ours, theirs.inputs, stage.name) == other or (
        _with_tokens_of(theirs, ours.inputs, stage.name) == mine
    )
    there = counterpart(stage, theirs.program)
    by_layout = there is not None and there.axes != stage.axes
    return OtherShape(stage.name, position, stage.axes, mine, other, by_tokens, by_layout)


def _with_tokens_of(trace: Trace, inputs: Inputs, name: str) -> Shape | None:
    """The shape that a value would have with as many tokens as others have; None where nothing computes it, or there are as many."""
    if not isinstance(trace, LiveTrace) or trace.is_foreign or trace.inputs.sizes == inputs.sizes:
        return None
    if trace.inputs.sizes.keys() != inputs.sizes.keys():
        return None
    import torch

    from ...traces.shapes import shadows_of

    return shadows_of(trace.program, torch.float32, inputs.sizes)[name].shape
