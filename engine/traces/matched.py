"""Somebody else's values over our program: a dump, a recording, a run of another module, as far as its tensors were matched to stages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy.typing as npt

from ..messages.errors import InputError
from ..program.arrays import Array
from ..program.dtypes import DTYPES
from ..program.inputs import Inputs
from ..program.per_text import Index, is_rectangle
from ..program.stage import Shape
from ..program.trace import Trace
from ..program.value import ShapeAlone, Value
from ..program.weight import StageWeight, axes_of_weight
from .arrangement import AS_IT_LIES, Arrangement

KEPT = 4  # arrays that were read last


@dataclass(frozen=True, slots=True)
class ForeignTensor:
    """A tensor of somebody else's, of which nothing is read yet.

    Attributes:
        name: what they call it.
        shape: of it.
        dtype: as torch calls it: `bfloat16` is read as float32.
        read: the whole of it as an array, where such an array is read here.
        axes: what its axes are, where the operation that gives it says so; () where nothing does.
    """

    name: str
    shape: Shape
    dtype: str
    read: Callable[[], Array] = field(repr=False, compare=False)
    axes: tuple[str, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether its numbers are read: not of complex ones, of eight-bit floats, nor of a dtype that is not known here."""
        return self.dtype in DTYPES and bool(DTYPES[self.dtype].numpy)


@dataclass(frozen=True, slots=True)
class Match:
    """A stage of ours and the tensor of theirs that it is.

    Attributes:
        stage: its canonical name.
        theirs: what they call theirs.
        how: `map`, `name`, `value`, `follows` (what is computed from it is theirs), `moved` (the same numbers of a match in another order).
        layout: what is done to it.
        apart: how far it is from what ours gives there, as a share of the length of both: 0 for the same numbers; None where it was not looked at.
        note: what is odd about it.
    """

    stage: str
    theirs: str
    how: str
    layout: Arrangement = AS_IT_LIES
    apart: float | None = None
    note: str = ""


class Matched(Trace):
    """A trace whose program, axes and shapes are ours and whose values are theirs. A stage that nothing was matched to has none.

    Args:
        ours: whose program it is.
        tensors: theirs, by their names.
        matches: which stage is which of them.
        inputs: what went in there, as far as they say; ours where they do not.
        about: facts for people.
        origin: the run or recording that the tensors are of; None for files.
        unmatched: their names of those that no stage is.

    Attributes:
        tensors, origin, matches, unmatched: as given.
        by_stage: the match of each stage that has one.
        way: how theirs was computed, where it is ours computed another way: `attention by torch's kernel flash`; "" for anything else.
    """

    way = ""

    def __init__(
        self,
        ours: Trace,
        tensors: Mapping[str, ForeignTensor],
        matches: Sequence[Match],
        inputs: Inputs,
        about: Mapping[str, str],
        origin: Trace | None = None,
        unmatched: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.program, self.inputs, self.about = ours.program, inputs, dict(about)
        self.origin, self.matches, self.unmatched = origin, tuple(matches), tuple(unmatched)
        self.by_stage = {match.stage: match for match in self.matches}
        self.model_notes = tuple(notes)
        self._ours, self.tensors = ours, dict(tensors)
        self._read: OrderedDict[str, Array] = OrderedDict()

    @property
    def is_foreign(self) -> bool:
        return True

    @property
    def lent(self) -> frozenset[str]:
        return self._lent

    @cached_property
    def _lent(self) -> frozenset[str]:
        """What goes in, and what is made of that without weights, where theirs does not say it: the ids, the mask."""
        lent: set[str] = set()
        for stage in self.program:
            if (
                not stage.weights
                and lent.issuperset(stage.inputs)
                and not self.has(stage.name)
                and self._ours.has(stage.name)
            ):
                lent.add(stage.name)
        return frozenset(lent)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        return self._ours.shapes

    def has(self, name: str) -> bool:
        return name in self.by_stage

    def tensor_of(self, name: str) -> ForeignTensor:
        """Theirs, of a stage that has a match."""
        return self.tensors[self.by_stage[name].theirs]

    def word(self, number: int) -> str:
        return self._ours.word(number)

    def weight_value(self, weight: StageWeight) -> Value:
        shape = self.weight_shapes[weight.name]
        refusal = f"a reference of tensors alone holds no weights; open the model itself to look at {weight.name}"
        return ShapeAlone(
            weight.address, axes_of_weight(weight.stage, len(shape)), shape, self.about.get("dtype", "float32"), refusal
        )

    def value(self, name: str) -> Value:
        stage = self.program[name]
        if name in self.by_stage:
            value: Value = MatchedValue(
                name, stage.axes, self.shapes[name], self.tensor_of(name).dtype, lambda: self._array(name)
            )
        elif name in self.lent:
            return self._ours.value(name)
        else:
            value = ShapeAlone(
                name,
                stage.axes,
                self.shapes[name],
                self.about.get("dtype", "float32"),
                f"no tensor of the reference was matched to {name}",
            )
        value.tokens, value.word, value.labels = self.inputs.strings_along(stage), self.reader(stage), stage.labels
        return value

    def _array(self, name: str) -> Array:
        """Theirs in our order and shape; the last few are kept."""
        if name in self._read:
            self._read.move_to_end(name)
            return self._read[name]
        match, tensor = self.by_stage[name], self.tensor_of(name)
        try:
            array = match.layout.laid(tensor.read(), self.shapes[name])
        except (ValueError, IndexError):
            raise InputError(
                f"{tensor.name} of shape {list(tensor.shape)} cannot be laid out as {name}: {match.layout}"
            ) from None
        self._read[name] = array
        while len(self._read) > KEPT:
            self._read.popitem(last=False)
        return array


class MatchedValue(Value):
    """A value of theirs in our axes, read when it is looked at."""

    def __init__(self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str, array: Callable[[], Array]) -> None:
        self.name, self.axes, self.shape, self.dtype = name, axes, shape, dtype
        self._array = array

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        window = self._array()[bound]
        return window.copy() if isinstance(window, type(self._array())) else window
