"""Names of axes, from what the dimensions of a value are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....program.factors import Axes
from .dimensions import Dimension, Dimensions, core, extent_of, is_feature
from .layers import Unit
from .sides import Reading

ROWS = ("batch", "token", "hidden")
WIDE = ("batch", "token", "intermediate")
JOINT = ("batch", "token", "projections")
HEADS = ("batch", "head", "token", "head_dim")
SQUARE = ("batch", "head", "query", "key")
TEXTS = ("batch", "token")
# What comes after the last point of a name -> the axes of such a value, in whatever order they stand.
OF_ROLE: Mapping[str, Axes] = {
    **dict.fromkeys(("scores", "scaled", "biased", "masked", "weights", "additive"), SQUARE),
    **dict.fromkeys(("query_heads", "key_heads", "value_heads", "query_rotated", "key_rotated", "context"), HEADS),
    **dict.fromkeys(("query_scaled", "key_scaled"), HEADS),
    **dict.fromkeys(("gate", "activation", "gated", "up", "up_gate"), WIDE),
    "qkv": JOINT,
    **dict.fromkeys(("ids", "positions", "segments"), TEXTS),
}


@dataclass(frozen=True)
class Marks:
    """What counts texts and what counts tokens, and how wide the vectors are that go from layer to layer."""

    batches: frozenset[Dimension]
    tokens: frozenset[Dimension]
    hidden: int


def axes_of(known: Reading, names: Mapping[str, str], units: Sequence[Unit], texts: str, entry: str) -> dict[str, Axes]:
    """The axes of every value of which they are known.

    Args:
        names: value -> stage, and of heads computed one by one.
        texts: the value that holds the ids; "" where none does.
        entry: what goes into the first layer.
    """
    marks = _marks(
        known, units, [texts, *(value for value, name in names.items() if name.startswith("tokens."))], entry
    )
    axes: dict[str, Axes] = {}
    for value, dims in known.dims.items():
        if value in known.flow.graph.weights:
            continue
        name = names.get(value, "")
        wanted = OF_ROLE.get(name.rpartition(".")[2]) if name else None
        if name.endswith((".query", ".key", ".value")) and len(dims) == len(HEADS):  # apart already
            wanted = HEADS
        labelled = _labelled(dims, wanted, marks) if wanted is not None else None
        if labelled is None and wanted == SQUARE and name == "mask.additive":  # it is added to scores, place by place
            labelled = SQUARE
        counted = any(core(dim) in marks.tokens for dim in dims) and all(core(dim) for dim in dims[1:])
        if labelled is None and wanted != SQUARE and (name or counted):
            labelled = _labelled(dims, ROWS, marks) or _labelled(dims, TEXTS, marks)
        if labelled is not None:
            axes[value] = labelled
    return axes


def _marks(known: Reading, units: Sequence[Unit], texts: Sequence[str], entry: str) -> Marks:
    batches, tokens = set[Dimension](), set[Dimension]()
    for value in texts:
        if value and len(known.dims[value]) == 2:
            batch, token = (core(dim) for dim in known.dims[value])
            batches.add(batch)
            tokens.add(token)
    if units:
        one = units[0].whole
        square = known.dims[one.core]
        token = core(square[-2])
        if len(token) == 1:
            tokens.add(token)
        rest = [core(dim) for dim in known.dims.get(entry, ())[:-1] if core(dim) != token]
        if len(rest) == 1 and len(rest[0]) == 1 and not is_feature(rest[0]):
            batches.add(rest[0])
    shape = known.flow.shape(entry)
    return Marks(frozenset(filter(None, batches)), frozenset(filter(None, tokens)), shape[-1] if shape else 0)


def _labelled(dims: Dimensions, wanted: Axes, marks: Marks) -> Axes | None:
    """Names for the dimensions out of those wanted, each once; None where one does not fit.

    What is one long may be any that is left over, in order.
    """
    if len(dims) == len(wanted) - 1 and "head" in wanted:  # one head
        wanted = tuple(axis for axis in wanted if axis != "head")
    if len(dims) != len(wanted):
        return None
    left = list(wanted)
    made: list[str] = []
    for place, dim in enumerate(dims):
        name = _label(dim, place - len(dims), left, marks)
        if name is None:
            return None
        made.append(name)
        if name:
            left.remove(name)
    ones = iter(left)
    named = tuple(name or next(ones) for name in made)
    return named if len(set(named)) == len(named) else None


def _label(dim: Dimension, place: int, left: Sequence[str], marks: Marks) -> str | None:
    """One name out of those left; "" for what is one long; None where none fits."""
    of, size = core(dim), extent_of(dim)
    if not of:
        return ""
    if of in marks.batches and "batch" in left:
        return "batch"
    if of in marks.tokens:
        return next((axis for axis in ("token", "query", "key") if axis in left), None)
    if "key" in left and "query" not in left and not is_feature(of):  # of other tokens
        return "key"
    if is_feature(of) and all(atom.feature for atom in of):
        if "hidden" in left:
            return "hidden" if size == marks.hidden and place == -1 else None
        return next((axis for axis in ("head", "head_dim", "intermediate", "projections") if axis in left), None)
    if "hidden" in left and place == -1 and size == marks.hidden and len(left) == 1:
        return "hidden"
    return None
