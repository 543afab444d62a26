"""The program of one passage of somebody's module: every stage computed again beside what the module computed, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ...ops.base import Op, Out, no_memory
from ...ops.torch_operation import UNSET, TorchHides
from ...program.program import Program
from ...program.stage import Stage
from .beside import attention_opened, side_by_side, stacks_by_end
from .graph import Graph
from .known_operations import candidates
from .roles import roles_of
from .stages import VIEWS, Making, axes_by_size, input_stages, makings, operation, stage_names, stage_of, token_shape
from .tracer import Passage

INSIDE = ("scores", "scaled", "masked", "weights")
SEGMENTS, POSITIONS, MASK = ("type", "segment"), ("position",), ("attention_mask",)


@dataclass(frozen=True, slots=True)
class Inexact:
    """A stage that gave other numbers when it was computed again.

    Attributes:
        stage: its name.
        difference: by how much at most; NaN where they cannot be told apart by numbers.
    """

    stage: str
    difference: float


@dataclass(frozen=True, slots=True)
class Made:
    """A program, and how far it is what the module does.

    Attributes:
        program: the stages.
        given: what the module is called with, by name -> the stage it goes in at.
        inexact: stages that are not the module's to the last bit; none, mostly.
        opened: fused attentions of which scores and weights are shown as well, by prefix -> by how much what those give differs.
    """

    program: Program
    given: Mapping[str, str]
    inexact: Sequence[Inexact]
    opened: Mapping[str, float]


def program_of(passage: Passage, values: Mapping[str, torch.Tensor], dtype: torch.dtype = torch.float32) -> Made:
    """The program of a passage.

    Each stage is computed from the module's own values and held against the module's own result: where all are equal, so is every value
    that is computed from the inputs alone.

    Args:
        passage: what was seen.
        values: of every call.
        dtype: what most of the module is made of.
    """
    graph = passage.graph
    roles = roles_of(graph)
    first = input_stages(graph, input_roles(graph))
    names = {name: stage.name for name, stage in first.items()} | stage_names(graph, roles, roles.folded)
    tokens = token_shape(graph, input_roles(graph))
    unset = {call.name: torch.zeros_like(values[call.name]) for call in graph.calls if call.word in UNSET}
    known = {**values, **unset, **passage.inputs, **passage.weights}  # what is made of unset memory is found inexact
    stages: list[Stage] = list(first.values())
    inexact: list[Inexact] = []
    gaps: dict[str, float] = {}
    shown: list[str] = []
    stacks = stacks_by_end(graph, roles.heads)
    for value, making in makings(graph, roles.folded).items():
        axes = roles.axes.get(value) or axes_by_size(making.calls[-1].shape, tokens)
        op, difference = _operation(making, names[value], axes, passage, known, dtype)
        stage = stage_of(names[value], making, op, axes, names)
        if (fused := roles.fused.get(value)) and (inside := attention_opened(fused, value, names, known, stage, dtype)):
            stages += inside.stages
            gaps[fused.prefix] = inside.difference
        stages.append(stage)
        beside = [side_by_side(stack, names, known, roles, stage) for stack in stacks.get(value, ())]
        stages += [each for each in beside if each is not None]
        shown += [each.name for each in beside if each is not None]
        if difference is not None:
            inexact.append(Inexact(names[value], difference))
    shown += [stage.name for stage in stages if stage.block in gaps and stage.part in INSIDE]
    weights = {name: leaf.shape for name, leaf in graph.weights.items()}
    program = Program(stages, aliases_of(graph, names), weights, shown=shown)
    return Made(program, {name: stage.name for name, stage in first.items()}, inexact, gaps)


def _operation(
    making: Making,
    name: str,
    axes: tuple[str, ...],
    passage: Passage,
    known: Mapping[str, torch.Tensor],
    dtype: torch.dtype,
) -> tuple[Op, float | None]:
    """What a stage does, and by how much that differs from what the module did; None for not at all."""
    inputs, weights = [known[value] for value in making.inputs], [known[value].detach() for value in making.weights]
    wanted = known[making.calls[-1].name]
    for op in candidates(making, name, axes):
        if _fits(op, inputs, weights, wanted, dtype) and _stands_for(op, inputs, weights, wanted):
            return op, None
    op = operation(making, passage)
    if name.endswith(".masked"):  # what hides may be minus infinity, whoever put it there
        op = TorchHides(op.steps, op.size, op.dtype)
    again = _computed(op, inputs, weights)
    exact = again is not None and _same(again, wanted) and _lie_alike(again, wanted)
    return op, None if exact else _difference(again, wanted)


def _fits(
    op: Op, inputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], wanted: torch.Tensor, dtype: torch.dtype
) -> bool:
    """Whether an operation would say the right shape and dtype of its result beforehand."""
    shapes = [tuple(tensor.shape) for tensor in inputs], [tuple(tensor.shape) for tensor in weights]
    made_of = [tensor.dtype for tensor in inputs], [dtype for _ in weights]  # as runs expect of weights
    try:
        shape = op.shape(*shapes)
    except (ValueError, IndexError):
        return False
    return shape == tuple(wanted.shape) and op.result_dtype(*made_of, dtype) == wanted.dtype


def _stands_for(op: Op, inputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], wanted: torch.Tensor) -> bool:
    """Whether an operation of ours gives the module's own numbers, and lays them out as the module's were.

    Kernels add up otherwise where numbers lie otherwise: what comes after would differ in its last bits.
    """
    asked: list[None] = []
    result = _computed(op, inputs, weights, lambda: asked.append(None))
    in_order = wanted.is_contiguous()  # as memory is that a run gives for a result
    return result is not None and _same(result, wanted) and _lie_alike(result, wanted) and (in_order or not asked)


def _lie_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the numbers of two tensors of one shape lie alike in memory; along an axis of one place there is nothing to lie."""
    strides = [
        [step for step, size in zip(each.stride(), each.shape, strict=True) if size > 1] for each in (one, other)
    ]
    return strides[0] == strides[1]


def _computed(
    op: Op, inputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], out: Out = no_memory
) -> torch.Tensor | None:
    try:
        with torch.no_grad():
            return op.compute(inputs, weights, out)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return None


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same to the last bit, NaN beside NaN."""
    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    if torch.equal(one, other):
        return True
    return other.is_floating_point() and bool(((one == other) | (one.isnan() & other.isnan())).all())


def _difference(one: torch.Tensor | None, other: torch.Tensor) -> float:
    if one is None or one.shape != other.shape or not other.is_floating_point():
        return float("nan")
    return float((one.double() - other.double()).abs().max())


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
