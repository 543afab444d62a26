"""The program of a recording: what a module computed, as stages whose operations are told and never computed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...program.modules import Modules
from ...program.program import Program
from ...program.stage import Stage
from .program import aliases_of, input_roles
from .roles import roles_of
from .stages import axes_by_size, input_stages, makings, operation, stage_names, stage_of, token_shape
from .tracer import Passage


@dataclass(frozen=True, slots=True)
class RecordedProgram:
    """A program, and whose values its stages have.

    Attributes:
        program: the stages.
        values: the name of each stage -> of its value in the graph.
        given: what the module is called with, by name -> the stage it goes in at.
    """

    program: Program
    values: Mapping[str, str]
    given: Mapping[str, str]


def recorded_program(passage: Passage, outputs: Mapping[str, str]) -> RecordedProgram:
    """The program of a passage.

    Args:
        outputs: the path of a module -> the first value it gave back.
    """
    graph = passage.graph
    roles, named = roles_of(graph), input_roles(graph)
    first = input_stages(graph, named)
    names = {name: stage.name for name, stage in first.items()} | stage_names(graph, roles, roles.folded)
    tokens = token_shape(graph, named)
    stages: list[Stage] = list(first.values())
    for value, making in makings(graph, roles.folded).items():
        axes = roles.axes.get(value) or axes_by_size(making.calls[-1].shape, tokens)
        stages.append(stage_of(names[value], making, operation(making, passage), axes, names))
    whole = {path: names[value] for path, value in outputs.items() if path and value in names}
    weights = {name: leaf.shape for name, leaf in graph.weights.items()}
    program = Program(stages, aliases_of(graph, names), weights, modules=Modules(whole=whole))
    return RecordedProgram(
        program, {stage: value for value, stage in names.items()}, {name: stage.name for name, stage in first.items()}
    )
