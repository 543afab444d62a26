"""A graph as stages: each call one stage, by the name of its role, else by its module and operation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from ...ops.base import Op
from ...ops.given_tensor import GivenTensor
from ...ops.tokens import Given
from ...ops.torch_operation import (
    Placeholder,
    TorchElementwise,
    TorchHides,
    TorchMove,
    TorchOperation,
    TorchStep,
    TorchWholeNumbers,
)
from ...program.stage import Shape, Stage
from ...program.tokens import PARTS
from .graph import Graph, Ref, TorchCall
from .roles import Roles
from .tracer import Passage

TOKENS = ("batch", "token")
# The same numbers in other places, mostly in the same memory.
VIEWS = frozenset({
    "view", "_unsafe_view", "transpose", "permute", "expand", "expand_as", "squeeze", "unsqueeze", "select", "slice",
    "t", "flatten", "unflatten", "movedim", "chunk", "split", "unbind", "narrow", "detach", "alias", "as_strided",
    "view_as", "swapaxes", "tensor_split", "split_with_sizes", "read_from", "unsafe_chunk", "diagonal", "adjoint",
    "reshape", "contiguous",
})  # fmt: skip
TURNS = frozenset({"conv1d", "conv2d", "conv3d", "transpose", "permute", "movedim", "swapaxes"})
# Each number of the result from those at its place.
ELEMENTWISE = frozenset({
    "add", "sub", "mul", "div", "neg", "abs", "exp", "log", "sqrt", "rsqrt", "pow", "tanh", "sigmoid", "relu", "gelu",
    "silu", "erf", "sin", "cos", "where", "masked_fill", "dropout", "clamp", "minimum", "maximum", "to", "type_as",
    "_to_copy", "square", "reciprocal", "hardtanh", "elu", "leaky_relu", "softplus", "mish", "addcmul", "addcdiv",
    "lerp",
})  # fmt: skip


def input_stages(graph: Graph, named: Mapping[str, str]) -> dict[str, Stage]:
    """The stages that what the module is called with goes in at, by the names of the inputs in the graph.

    Args:
        named: which of them are ids, masks, ...: `{"input_ids": "tokens.ids"}`.
    """
    stages: dict[str, Stage] = {}
    for name, leaf in graph.inputs.items():
        given = named.get(name, "")
        front, _, part = given.partition(".")
        if front == "tokens" and part in PARTS and leaf.dtype == "int64":
            stages[name] = Stage(given, Given(part), axes=TOKENS)
        else:
            op = GivenTensor(name, leaf.shape, leaf.dtype)
            stages[name] = Stage(f"input.{name}", op, axes=axes_by_size(leaf.shape, token_shape(graph, named)))
    return stages


def token_shape(graph: Graph, named: Mapping[str, str]) -> Shape:
    """(batch, token) of what goes in; () where nothing says so."""
    for name, given in named.items():
        if given == "tokens.ids" and name in graph.inputs:
            return graph.inputs[name].shape[:2]
    floats = [leaf.shape for name, leaf in graph.inputs.items() if len(leaf.shape) == 3 and not _turned(graph, name)]
    return floats[0][:2] if floats else ()


def _turned(graph: Graph, name: str) -> bool:
    """Whether what goes in is convolved, or turned round, first: its second axis is one of channels."""
    return any(call.word in TURNS for call in graph.users.get(name, ()))


def axes_by_size(shape: Shape, tokens: Shape) -> tuple[str, ...]:
    """What can be said of axes by their sizes alone: batch and token where the first two are those; numbers for the rest."""
    axes = [f"axis_{at}" for at in range(len(shape))]
    if tokens and shape[:2] == tokens:
        axes[:2] = TOKENS
        if len(shape) == 3 and shape[2] != shape[1]:  # scores of one head are as long as there are tokens
            axes[2] = "hidden"
    return tuple(axes)


@dataclass(frozen=True, slots=True)
class Making:
    """What a stage is made of: the calls it consists of, in order, and the stages and weights that go into them."""

    calls: tuple[TorchCall, ...]
    inputs: tuple[str, ...]  # values of the graph
    weights: tuple[str, ...]


def makings(graph: Graph, folded: Mapping[str, str]) -> dict[str, Making]:
    """For each call that is a stage, what it is made of.

    Args:
        folded: calls that are a step on the way to another, with that.
    """
    parts: dict[str, list[TorchCall]] = {}
    for call in graph.calls:
        whole = call.name
        while whole in folded:
            whole = folded[whole]
        parts.setdefault(whole, []).append(call)
    made: dict[str, Making] = {}
    for name in [call.name for call in graph.calls if call.name in parts and call.name not in folded]:
        calls = tuple(parts[name])
        inside = {call.name for call in calls}
        outside = dict.fromkeys(value for call in calls for value in call.inputs if value not in inside)
        weights = tuple(value for value in outside if value in graph.weights)
        made[name] = Making(calls, tuple(value for value in outside if value not in graph.weights), weights)
    return made


def operation(making: Making, passage: Passage, name: str) -> TorchOperation:
    """What a stage does, in torch's own calls.

    Args:
        name: the stage's.
    """
    places: dict[str, Placeholder] = {
        name: Placeholder(at) for at, name in enumerate((*making.inputs, *making.weights))
    }
    steps: list[TorchStep] = []
    for at, call in enumerate(making.calls):
        arguments, options = _placed(call.arguments, places), _placed(dict(call.options), places)
        draws = passage.draws.get(call.name)
        how = call.pick, call.scribbles, call.writes, call.autocast, draws, call.kernel, call.grad
        steps.append(TorchStep(call.target, tuple(arguments), options, *how))
        places[call.name] = Placeholder(at, step=True)
    last = making.calls[-1]
    return _kind(making, name)(tuple(steps), last.shape, last.dtype)


def _kind(making: Making, name: str) -> type[TorchOperation]:
    words, dtype = {call.word for call in making.calls}, making.calls[-1].dtype
    if name.endswith(".masked") or any(  # what hides may be minus infinity, whoever put it there
        _is_lowest(part) for call in making.calls for part in (*call.arguments, *call.options.values())
    ):
        return TorchHides
    if words <= VIEWS and making.inputs:
        return TorchMove
    if dtype.startswith(("int", "uint")):
        return TorchWholeNumbers if dtype == "int64" else TorchOperation
    return TorchElementwise if words <= ELEMENTWISE | VIEWS else TorchOperation


def _is_lowest(argument: Any) -> bool:
    return isinstance(argument, float) and argument == -math.inf


def _placed(argument: Any, places: Mapping[str, Placeholder]) -> Any:
    if isinstance(argument, Ref):
        return replace(places[argument.name], grad=argument.grad)
    if isinstance(argument, list | tuple):
        parts = [_placed(part, places) for part in cast("list[Any]", argument)]
        return parts if isinstance(argument, list) else tuple(parts)
    if isinstance(argument, dict):
        return {name: _placed(part, places) for name, part in cast("dict[str, Any]", argument).items()}
    return argument


def stage_names(graph: Graph, roles: Roles, folded: Mapping[str, str]) -> dict[str, str]:
    """What the stage of each call is called: by its role, else its module's path and its operation; no two alike.

    A module that is one stage gives it its own name: `heads.0.q` is the product that `heads.0.q` is.
    """
    taken = set(roles.names.values())
    single = _single_stages(graph, folded)
    names: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for call in graph.calls:
        if call.name in folded:
            continue
        if call.name in roles.names:
            names[call.name] = roles.names[call.name]
            continue
        word = call.word.strip("_")
        name = base = call.module if call.module in single else f"{call.module}.{word}" if call.module else word
        while name in taken:
            counted[base] += 1
            name = f"{base}_{counted[base]}"
        taken.add(name)
        names[call.name] = name
    return names


def _single_stages(graph: Graph, folded: Mapping[str, str]) -> frozenset[str]:
    """The modules that are one stage alone, and hold no others that were computing."""
    stages = Counter(call.module for call in graph.calls if call.name not in folded)
    holding = {path.rpartition(".")[0] for path in graph.modules}
    return frozenset(path for path, count in stages.items() if path and count == 1 and path not in holding)


def stage_of(name: str, making: Making, op: Op, axes: tuple[str, ...], names: Mapping[str, str]) -> Stage:
    """A stage of a program, from what it is made of.

    Args:
        names: the stage that each value is the value of.
    """
    last = making.calls[-1]
    inputs = tuple(names[value] for value in making.inputs)
    return Stage(name, op, inputs, making.weights, axes, last.module, source=last.line)
