"""The parts of a program that `next` and `finish` walk: blocks and layers of a family, lines and modules of somebody's own code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..program.source_lines import is_own_code, passage

if TYPE_CHECKING:
    from ..program.stage import Stage, Stages

Part = tuple[str, ...]  # a part is inside of another that it begins with


def blocks(program: Stages) -> list[Part]:
    """For each stage what `next` takes for one: `layers.0.attention`; a passage of a line, where the code is somebody's own."""
    return [passage(stage) if is_own_code(stage) else ("", stage.block) for stage in program]


def rooms(program: Stages) -> list[Part]:
    """For each stage what `finish` takes for one: its layer; the module whose code it is, where that is somebody's own.

    A module of one stage has nothing to be finished: its stage is part of the module that calls it.
    """
    stages_in: Counter[Part] = Counter()
    for stage in program:
        path = _path(stage)
        stages_in.update(path[:count] for count in range(1, len(path) + 1))
    return [_module(stage, stages_in) if is_own_code(stage) else ("", stage.room) for stage in program]


def part_end(parts: Sequence[Part], position: int) -> int:
    """Where the part ends that one is in the middle of, else the one that comes next.

    Args:
        parts: of each stage.
        position: of the stage that ran last; -1 for none.
    """
    last = len(parts) - 1
    if position >= last:
        return position
    ahead = parts[position + 1]
    part = parts[position] if position >= 0 and _inside(ahead, parts[position]) else ahead
    position += 1
    while position < last and _inside(parts[position + 1], part):
        position += 1
    return position


def part_start(parts: Sequence[Part], position: int) -> int:
    """Before the first stage of the part one is in."""
    if position < 0:
        return position
    part = parts[position]
    while position >= 0 and _inside(parts[position], part):
        position -= 1
    return position


def _inside(part: Part, other: Part) -> bool:
    return part[: len(other)] == other


def _path(stage: Stage) -> Part:
    return ("module", *stage.module.split(".")) if stage.module else ("",)


def _module(stage: Stage, stages_in: Counter[Part]) -> Part:
    path = _path(stage)
    while len(path) > 2 and stages_in[path] == 1:
        path = path[:-1]
    return path
