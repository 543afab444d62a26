"""A value of a run: computed when it is first read, and read where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from ..ops import OneHot, Op
from ..program.index import Along
from ..program.per_text import Index, PerText, Rectangle, by_text, is_rectangle
from ..program.stage import Stage
from ..program.value import Value
from .compute import Computation
from .one_hot import one_hot_figure
from .out_of_memory import with_room
from .ranges.extents import Extents, ends, figure_of
from .ranges.rows import row_figures
from .tensors import indexed, to_numpy

QUICK = ("nan", "inf", "min", "max", "absmax")


class RunValue(Value):
    """A value of a run; it is computed when it is first read.

    Args:
        computation: what computes it; extents: how large it and what goes into it are.
        stage: whose value.
        tokens: along each axis; word: what the numbers are called, or the places along the last axis.
    """

    def __init__(
        self,
        computation: Computation,
        extents: Extents,
        stage: Stage,
        tokens: Along,
        word: Callable[[int], str],
    ) -> None:
        self.computation, self.extents, self.stage = computation, extents, stage
        self.name, self.axes = stage.name, stage.axes
        self.shape = computation.shape(stage.name)
        self.dtype = str(computation.dtype(stage.name)).removeprefix("torch.")
        self.tokens = tokens
        self.word, self.labels = word, stage.labels

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        self.computation.go_on(self.name)
        return with_room(self.computation, self.name, lambda: to_numpy(self._window(bound)))

    def tensor(self) -> torch.Tensor:
        return with_room(self.computation, self.name, lambda: self._window(self.bind()).clone())

    def quick(self, word: str, index: Index | str = ()) -> float | None:
        """From what is known of the inputs, or one pass over the tensor where it lies.

        None when only counting or leaving out elements gives the answer.
        """
        if isinstance(self.stage.op, OneHot):
            return None if index else one_hot_figure(word, self.shape)
        if word not in QUICK or self.computation.is_windowed(self.name):
            return None
        if not index:
            return self.extents.figure(self.name, word)
        return figure_of(ends(self._window(self.bind(index))), word)

    def rows(self, figure: str, first: int | None = None) -> npt.NDArray[np.float64]:
        if self.computation.is_windowed(self.name):
            return super().rows(figure, first)
        work = lambda: to_numpy(row_figures(self.computation.tensor(self.name), figure, first))  # noqa: E731
        return with_room(self.computation, self.name, work).astype(np.float64).ravel()

    def pieces(self, index: Index | str = ()) -> Iterator[npt.NDArray[Any]]:
        """Rows together where rows are computed together: in the order of the elements each head would compute them anew."""
        bound = self.bind(index)
        axis = len(self.shape) - 2
        if not self.computation.is_windowed(self.name) or self._never_built or not is_rectangle(bound):
            yield from self.blocks(bound)
            return
        for part in self.computation.in_rows.parts(self.name):
            here = narrowed(bound, axis, slice(part.start, part.stop), self.shape[axis])
            if here is not None and part.heads is not None:
                here = narrowed(here, 1, part.heads, self.shape[1])
            if here is not None:
                yield self.read(here)

    @property
    def _never_built(self) -> bool:
        """Whether its operation is only ever asked for windows."""
        return cast(Op, self.stage.op).windows

    def _window(self, index: Index) -> torch.Tensor:
        computation = self.computation
        if not computation.is_windowed(self.name) or computation.known(self.name) is not None:
            return indexed(computation.tensor(self.name), index)
        built = not self._never_built
        if is_rectangle(index):
            return self._from_rows(index) if built else self._one_hot(index)
        if not built or isinstance(index[-2], PerText):  # other rows in each text
            return torch.stack([self._window(alone) for alone in by_text(index, self.shape[0])])
        return self._from_rows(index)

    def _one_hot(self, index: Rectangle) -> torch.Tensor:
        """A window of rows with a one in a single place, which are never built whole."""
        slices: list[slice] = []
        flips: list[int] = []
        for axis, (part, size) in enumerate(zip(index, self.shape, strict=True)):
            places = range(part, part + 1) if isinstance(part, int) else range(*part.indices(size))
            if places.step < 0:  # torch has no negative steps
                flips.append(axis)
                places = places[::-1]
            slices.append(slice(places.start, places.stop, places.step))
        inputs = [self.computation.tensor(name) for name in self.stage.inputs]
        window = cast(OneHot, self.stage.op).window(inputs, cast(Any, tuple(slices))).flip(flips)
        return window[tuple(0 if isinstance(part, int) else slice(None) for part in index)]

    def _from_rows(self, index: Index) -> torch.Tensor:
        """Read through blocks of rows, each cut to what is wanted of it before the next is computed; of no heads but those that are wanted."""
        axis = len(self.shape) - 2
        part = index[axis]
        assert not isinstance(part, PerText)
        places = range(part, part + 1) if isinstance(part, int) else range(*part.indices(self.shape[axis]))
        heads, index = self._heads_of(index)
        pieces: list[torch.Tensor] = []
        for start, stop in self.computation.in_rows.blocks(self.name):
            wanted = [place for place in places if start <= place < stop]
            if wanted:
                first, last = min(wanted), max(wanted)
                block = self.computation.rows(self.name, first, last + 1, heads)
                chosen = torch.tensor([place - first for place in wanted], device=self.computation.device)
                pieces.append(indexed(block.index_select(axis, chosen), (*index[:axis], slice(None), index[axis + 1])))
        at = sum(isinstance(before, slice) for before in index[:axis])
        if not pieces:
            empty = self.computation.rows(self.name, 0, 1, heads)
            return indexed(empty, (*index[:axis], slice(0, 0), index[axis + 1]))
        if places.step < 0:
            pieces.reverse()
        whole = torch.cat(pieces, dim=at)
        return whole.select(at, 0) if isinstance(part, int) else whole

    def _heads_of(self, index: Index) -> tuple[slice | None, Index]:
        """The heads that an index wants, and the index within those."""
        if len(self.shape) != 4 or isinstance(index[1], PerText):
            return None, index
        part = index[1]
        places = range(part, part + 1) if isinstance(part, int) else range(*part.indices(self.shape[1]))
        if not places:
            return None, index
        first = min(places)
        inside = part - first if isinstance(part, int) else shifted(places, -first)
        return slice(first, max(places) + 1), (index[0], inside, *index[2:])


def narrowed(index: Rectangle, axis: int, span: slice, size: int) -> Rectangle | None:
    """An index as far as it lies in a span of an axis; None where it does not."""
    part = index[axis]
    if isinstance(part, int):
        return index if span.start <= part < span.stop else None
    places = [place for place in range(*part.indices(size)) if span.start <= place < span.stop]
    if not places:
        return None
    step = part.indices(size)[2]
    return (*index[:axis], shifted(range(places[0], places[-1] + (1 if step > 0 else -1), step), 0), *index[axis + 1 :])


def shifted(places: range, by: int) -> slice:
    """The slice of places that lie elsewhere by so much."""
    stop = places.stop + by
    return slice(places.start + by, stop if stop >= 0 else None, places.step)
