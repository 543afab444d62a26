"""What the module does not compute itself, for the eye: the scores and weights inside a fused attention, and heads side by side.

Nothing is made of these values, so a patch of one would change nothing downstream, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from ...ops.attention import AddMask, Context, Scale, Scores, Softmax
from ...ops.base import Op, no_memory
from ...ops.linear import Multiply
from ...ops.torch_operation import Placeholder, TorchHides, TorchOperation, TorchStep
from ...program.stage import Stage
from .graph import Graph
from .roles import FusedAttention, HeadStack, Roles

SCORES = ("batch", "head", "query", "key")


@dataclass(frozen=True, slots=True)
class StageBeside:
    """A stage that stands beside what the module computes.

    Attributes:
        stage: it.
        numbers: computes its value from those of the module; on the device meta where one of them is.
    """

    stage: Stage
    numbers: Callable[[], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Opened:
    """A fused attention opened.

    Attributes:
        beside: its scores, scaled, masked, and its weights.
        difference: by how much what these give differs from what the fused kernel gave, at most; None where numbers are not known.
    """

    beside: tuple[StageBeside, ...]
    difference: float | None


def attention_opened(
    fused: FusedAttention,
    result: str,
    names: Mapping[str, str],
    known: Mapping[str, torch.Tensor],
    source: Stage,
    dtype: torch.dtype | None,
) -> Opened | None:
    """What stands inside a fused attention, computed step by step from what went into it; None where that is not known.

    Args:
        fused: what went into it.
        result: the value that it gave.
        names: the stage of each value.
        known: every value, on the device meta those whose numbers are not known.
        source: its stage, whose module the steps are of; no line of the author's computes them.
        dtype: what the module is made of; what autocast brought elsewhere is opened in that. None for any.
    """
    inputs = (fused.query, fused.key, *([fused.mask] if fused.mask else []))
    given = {name: known[name] for name in (*inputs, fused.value, result)}
    if any(tensor.is_meta for tensor in given.values()):
        given = {name: tensor.to("meta") for name, tensor in given.items()}
    query, key = given[fused.query], given[fused.key]
    if (
        not fused.prefix
        or query.dim() != 4
        or query.shape[:2] != key.shape[:2]
        or any(name not in names for name in inputs)
    ):
        return None
    size, computed = (*query.shape[:3], key.shape[2]), given[result].dtype
    taken_in = [given[name].dtype for name in (*inputs, fused.value)]
    own = (
        query.dtype == computed
        and dtype in (None, computed)
        and all(each in (computed, torch.bool) for each in taken_in)
    )
    steps = _steps(fused, size, _name(computed), query.shape[-1], given)
    if not own:
        steps = _steps_in(computed, steps, fused, size, given)
    made: list[StageBeside] = []
    value = query
    for part, op, taken in steps:
        operands = [value] if taken == ("",) else [given[name] if name else value for name in taken]
        with torch.no_grad():
            value = op.compute(operands, (), no_memory)
        before = made[-1].stage.name if made else ""
        stage_inputs = tuple(names[name] if name else before for name in taken)
        stage = Stage(f"{fused.prefix}.{part}", op, stage_inputs, (), SCORES, source.module)
        made.append(StageBeside(stage, partial(_itself, value)))
    with torch.no_grad():
        context = Context().compute((value, given[fused.value].to(computed)), (), no_memory)
    if context.is_meta:
        return Opened(tuple(made), None)
    gap = (context.double() - given[result].double()).abs().nan_to_num(0.0).max()
    return Opened(tuple(made), float(gap))


def _itself(value: torch.Tensor) -> torch.Tensor:
    return value


def _steps(
    fused: FusedAttention, size: tuple[int, ...], dtype: str, head_dim: int, given: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, Op, tuple[str, ...]]]:
    """Each step: what it is called, what it does, and the values it takes; "" is the step before."""
    yield "scores", Scores(), (fused.query, fused.key)
    plain = fused.scale is None or fused.scale == head_dim**-0.5
    yield "scaled", Scale(head_dim) if plain else Multiply(float(fused.scale or 0), f"{fused.scale:g}"), ("",)
    if fused.is_causal:
        lower = TorchStep("aten.tril.default", (Placeholder(0, step=True),))
        ones = TorchStep("aten.ones_like.default", (Placeholder(0),), {"dtype": torch.bool})
        yield "masked", TorchHides((ones, lower, _not(1), _fill(2)), size, dtype), ("",)
    elif fused.mask and given[fused.mask].dtype == torch.bool:
        hidden = TorchStep("aten.logical_not.default", (Placeholder(1),))
        yield "masked", TorchHides((hidden, _fill(0)), size, dtype), ("", fused.mask)
    elif fused.mask:
        yield "masked", AddMask(), ("", fused.mask)
    yield "weights", Softmax(), ("",)


def _steps_in(
    dtype: torch.dtype, steps: Iterator[tuple[str, Op, tuple[str, ...]]], fused: FusedAttention, size: tuple[int, ...],
    known: Mapping[str, torch.Tensor],
) -> Iterator[tuple[str, Op, tuple[str, ...]]]:  # fmt: skip
    """The same steps in the dtype that autocast computes in, whatever the module is made of: in torch's calls, which say their own."""
    scale = fused.scale if fused.scale is not None else float(known[fused.query].shape[-1]) ** -0.5
    keys = TorchStep("aten.transpose.int", (Placeholder(1, step=True), 2, 3))
    in_torch: dict[str, tuple[TorchStep, ...]] = {
        "scores": (_to(dtype, 0), _to(dtype, 1), keys, _of_steps("aten.matmul.default", 0, 2)),
        "scaled": (TorchStep("aten.mul.Tensor", (Placeholder(0), scale)),),
        "weights": (TorchStep("aten.softmax.int", (Placeholder(0), -1)),),
    }
    for part, op, taken in steps:
        if part in in_torch:
            yield part, TorchOperation(in_torch[part], size, _name(dtype)), taken
        elif isinstance(op, AddMask):
            added = TorchStep("aten.add.Tensor", (Placeholder(0), Placeholder(0, step=True)))
            yield part, TorchHides((_to(dtype, 1), added), size, _name(dtype)), taken
        else:
            yield part, op, taken


def _to(dtype: torch.dtype, operand: int) -> TorchStep:
    return TorchStep("aten.to.dtype", (Placeholder(operand), dtype))


def _of_steps(target: str, *steps: int) -> TorchStep:
    return TorchStep(target, tuple(Placeholder(step, step=True) for step in steps))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _not(step: int) -> TorchStep:
    return TorchStep("aten.logical_not.default", (Placeholder(step, step=True),))


def _fill(step: int) -> TorchStep:
    """Minus infinity where a step says so."""
    return TorchStep("aten.masked_fill.Scalar", (Placeholder(0), Placeholder(step, step=True), -math.inf))


def stacks_by_end(graph: Graph, heads: Sequence[HeadStack]) -> dict[str, list[HeadStack]]:
    """What is to be put side by side, in order, by the value after which it is: the last of all heads of its attention.

    Not earlier, since lines of the author's, which have several values, are not to be torn apart.
    """
    order = {call.name: place for place, call in enumerate(graph.calls)}
    last: dict[str, str] = {}
    for stack in heads:
        block = stack.name.rpartition(".")[0]
        last[block] = max((*stack.values, *filter(None, [last.get(block)])), key=order.__getitem__)
    ends: dict[str, list[HeadStack]] = {}
    for stack in sorted(heads, key=lambda stack: order[stack.values[-1]]):
        ends.setdefault(last[stack.name.rpartition(".")[0]], []).append(stack)
    return ends


def side_by_side(
    stack: HeadStack, names: Mapping[str, str], known: Mapping[str, torch.Tensor], roles: Roles, source: Stage
) -> StageBeside | None:
    """The values of single heads as one with an axis of heads; None where they are not of one shape."""
    values = [known[name] for name in stack.values]
    if len({(value.shape, value.dtype) for value in values}) != 1 or any(name not in names for name in stack.values):
        return None
    axes = roles.axes.get(stack.values[0], ())
    if len(axes) != values[0].dim() or axes[:1] != ("batch",):
        return None
    step = TorchStep("aten.stack.default", ([Placeholder(at) for at in range(len(values))], 1))
    size = (values[0].shape[0], len(values), *values[0].shape[1:])
    kind = TorchHides if stack.name.endswith(".masked") else TorchOperation
    op = kind((step,), size, str(values[0].dtype).removeprefix("torch."))
    inputs = tuple(names[name] for name in stack.values)
    stage = Stage(stack.name, op, inputs, (), ("batch", "head", *axes[1:]), source.module.rpartition(".")[0])
    return StageBeside(stage, partial(_stacked, values))


def _stacked(values: Sequence[torch.Tensor]) -> torch.Tensor:
    is_meta = any(value.is_meta for value in values)
    return torch.stack([value.to("meta") if is_meta else value for value in values], 1)
