"""What a graph says of its values, apart from what they are for: where each comes from, and what merely moves numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ....program.stage import Shape
from ..graph import Argument, Graph, Leaf, Ref, TorchCall, references

# The same numbers in another order or shape, or some of them more than once.
MOVES = frozenset({
    "view", "reshape", "_unsafe_view", "view_as", "reshape_as", "transpose", "permute", "t", "numpy_T", "mT",
    "unsqueeze", "squeeze", "flatten", "unflatten", "contiguous", "clone", "alias", "expand", "expand_as",
    "repeat", "repeat_interleave", "swapaxes", "movedim", "_reshape_alias",
})  # fmt: skip
CASTS = frozenset({"to", "_to_copy", "type_as", "float", "half", "bfloat16", "detach", "lift_fresh"})
DROPOUT = frozenset({"dropout", "native_dropout", "feature_dropout", "alpha_dropout"})
PARTS = frozenset({
    "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "select", "slice", "narrow",
})  # fmt: skip
NORMS = frozenset({"layer_norm", "native_layer_norm", "rms_norm", "_fused_rms_norm"})
SOFTMAX = frozenset({"softmax", "_softmax", "_safe_softmax"})
PRODUCTS = frozenset({
    "matmul", "bmm", "mm", "baddbmm", "addmm", "mv", "einsum", "linear", "linear_dynamic", "conv1d", "conv2d",
    "conv3d", "convolution",
})  # fmt: skip
# Of a tensor these take the shape, not the numbers.
MADE_LIKE = frozenset({
    "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty",
    "rand_like",
})  # fmt: skip
# No straight line.
BENT = frozenset({
    "relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "erf", "mish", "elu", "selu", "celu", "leaky_relu",
    "hardswish", "hardsigmoid", "softplus", "pow", "square", "exp", "prelu", "logsigmoid", "log_sigmoid",
    "threshold", "hardtanh", "clamp",
})  # fmt: skip
STRAIGHT = frozenset({"add", "sub", "rsub", "mul", "div", "neg"})

FIXED, GIVEN, LIVE = 0, 1, 2


@dataclass(frozen=True)
class Chain:
    """Calls that together make one value of another: a norm written out, a product with a matrix and the sum with a bias.

    Attributes:
        result: the last of them.
        source: what they are done to.
        steps: those before the last that only it needs.
    """

    result: str
    source: str
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """A graph, and what follows from its shape alone."""

    graph: Graph

    def call(self, name: str) -> TorchCall | None:
        """What computes a value; None for an input or a weight."""
        return self.graph.by_name.get(name)

    def users(self, name: str) -> tuple[TorchCall, ...]:
        """The calls that take a value."""
        return self.graph.users.get(name, ())

    def leaf(self, name: str) -> Leaf | None:
        """An input or a weight by its name."""
        return self.graph.inputs.get(name) or self.graph.weights.get(name)

    def shape(self, name: str) -> Shape:
        """Of any value."""
        call, leaf = self.call(name), self.leaf(name)
        return call.shape if call is not None else leaf.shape if leaf is not None else ()

    def dtype(self, name: str) -> str:
        """Of any value."""
        call, leaf = self.call(name), self.leaf(name)
        return call.dtype if call is not None else leaf.dtype if leaf is not None else ""

    @cached_property
    def order(self) -> dict[str, int]:
        """When each call was computed."""
        return {call.name: place for place, call in enumerate(self.graph.calls)}

    @cached_property
    def outputs(self) -> frozenset[str]:
        """What the module gave back."""
        return frozenset(self.graph.outputs.values())

    # -- what a value depends on -------------------------------------------------------------------------------------

    @cached_property
    def _states(self) -> dict[str, int]:
        states = {
            name: LIVE if leaf.dtype.startswith(("float", "bfloat", "complex")) else GIVEN
            for name, leaf in self.graph.inputs.items()
        }
        for call in self.graph.calls:
            known = [states.get(name, FIXED) for name in call.inputs]
            state = FIXED if call.word in MADE_LIKE else max(known, default=FIXED)
            looked_up = call.word == "embedding" or call.word in PRODUCTS
            states[call.name] = LIVE if looked_up and state == GIVEN else state
        return states

    def is_live(self, name: str) -> bool:
        """Whether a value holds what the module makes of its inputs, rather than positions, masks and weights."""
        return self._states.get(name, FIXED) == LIVE

    def is_fixed(self, name: str) -> bool:
        """Whether a value is the same whatever goes in: a weight, or what is made of weights and lengths."""
        return self._states.get(name, FIXED) == FIXED

    def before(self, name: str, through: Callable[[TorchCall], bool] = lambda call: True) -> Iterator[str]:
        """A value and all it is made of, nearest first, going on where a call is one to look through."""
        seen, left = {name}, [name]
        while left:
            current = left.pop(0)
            yield current
            call = self.call(current)
            if call is not None and through(call):
                new = [part for part in call.inputs if part not in seen]
                seen.update(new)
                left += new

    # -- steps back and forth ----------------------------------------------------------------------------------------

    def root(self, name: str) -> str:
        """The value whose numbers these are, moved, cast or dropped out of."""
        while (call := self.call(name)) is not None and call.word in MOVES | CASTS | DROPOUT:
            first = operand(call, 0)
            if not first:
                break
            name = first
        return name

    def onward(self, name: str, words: frozenset[str] = MOVES | CASTS | DROPOUT) -> str:
        """The last value of those that one alone takes, moves, casts or drops out of; the value itself where there are several."""
        while name not in self.outputs and len(users := self.users(name)) == 1:
            if users[0].word not in words or operand(users[0], 0) != name:
                break
            name = users[0].name
        return name


def operand(call: TorchCall, place: int) -> str:
    """The value at a place among the arguments; "" where there is a number, or nothing."""
    argument: Argument = call.arguments[place] if place < len(call.arguments) else None
    return argument.name if isinstance(argument, Ref) else ""


def number(call: TorchCall, place: int, default: float | None = None) -> float | None:
    """The number at a place among the arguments; `default` where there is none."""
    argument: Argument = call.arguments[place] if place < len(call.arguments) else None
    return float(argument) if isinstance(argument, int | float) and not isinstance(argument, bool) else default


def operands(call: TorchCall) -> tuple[str, ...]:
    """The values among the arguments, in order, as often as they stand there."""
    return tuple(ref.name for ref in references((call.arguments, call.options)))
