"""The program of one passage of somebody's module: every stage computed again beside what the module computed, to the last bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ...ops.base import Op, Out, no_memory
from ...ops.torch_operation import UNSET
from ...program.program import Program
from ...program.stage import MAIN, Shape
from ...traces.shapes import shadows_of
from .known_operations import candidates
from .stages import Making, operation, token_shape
from .tracer import Passage
from .wiring import input_roles, wired


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
        shapes: of their values.
        given: what the module is called with, by name -> the stage it goes in at.
        inexact: stages that are not the module's to the last bit; none, mostly.
        opened: as of `Wired`.
    """

    program: Program
    shapes: Mapping[str, Shape]
    given: Mapping[str, str]
    inexact: Sequence[Inexact]
    opened: Mapping[str, float | None]


def program_of(passage: Passage, values: Mapping[str, torch.Tensor], dtype: torch.dtype = torch.float32) -> Made:
    """The program of a passage.

    Each stage is computed from the module's own values and held against the module's own result: where all are equal, so is every value
    that is computed from the inputs alone.

    Args:
        passage: what was seen.
        values: of every call.
        dtype: what most of the module is made of.
    """
    unset = {call.name: torch.zeros_like(values[call.name]) for call in passage.graph.calls if call.word in UNSET}
    known = {**values, **unset, **passage.inputs, **passage.weights}  # what is made of unset memory is found inexact
    inexact: list[Inexact] = []

    def verified(making: Making, name: str, axes: tuple[str, ...]) -> Op:
        op, difference = _operation(making, name, axes, passage, known, dtype)
        if difference is not None:
            inexact.append(Inexact(name, difference))
        return op

    made = wired(passage.graph, known, verified, dtype=dtype)
    tokens = token_shape(passage.graph, input_roles(passage.graph))
    sizes = {MAIN: (tokens[0], tokens[1]) if tokens else (1, 1)}
    shapes = {name: shadow.shape for name, shadow in shadows_of(made.program, dtype, sizes).items()}
    return Made(made.program, shapes, made.given, inexact, made.opened)


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
    plain = operation(making, passage, name)
    for op in candidates(making, name, axes):
        if not _fits(op, inputs, weights, wanted, dtype) or not _stands_for(op, inputs, weights, wanted):
            continue
        if _says(wanted) or _are_alike(op, plain, inputs, weights):
            return op, None
    op = plain
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


def _says(wanted: torch.Tensor) -> bool:
    """Whether a result tells one operation from another: of NaN alone every operation gives the same."""
    return not wanted.is_floating_point() or not wanted.numel() or bool(wanted.isfinite().any())


def _are_alike(op: Op, plain: Op, inputs: Sequence[torch.Tensor], weights: Sequence[torch.Tensor]) -> bool:
    """Whether two operations give the same of other numbers, where those at hand say nothing."""
    inputs, weights = (
        [_stand_in(tensor, at) for at, tensor in enumerate(inputs)],
        [_stand_in(each, -1) for each in weights],
    )
    result = _computed(plain, inputs, weights)
    return result is not None and _stands_for(op, inputs, weights, result)


def _stand_in(tensor: torch.Tensor, seed: int) -> torch.Tensor:
    """A tensor that lies as this one does, of numbers by chance where this one has none; itself where it has no such place."""
    if not tensor.is_floating_point() or bool(tensor.isfinite().all()):
        return tensor
    random = torch.rand(tensor.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float32)
    filled = torch.empty_like(tensor)  # in the same order in memory: kernels add up by it
    return filled.copy_(torch.where(tensor.isfinite(), tensor, random.to(tensor)))


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
