"""The reference and the difference as values in the coordinates of ours, for a view that shows A, B and A - B."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...messages.errors import InputError
from ...program.addresses import ValuesBeside
from ...program.dtypes import coarser
from ...program.index import TOKEN_AXES
from ...program.per_text import Index, is_rectangle
from ...program.stage import Stage
from ...program.trace import Trace
from ...program.value import Value
from .added_error import counterpart, same_shapes
from .align import Alignment, align_traces
from .hidden_keys import HIDES, Hidden, may_hide

if TYPE_CHECKING:
    from .comparison import Comparison


@dataclass(frozen=True, slots=True)
class Reference:
    """What a session was last compared with.

    Attributes:
        title: as it was typed: `model ./port`.
        trace: the other one.
        ours: what it was compared with.
        alignment: which token belongs to which.
        comparison: the figures of every stage, as they were then; None where only values are wanted.
        generation: the session's, then.
    """

    title: str
    trace: Trace
    ours: Trace
    alignment: Alignment
    comparison: Comparison | None = None
    generation: int = 0

    def value(self, trace: Trace, stage: str) -> Value:
        """B: the reference's value of a stage, in the coordinates of the trace that is looked at.

        Raises:
            InputError: the reference has no such stage, or not of that shape.
        """
        return AlignedValue(*self._both(trace, stage), trace.program[trace.program.resolve(stage)])

    def difference(self, trace: Trace, stage: str) -> Value:
        """A - B: the value of the trace that is looked at minus the reference's.

        Raises:
            InputError: as `value`.
        """
        ours, theirs, alignment = self._both(trace, stage)
        place = trace.program[ours.name]
        return DifferenceValue(ours, theirs, alignment, place, Hidden(trace, place) if may_hide(place) else None)

    def beside(self, trace: Trace, stage: Stage) -> ValuesBeside:
        """`STAGE@reference` and `STAGE@difference`: both, as values that every stage has besides its own."""
        return {
            "reference": partial(self.value, trace, stage.name), "difference": partial(self.difference, trace, stage.name),
        }  # fmt: skip

    def _both(self, trace: Trace, stage: str) -> tuple[Value, Value, Alignment]:
        theirs, name = self.trace, trace.program.resolve(stage)
        if counterpart(trace.program[name], theirs.program) is None or not theirs.has(name):
            raise InputError(f"the reference ({self.title}) has no {name}")
        if not same_shapes(trace.program[name], trace.shapes[name], theirs.shapes[name]):
            raise InputError(f"{name} has another shape in the reference ({self.title})")
        alignment = self.alignment if self.ours is trace else align_traces(trace, theirs)
        return trace.value(name), theirs.value(name), alignment


class AlignedValue(Value):
    """The reference's value in our coordinates: NaN where a token of ours has no partner.

    Args:
        ours, theirs: values of one stage.
        alignment: which token belongs to which.
        stage: whose value it is.
    """

    def __init__(self, ours: Value, theirs: Value, alignment: Alignment, stage: Stage) -> None:
        self.name, self.axes, self.shape, self.dtype = ours.name, ours.axes, ours.shape, theirs.dtype
        self.tokens, self.word, self.labels = ours.tokens, theirs.word, theirs.labels
        self.theirs, self.alignment, self.stage = theirs, alignment, stage
        if not alignment.same and not theirs.dtype.startswith(("float", "bfloat")):
            self.dtype = "float64"  # to have NaN in it
        self._ids = alignment.same and theirs.holds_ids

    @property
    def holds_ids(self) -> bool:
        return self._ids

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        if self.alignment.same:
            return self.theirs.read(bound)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        wanted = [
            np.arange(size)[part if isinstance(part, slice) else slice(part, part + 1)]
            for part, size in zip(bound, self.shape, strict=True)
        ]
        result = np.full([len(places) for places in wanted], np.nan, dtype=_numpy_type(self.dtype))
        batch = self.axes.index("batch") if "batch" in self.axes else None
        for at, row in enumerate(wanted[batch] if batch is not None else [0]):
            self._fill(result, wanted, batch, at, int(row))
        return result[tuple(0 if isinstance(part, int) else slice(None) for part in bound)]

    def _fill(
        self, result: npt.NDArray[Any], wanted: list[npt.NDArray[Any]], batch: int | None, at: int, row: int
    ) -> None:
        """One text's part of the window."""
        if row >= len(self.alignment.pairs):
            return
        pair = self.alignment.pairs[row]
        index: list[slice] = []
        source: list[npt.NDArray[Any]] = []
        target: list[npt.NDArray[Any]] = []
        for axis, (name, places) in enumerate(zip(self.axes, wanted, strict=True)):
            if axis == batch:
                index.append(slice(pair.other, pair.other + 1))
                source.append(np.zeros(1, dtype=int))
                target.append(np.array([at]))
            elif (
                name in TOKEN_AXES
                and self.shape[axis] == (along := self.alignment.along(self.stage, name)).ours.shape[1]
            ):
                partner = np.full(self.shape[axis], -1)
                partner[along.pairs[row].ours] = along.pairs[row].theirs
                partners = partner[places]
                kept = np.flatnonzero(partners >= 0)
                if not len(kept):
                    return
                low = int(partners[kept].min())
                index.append(slice(low, int(partners[kept].max()) + 1))
                source.append(partners[kept] - low)
                target.append(kept)
            else:
                low, high = (int(places.min()), int(places.max()) + 1) if len(places) else (0, 0)
                index.append(slice(low, high))
                source.append(places - low)
                target.append(np.arange(len(places)))
        result[np.ix_(*target)] = self.theirs.read(tuple(index))[np.ix_(*source)]


class DifferenceValue(Value):
    """Ours minus the reference's, in our coordinates.

    Where both are hidden by a mask, are NaN, or are the same infinity, it is 0; where one side alone is NaN or a token has no
    partner it is NaN.

    Args:
        hidden: what tells where ours is hidden; None where nothing is.
    """

    def __init__(
        self, ours: Value, theirs: Value, alignment: Alignment, stage: Stage, hidden: Hidden | None = None
    ) -> None:
        self.ours, self.theirs = ours, AlignedValue(ours, theirs, alignment, stage)
        self.name, self.axes, self.shape = ours.name, ours.axes, ours.shape
        self.tokens, self.word, self.labels = ours.tokens, ours.word, ours.labels
        self._hidden = hidden
        self._whole = not coarser(ours.dtype, theirs.dtype)
        self.dtype = "float64" if self._whole or "float64" in (ours.dtype, theirs.dtype) else "float32"

    @property
    def holds_ids(self) -> bool:
        return False

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        a = np.asarray(self.ours.read(bound)).astype(self.dtype)
        b = np.asarray(self.theirs.read(bound)).astype(self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            apart = np.asarray(a - b)
            settled = (a == b) | (np.isnan(a) & np.isnan(b) & self._partnered(bound))
            if self._hidden:
                settled |= self._hidden.places(a, bound) & (b < HIDES)
        apart[settled] = 0
        return apart

    def _partnered(self, bound: Index) -> npt.NDArray[np.bool_] | bool:
        """Where the reference has a value at all: NaN there is its own."""
        alignment = self.theirs.alignment
        if alignment.same:
            return True
        ones = _Ones(self.theirs.theirs)
        return np.asarray(AlignedValue(self.ours, ones, alignment, self.theirs.stage).read(bound)) == 1


class _Ones(Value):
    """Ones in the shape of another value."""

    def __init__(self, like: Value) -> None:
        self.name, self.axes, self.shape, self.dtype = like.name, like.axes, like.shape, "float32"

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        return np.ones(self.window_shape(self.bind(index)), dtype=np.float32)


def _numpy_type(dtype: str) -> str:
    return "float32" if dtype == "bfloat16" else dtype
