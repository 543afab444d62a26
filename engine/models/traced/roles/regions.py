"""Several calls that together make one value of another, with nothing else live going in: an activation written out, a rotation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..graph import TorchCall
from .flow import CASTS, MOVES, PARTS, Flow, operands

JOINING = frozenset({
    "mul", "add", "sub", "neg", "cat", "stack", "concat", "view_as_complex", "view_as_real", "copy_", "written_into",
})  # fmt: skip
TURNING = MOVES | CASTS | PARTS | JOINING
MOST = 40  # calls of one


@dataclass(frozen=True)
class Region:
    """The calls between two values, of which all live numbers pass through the first.

    Attributes:
        entry: the value that everything is made of.
        calls: those between, and the one that gives the result.
    """

    entry: str
    calls: tuple[TorchCall, ...]

    @property
    def words(self) -> frozenset[str]:
        """The operations in it."""
        return frozenset(call.word for call in self.calls)


def region(flow: Flow, name: str, words: frozenset[str]) -> Region | None:
    """The shortest one that ends in a value; None where other operations stand between, or several values go in."""
    edge, calls = {name}, list[TorchCall]()
    while len(edge) != 1 or not calls:
        last = max(edge, key=lambda value: flow.order.get(value, -1))
        call = flow.call(last)
        if call is None or call.word not in words or len(calls) == MOST:
            return None
        edge.remove(last)
        calls.append(call)
        edge.update(part for part in call.inputs if flow.is_live(part))
    return Region(edge.pop(), tuple(calls))


@dataclass(frozen=True)
class Rotation:
    """Queries or keys turned by their positions (Su et al. 2021).

    Attributes:
        entry: what was turned.
        steps: the calls between that only it needs.
        tables: what it was multiplied with: cosines and sines, or complex numbers.
    """

    entry: str
    steps: tuple[str, ...]
    tables: tuple[str, ...]


def rotation(flow: Flow, name: str) -> Rotation | None:
    """x · cos + turned(x) · sin, in halves or in pairs, of all of x or of its first elements, or the same in complex numbers."""
    whole = region(flow, name, TURNING)
    while whole is not None and not whole.words & {"neg", "sub", "view_as_complex"}:  # one step after the other
        further = region(flow, whole.entry, TURNING)
        whole = None if further is None else Region(further.entry, (*whole.calls, *further.calls))
    if whole is None or _size(flow, whole.entry) != _size(flow, name):
        return None
    products = [call for call in whole.calls if call.word == "mul" and len(operands(call)) == 2]
    tables = [part for call in products for part in operands(call) if not flow.is_live(part)]
    different = tuple(dict.fromkeys(flow.root(table) for table in tables))
    turns = len(different) == 2 and whole.words & {"neg", "sub"}
    complex_turns = len(different) == 1 and {"view_as_complex", "view_as_real"} <= whole.words
    if not (turns or complex_turns) or any(len(flow.shape(table)) < 2 for table in different):
        return None
    return Rotation(whole.entry, tuple(call.name for call in whole.calls if call.name != name), different)


def _size(flow: Flow, name: str) -> int:
    return math.prod(flow.shape(name))
