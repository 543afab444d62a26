"""Heads that somebody computes one by one, and the stages where they stand side by side: on the map they are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.program.program import Program
    from ...engine.program.stage import Stage


def is_side_by_side(stage: Stage, program: Program) -> bool:
    """Whether a stage lays values of single heads along an axis of heads."""
    return (
        len(stage.inputs) > 1
        and stage.axes[1:2] == ("head",)
        and [*stage.options.get("torch", ())] == ["aten.stack.default"]
        and not any("head" in program[name].axes for name in stage.inputs)
    )


def single_heads(program: Program) -> dict[str, str]:
    """Each stage that is of one head alone -> the stage where what it leads to stands beside the other heads."""
    together = [stage for stage in program if is_side_by_side(stage, program)]
    beside = {stage.name for stage in together}
    whole = {name: stage.name for stage in together for name in stage.inputs}
    head = {name: at for stage in together for at, name in enumerate(stage.inputs)}
    for stage in reversed(program.stages) if together else ():
        users = [name for name in program.users(stage.name) if name not in beside]
        of = {head.get(name, -1) for name in users}
        if stage.name not in head and len(of) == 1 and of != {-1}:
            head[stage.name], whole[stage.name] = head[users[0]], whole[users[0]]
    return whole
