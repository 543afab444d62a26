"""Which stages of a program say words or labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Program

OVER = (("vocabulary",), ("label",))


def predicted_by(program: Program, name: str) -> str:
    """The stage whose rows are the probabilities that a stage of a head leads to, or is the best of; "" where there is none.

    The scores that a softmax or a sigmoid is of count as much as itself: `head.words.logits`.
    """
    stage = program[name]
    if stage.axes[-1:] == ("rank",) and stage.inputs and program[stage.inputs[0]].axes[-1:] != ("token",):
        return stage.inputs[0]
    if stage.axes[-1:] not in OVER:
        return ""
    for later in program.stages[program.index(name) :]:
        if later.axes == stage.axes and (later.card.shares or later.options.get("kind") == "sigmoid"):
            before = later.name
            while before and before != name:
                inputs = program[before].inputs
                before = inputs[0] if inputs and program[inputs[0]].axes == stage.axes else ""
            if before:
                return later.name
    return ""


def nearest_prediction(program: Program, name: str) -> str:
    """The stage nearest to one that says what is likeliest; "" where a program predicts neither words nor labels."""
    here = program.index(name) if name in program else 0
    places = [
        at for at, stage in enumerate(program) if stage.axes[-1:] == ("rank",) and predicted_by(program, stage.name)
    ]
    best = min(places, key=lambda at: abs(at - here), default=None)
    return program[best].name if best is not None else ""
