"""What a module did in one passage: every operation that torch was asked for, in order, each result named once.

The operations are torch's own, as it knows them before it thinks of gradients, devices and autocast (`aten.linear.default`,
`aten.softmax.int`, `aten.scaled_dot_product_attention.default`): the level at which `torch.export` writes graphs, and near what the author
wrote. Nothing here needs torch but to compute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, cast

from ...program.stage import Shape

# What stands among the arguments of an operation: a Ref, a number, a word, None, a list or tuple of those, or something of torch's own.
Argument: TypeAlias = Any
Part = TypeVar("Part")
ArgumentPlace: TypeAlias = int | str  # among the arguments of a call, or by name among its options


@dataclass(frozen=True, slots=True)
class Ref:
    """A value among the arguments: that of a call, an input or a weight of that name.

    Attributes:
        name: that.
        grad: whether gradients were kept of the tensor: torch chooses kernels by that, and how it multiplies matrices where none are kept of the result.
    """

    name: str
    grad: bool = False


@dataclass(frozen=True, slots=True)
class TorchCall:
    """One call of an operation, and the one tensor that is looked at of what it gives.

    Attributes:
        name: unique in its graph: `softmax_3`.
        target: what torch calls the operation: `aten.softmax.int`.
        arguments: in order, with a `Ref` where a tensor stood.
        options: those given by name.
        pick: which of several results; None where there is one.
        shape, dtype: of the result: `(2, 12, 7, 7)`, `float32`.
        module: the path of the module that was computing: `encoder.layer.0.attention.self`; "" in the outermost one.
        lines: where in the author's files it was asked for, innermost first: `("/home/me/my_model.py:42", ...)`; lines of torch itself left out.
        writes: the place among the arguments, or the name among the options, of the tensor that was written to, whose new value the result is; None for most.
        scribbles: the places of all tensors that are written to while it is computed: copies of them are, when it is computed again.
        random: it may draw numbers.
        autocast: what autocast brought its tensors to; "" outside autocast.
        kernel: which kernel torch chose for a fused attention: `flash`, `efficient`, `cudnn`, `math`; "" for everything else.
        grad: whether gradients were being kept.
    """

    name: str
    target: str
    arguments: tuple[Argument, ...]
    options: Mapping[str, Argument] = field(default_factory=dict[str, Argument])
    pick: int | None = None
    shape: Shape = ()
    dtype: str = "float32"
    module: str = ""
    lines: tuple[str, ...] = ()
    writes: ArgumentPlace | None = None
    scribbles: tuple[ArgumentPlace, ...] = ()
    random: bool = False
    autocast: str = ""
    kernel: str = ""
    grad: bool = False

    def with_result(self, name: str, shape: Shape, dtype: str, autocast: str) -> TorchCall:
        """The same when it is known what it gave, and what autocast brought its tensors to."""
        return TorchCall(  # written out: `dataclasses.replace` takes several times as long, for every operation that is watched
            name, self.target, self.arguments, self.options, self.pick, shape, dtype, self.module, self.lines, self.writes,
            self.scribbles, self.random, autocast, self.kernel, self.grad,
        )  # fmt: skip

    @property
    def word(self) -> str:
        """The operation's name without namespace and overload: `softmax`, `add` for `aten.add_.Tensor` as well."""
        word = self.target.split(".")[1]
        return word if word.startswith("_") or not word.endswith("_") else word[:-1]

    @property
    def line(self) -> str:
        """Where the author wrote it; "" where that is not known."""
        return self.lines[0] if self.lines else ""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the values among the arguments, in order, each once."""
        return tuple(dict.fromkeys(ref.name for ref in references((self.arguments, self.options))))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A tensor that went in: an argument of the module's `forward`, or a weight, a buffer, a constant.

    Attributes:
        name: what it is called: `input_ids`, `encoder.layer.0.output.dense.weight`.
        shape, dtype: of it.
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Graph:
    """One passage through a module.

    Attributes:
        calls: in the order they were computed; a call's inputs are earlier calls, inputs or weights.
        inputs: the tensors among what `forward` was given, by name.
        weights: parameters, buffers, and constants that the code made elsewhere, by name; those alone that were used.
        outputs: the tensors that it gave back: where they stood (`last_hidden_state`, `0`) -> name of the value.
        modules: the class of every module that was computing, by its path; the module itself is "".
        decisions: calls whose value the code itself looked at (`if mask.all():`), by the name of what was looked at, with what it saw:
            what comes after may have been otherwise had it been another.
    """

    calls: tuple[TorchCall, ...]
    inputs: Mapping[str, Leaf]
    weights: Mapping[str, Leaf]
    outputs: Mapping[str, str]
    modules: Mapping[str, str] = field(default_factory=dict[str, str])
    decisions: tuple[Decision, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, TorchCall]:
        """Every call by its name."""
        return {call.name: call for call in self.calls}

    @cached_property
    def users(self) -> Mapping[str, tuple[TorchCall, ...]]:
        """For each value the calls that take it, in order."""
        users: dict[str, list[TorchCall]] = {}
        for call in self.calls:
            for name in call.inputs:
                users.setdefault(name, []).append(call)
        return {name: tuple(calls) for name, calls in users.items()}


@dataclass(frozen=True, slots=True)
class Decision:
    """A number that the author's code took out of a tensor, to decide by or to compute with outside torch.

    Attributes:
        of: the value it was taken from.
        saw: what it was.
        target: how it was taken: `aten.is_nonzero.default`, `aten.item.default`.
        lines: where, as of a call.
    """

    of: str
    saw: float | int | bool | complex
    target: str
    lines: tuple[str, ...] = ()


def parts_of(argument: Argument, kind: type[Part]) -> Iterator[Part]:
    """What is of a kind within an argument, in order."""
    if isinstance(argument, kind):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in cast("list[Argument]", argument):
            if isinstance(part, kind):  # most are, or are none and hold none: no generator for each of them
                yield part
            elif isinstance(part, list | tuple | dict):
                yield from parts_of(part, kind)
    elif isinstance(argument, dict):
        yield from parts_of(list(cast("dict[str, Argument]", argument).values()), kind)


def references(argument: Argument) -> Iterator[Ref]:
    """The values within an argument, in order."""
    return parts_of(argument, Ref)


def replaced(argument: Argument, by: Mapping[str, Any]) -> Argument:
    """An argument with something else in the place of every value: tensors, when it is computed."""
    if isinstance(argument, Ref):
        return by[argument.name]
    if isinstance(argument, list):
        return [replaced(part, by) for part in cast("list[Argument]", argument)]
    if isinstance(argument, tuple):
        return tuple(replaced(part, by) for part in cast("tuple[Argument, ...]", argument))
    if isinstance(argument, dict):
        return {name: replaced(part, by) for name, part in cast("dict[str, Argument]", argument).items()}
    return argument
