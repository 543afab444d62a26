"""What the dimensions of each value are made of: which of them is the token's, which was made by a matrix, which is half of another.

Sizes alone say little: two texts, two heads and two layers look alike. So each dimension of what goes in, and each that a matrix
makes, is an atom; operations move atoms, split them and lay them side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..graph import TorchCall
from .flow import CASTS, DROPOUT, MADE_LIKE, NORMS, SOFTMAX, Flow, operand, operands


@dataclass(frozen=True, slots=True)
class Atom:
    """A dimension that was made at once, or a part of one.

    Attributes:
        name: of the value it was made with and its place there, with `<` and `>` for its outer and inner parts.
        size: how many.
        feature: a matrix made it: it counts features, not tokens or texts.
    """

    name: str
    size: int
    feature: bool = False


Dimension: TypeAlias = tuple[Atom, ...]
Dimensions: TypeAlias = tuple[Dimension, ...]


def core(dimension: Dimension) -> Dimension:
    """A dimension without atoms of one element, of which views make and lose as many as they like."""
    return tuple(atom for atom in dimension if atom.size > 1)


def is_feature(dimension: Dimension) -> bool:
    """Whether a dimension counts features, in whole or in part."""
    return any(atom.feature for atom in dimension)


def extent_of(dimension: Dimension) -> int:
    """How long a dimension is."""
    return math.prod(atom.size for atom in dimension)


def dimensions_of(flow: Flow) -> dict[str, Dimensions]:
    """The dimensions of every value of a graph."""
    known: dict[str, Dimensions] = {}
    for name, leaf in (*flow.graph.inputs.items(), *flow.graph.weights.items()):
        known[name] = fresh(name, leaf.shape)
    for call in flow.graph.calls:
        rule = RULES.get(call.word, _elementwise)
        try:
            made = rule(flow, call, known)
        except (IndexError, KeyError, TypeError, ValueError):  # arguments that the rule does not expect
            made = None
        sizes = tuple(extent_of(dimension) for dimension in made or ())
        fits = made is not None and all(a in (b, 1) for a, b in zip(sizes, call.shape, strict=False))
        known[call.name] = (
            made if made is not None and fits and len(made) == len(call.shape) else fresh(call.name, call.shape)
        )
    return known


def fresh(name: str, shape: Sequence[int]) -> Dimensions:
    """Dimensions of which nothing is known but that they are."""
    return tuple((Atom(f"{name}.{place}", size),) for place, size in enumerate(shape))


SoFar: TypeAlias = dict[str, Dimensions]
DimensionRule: TypeAlias = Callable[[Flow, TorchCall, SoFar], "Dimensions | None"]


def _same(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    return known[operand(call, 0)]


def _elementwise(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions | None:
    """Of each place that which is not broadcast; of a call that does more than go by elements, nothing."""
    names = sorted(dict.fromkeys(operands(call)), key=flow.is_live, reverse=True)  # the live one of two as long
    given = [known[name] for name in names if name in known]
    if not given or call.word in MADE_LIKE:
        return None
    made: list[Dimension] = []
    for place in range(-len(call.shape), 0):
        size = call.shape[place]
        at = [dims[place] for dims in given if len(dims) >= -place]
        fitting = [dimension for dimension in at if extent_of(dimension) == size]
        if not fitting or any(extent_of(dimension) not in (1, size) for dimension in at):
            return None
        made.append(fitting[0])
    return tuple(made)


def _lookup(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    return (*known[operand(call, 1)], (Atom(f"{call.name}.-1", call.shape[-1], feature=True),))


def _linear(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    return (*known[operand(call, 0)][:-1], (Atom(f"{call.name}.-1", call.shape[-1], feature=True),))


def _matmul(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions | None:
    first = 1 if call.word in ("baddbmm", "addmm") else 0
    left, right = operand(call, first), operand(call, first + 1)
    rows, columns = known[left], known[right]
    if len(rows) < 2 or len(columns) < 2:
        return None
    last = columns[-1]
    if not flow.is_live(right):
        last = (Atom(f"{call.name}.-1", call.shape[-1], feature=True),)
    before = [
        _wider(rows[place] if len(rows) >= -place else (), columns[place] if len(columns) >= -place else ())
        for place in range(-len(call.shape), -2)
    ]
    return (*before, rows[-2], last)


def _wider(one: Dimension, other: Dimension) -> Dimension:
    return one if core(one) or not core(other) else other


def _einsum(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions | None:
    letters = einsum_letters(call)
    if letters is None:
        return None
    of: dict[str, Dimension] = {}
    for name, each in zip(operands(call), letters[0], strict=True):
        for place, letter in enumerate(each):
            if not flow.is_live(name) and any(flow.is_live(other) for other in operands(call)):
                atom = Atom(f"{call.name}.{letter}", flow.shape(name)[place], feature=True)
                of.setdefault(letter, (atom,))
            else:
                of[letter] = known[name][place]
    return tuple(of[letter] for letter in letters[1])


def einsum_letters(call: TorchCall) -> tuple[tuple[str, ...], str] | None:
    """The letters of each operand and those of the result; None where the equation leaves them to be guessed."""
    equation = call.arguments[0]
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return None
    given, _, made = equation.replace(" ", "").partition("->")
    letters = tuple(given.split(","))
    return (letters, made) if len(letters) == len(operands(call)) else None


def _transpose(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    dims = list(known[operand(call, 0)])
    one, other = (call.arguments[1], call.arguments[2]) if len(call.arguments) > 2 else (-1, -2)
    dims[one], dims[other] = dims[other], dims[one]
    return tuple(dims)


def _permute(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    dims = known[operand(call, 0)]
    order: Sequence[int] = call.arguments[1]
    return tuple(dims[place] for place in order)


def _unsqueeze(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    dims = list(known[operand(call, 0)])
    place = call.arguments[1]
    dims.insert(place if place >= 0 else len(dims) + 1 + place, ())
    return tuple(dims)


def _squeeze(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    dims, shape = known[operand(call, 0)], flow.shape(operand(call, 0))
    places = call.arguments[1] if len(call.arguments) > 1 else range(len(dims))
    chosen = {place % len(dims) for place in ([places] if isinstance(places, int) else places)}
    return tuple(dim for place, dim in enumerate(dims) if not (place in chosen and shape[place] == 1))


def _expand(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    dims, shape = known[operand(call, 0)], flow.shape(operand(call, 0))
    made: list[Dimension] = []
    for place in range(-len(call.shape), 0):
        same = len(dims) >= -place and shape[place] == call.shape[place]
        made.append(dims[place] if same else (Atom(f"{call.name}.{place}", call.shape[place]),))
    return tuple(made)


def _view(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions | None:
    """Atoms laid out again: as many to each dimension as make its size, split where need be."""
    left = [atom for dimension in known[operand(call, 0)] for atom in dimension]
    made: list[Dimension] = []
    for size in call.shape:
        dimension: list[Atom] = []
        need = size
        if size == 1 and left and left[0].size == 1:
            dimension.append(left.pop(0))
        while need > 1:
            atom = left.pop(0)
            if need % atom.size == 0:
                dimension.append(atom)
                need //= atom.size
            elif atom.size % need == 0:
                outer, inner = split(atom, need)
                dimension.append(outer)
                left.insert(0, inner)
                need = 1
            else:
                return None
        made.append(_joined(dimension))
    return tuple(made)


def split(atom: Atom, outer: int) -> tuple[Atom, Atom]:
    """An atom in two, `outer` of one and the rest within."""
    inner = atom.size // outer
    return (
        Atom(f"{atom.name}<{outer}", outer, atom.feature),
        Atom(f"{atom.name}>{inner}", inner, atom.feature),
    )


def _joined(atoms: Sequence[Atom]) -> Dimension:
    """Atoms side by side; the two parts of one that lie as they lay are that one again."""
    made: list[Atom] = []
    for atom in atoms:
        made.append(atom)
        while len(made) > 1:
            outer, inner = made[-2:]
            whole, _, _ = outer.name.rpartition("<")
            both = Atom(whole, outer.size * inner.size, outer.feature)
            if not whole or split(both, outer.size) != (outer, inner):
                break
            made[-2:] = [both]
    return tuple(made)


def _part(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    """Some of a dimension: none of its atoms, but of their kind."""
    given = known[operand(call, 0)]
    shape = flow.shape(operand(call, 0))
    if call.word in ("select", "unbind"):
        place = call.arguments[1] if len(call.arguments) > 1 else 0
        return tuple(dim for at, dim in enumerate(given) if at != place % len(given))
    made: list[Dimension] = []
    for place, dim in enumerate(given):
        same = shape[place] == call.shape[place]
        made.append(dim if same else (Atom(f"{call.name}.{place}", call.shape[place], is_feature(dim)),))
    return tuple(made)


def _cat(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    names = operands(call)
    place = (call.arguments[1] if len(call.arguments) > 1 else 0) % len(call.shape)
    given = known[names[0]]
    if call.word == "stack":
        return (*given[:place], (Atom(f"{call.name}.{place}", call.shape[place]),), *given[place:])
    atom = Atom(f"{call.name}.{place}", call.shape[place], all(is_feature(known[name][place]) for name in names))
    return (*given[:place], (atom,), *given[place + 1 :])


def _reduced(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions | None:
    given = known[operand(call, 0)]
    places: Sequence[int] | None = call.arguments[1] if len(call.arguments) > 1 else None
    if not isinstance(places, list | tuple):
        return None
    chosen = {place % len(given) for place in places}
    keep = len(call.shape) == len(given)
    return tuple(() if at in chosen else dim for at, dim in enumerate(given) if keep or at not in chosen)


def _attended(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    return (*known[operand(call, 0)][:-1], known[operand(call, 2)][-1])


def _unknown(flow: Flow, call: TorchCall, known: SoFar) -> None:
    """It picks or reorders: its dimensions are those of none of its operands, though they may be as long."""


def _complex(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    """Two numbers as one, or one as two, which are features all the same."""
    given = known[operand(call, 0)]
    return given[:-1] if call.word == "view_as_complex" else (*given, (Atom(f"{call.name}.-1", 2, feature=True),))


def _convolved(flow: Flow, call: TorchCall, known: SoFar) -> Dimensions:
    feature = (Atom(f"{call.name}.1", call.shape[1], feature=True),)
    space = fresh(call.name, call.shape)[2:]
    return (known[operand(call, 0)][0], feature, *space)


PICKING = frozenset({
    "index", "gather", "index_select", "take_along_dim", "pad", "roll", "sort", "topk", "unfold", "fold", "repeat",
    "repeat_interleave",
})  # fmt: skip
RULES: dict[str, DimensionRule] = {
    **dict.fromkeys((*CASTS, *DROPOUT, *NORMS, *SOFTMAX, "contiguous", "clone", "alias"), _same),
    "embedding": _lookup,
    **dict.fromkeys(("linear", "linear_dynamic"), _linear),
    **dict.fromkeys(("matmul", "bmm", "baddbmm", "mm", "addmm"), _matmul),
    "einsum": _einsum,
    **dict.fromkeys(("transpose", "swapaxes", "t", "numpy_T", "mT"), _transpose),
    "permute": _permute,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    **dict.fromkeys(("expand", "expand_as"), _expand),
    **dict.fromkeys(
        ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as", "_reshape_alias"), _view
    ),
    **dict.fromkeys(
        ("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "select", "slice", "narrow"), _part
    ),
    **dict.fromkeys(("cat", "stack", "concat"), _cat),
    **dict.fromkeys(("mean", "sum", "var", "amax", "amin", "linalg_vector_norm"), _reduced),
    "scaled_dot_product_attention": _attended,
    **dict.fromkeys(("view_as_complex", "view_as_real"), _complex),
    **dict.fromkeys(PICKING, _unknown),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolved),
}
