"""How the calls of a passage become stages: by the same rules for what is computed again and for what is only told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from ...ops.base import Op
from ...program.modules import Modules
from ...program.program import Program
from ...program.stage import Stage
from .beside import attention_opened, side_by_side, stacks_by_end
from .graph import Graph
from .roles import roles_of
from .stages import VIEWS, Making, axes_by_size, input_stages, makings, stage_names, stage_of, token_shape

SEGMENTS, POSITIONS, MASK = ("type", "segment"), ("position",), ("attention_mask",)


class OperationOf(Protocol):
    """Says what a stage does."""

    def __call__(self, making: Making, name: str, axes: tuple[str, ...]) -> Op: ...


class KeepBeside(Protocol):
    """Who keeps the numbers of stages that stand beside what the module computes; they are computed when they are asked for."""

    def __call__(self, stage: str, numbers: Callable[[], torch.Tensor]) -> None: ...


@dataclass(frozen=True, slots=True)
class Wired:
    """A program, and whose values its stages have.

    Attributes:
        program: the stages.
        values: the name of each stage -> of its value in the graph; those beside what the module computes have none.
        given: what the module is called with, by name -> the stage it goes in at.
        opened: fused attentions of which scores and weights are shown as well, by prefix -> by how much what those give differs; None
            where that is not known, as their numbers are not.
    """

    program: Program
    values: Mapping[str, str]
    given: Mapping[str, str]
    opened: Mapping[str, float | None]


def wired(
    graph: Graph,
    known: Mapping[str, torch.Tensor],
    operation_of: OperationOf,
    *,
    dtype: torch.dtype | None = None,
    outputs: Mapping[str, str] | None = None,
    keep: KeepBeside | None = None,
) -> Wired:
    """The program of a graph.

    Args:
        graph: what was computed.
        known: every value of it; on the device meta those whose numbers are not known.
        operation_of: says what a stage does.
        dtype: of attentions that are opened; None for any.
        outputs: the path of a module -> the first value it gave back.
        keep: who keeps the numbers that the module did not compute; None for nobody.
    """
    roles, named = roles_of(graph), input_roles(graph)
    first = input_stages(graph, named)
    names = {name: stage.name for name, stage in first.items()} | stage_names(graph, roles, roles.folded)
    tokens = token_shape(graph, named)
    stages: list[Stage] = list(first.values())
    opened: dict[str, float | None] = {}
    shown: list[str] = []
    stacks = stacks_by_end(graph, roles.heads)
    for value, making in makings(graph, roles.folded).items():
        axes = roles.axes.get(value) or axes_by_size(making.calls[-1].shape, tokens)
        stage = stage_of(names[value], making, operation_of(making, names[value], axes), axes, names)
        fused = roles.fused.get(value)
        inside = attention_opened(fused, value, names, known, stage, dtype) if fused else None
        if fused and inside:
            opened[fused.prefix] = inside.difference
        sides = [side_by_side(stack, names, known, roles, stage) for stack in stacks.get(value, ())]
        before, after = inside.beside if inside else (), [side for side in sides if side is not None]
        stages += [*(each.stage for each in before), stage, *(each.stage for each in after)]
        for each in (*before, *after):
            shown.append(each.stage.name)
            if keep is not None:
                keep(each.stage.name, each.numbers)
    weights = {name: leaf.shape for name, leaf in graph.weights.items()}
    whole = {path: names[value] for path, value in (outputs or {}).items() if path and value in names}
    program = Program(stages, aliases_of(graph, names), weights, modules=Modules(whole=whole), shown=shown)
    given = {name: stage.name for name, stage in first.items()}
    return Wired(program, {stage: value for value, stage in names.items()}, given, opened)


def told_of_opened(opened: Mapping[str, float | None]) -> list[str]:
    """What is to be said of fused attentions that are opened, in sentences."""
    gaps = [difference for difference in opened.values() if difference is not None]
    notes: list[str] = []
    if gaps:
        notes.append(
            f"attention is fused in {len(gaps)} layers: scores and weights are shown beside it, and give a context that differs by up to "
            f"{max(gaps):.2g}"
        )
    if len(gaps) < len(opened):
        notes.append(
            f"attention is fused in {len(opened) - len(gaps)} layers of which too little is kept to compute scores and weights beside it"
        )
    return notes


def input_roles(graph: Graph) -> dict[str, str]:
    """Which inputs are ids, segments and positions, since they are looked up, and which is the mask, since it is called so.

    An input that only might be one stays what it is: a mask of the other polarity is no mask of tokens.
    """
    named: dict[str, str] = {}
    for call in graph.calls:
        name = _seen_otherwise(graph, call.inputs[-1]) if call.word == "embedding" and call.inputs else ""
        if name not in graph.inputs:
            continue
        last = name.rpartition(".")[2]
        part = (
            "segments"
            if any(word in last for word in SEGMENTS)
            else "positions"
            if any(word in last for word in POSITIONS)
            else "ids"
        )
        if len(graph.inputs[name].shape) == 2 and f"tokens.{part}" not in named.values():
            named.setdefault(name, f"tokens.{part}")
    ids = next((graph.inputs[name].shape for name, given in named.items() if given == "tokens.ids"), ())
    for name, leaf in graph.inputs.items():
        if name.rpartition(".")[2] in MASK and leaf.shape == ids and leaf.dtype == "int64":
            named[name] = "tokens.mask"
    return named if ids else {}


def _seen_otherwise(graph: Graph, value: str) -> str:
    """What a value is another view of: ids that were transposed before they were looked up."""
    while (call := graph.by_name.get(value)) is not None and call.word in VIEWS and len(call.inputs) == 1:
        value = call.inputs[0]
    return value


def aliases_of(graph: Graph, names: Mapping[str, str]) -> dict[str, str]:
    """Other names for what the module gives back: `output` for the first, `output.NAME` for each by where it stands."""
    aliases: dict[str, str] = {}
    for path, value in graph.outputs.items():
        if value in names:
            aliases.setdefault("output", names[value])
            if path != "0":
                aliases[f"output.{path}"] = names[value]
    return {alias: name for alias, name in aliases.items() if alias not in names.values()}
