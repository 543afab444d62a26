"""A value: something one reads windows of."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from .index import NO_TOKENS, Along, Written, bind_index, parse_index
from .per_text import Index, by_text, is_rectangle
from .python_index import written_index
from .shown import InNotebooks, above
from .stage import Shape
from .stats import Stats, gather
from .torch_calls import from_numpy

if TYPE_CHECKING:
    import torch

BLOCK_ELEMENTS = 1 << 20


class Value(InNotebooks, ABC):
    """The result of one stage. Shape, axes and dtype are known at once; numbers come through `read`.

    Behind it may stand a tensor in memory, one on a GPU, one that will be computed when read, rows of a tensor that is
    never built whole, or a file.

    Attributes:
        name: the stage's.
        axes: a name for each axis, `("batch", "head", "query", "key")`.
        shape: a size for each axis.
        dtype: as torch calls it: `float32`, `bfloat16`, `int64`, `bool`.
        tokens: the tokens' strings along each axis that has any: `tokens["key"][batch][token]`.
        word: the token of an id, for values that hold ids and for axes over the vocabulary; of labels, their names.
        labels: names of the places along the axis `label`.
    """

    name: str
    axes: tuple[str, ...]
    shape: Shape
    dtype: str
    tokens: Along = NO_TOKENS
    word: Callable[[int], str] = str
    labels: Sequence[str] = ()

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def holds_ids(self) -> bool:
        """Whether its numbers are ids of tokens or labels, to be read as words."""
        return self.name.endswith(".ids") or self.axes[-1:] == ("rank",)

    @abstractmethod
    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        """A window as a numpy array of its own.

        Args:
            index: an int or slice for each axis from the first (missing ones are whole), or an index as written:
                `'head=3, query="cat"'`. A token's name means that token of each text by itself, wherever it stands there.

        Returns:
            The window; an int or a name takes its axis away, as an int does in numpy. bfloat16 comes as float32, which
            holds it exactly.

        Raises:
            InputError: the index does not fit; a text that is meant lacks the token, or has several of that name.
        """

    def stats(self, index: Index | str = (), *, histogram: bool = True) -> Stats:
        """Statistics of the whole value or of a window."""
        bound = self.bind(index)
        return gather(self.pieces(bound), self.pieces(bound) if histogram else None)

    def quick(self, word: str, index: Index | str = ()) -> float | None:
        """A figure (`nan`, `inf`, `min`, `max`, `absmax`) where it can be had without reading out every number."""
        return None

    def rows(self, figure: str, first: int | None = None) -> npt.NDArray[np.float64]:
        """A figure of each row (last axis), or of the first numbers of each, in a flat array.

        Args:
            figure: `sum` or `var`, which divides by n.
        """
        figures: list[npt.NDArray[np.float64]] = []
        for block in self.pieces():
            wide = np.atleast_2d(block)[..., :first].astype(np.float64)
            figures.append((wide.sum(axis=-1) if figure == "sum" else wide.var(axis=-1)).ravel())
        return np.concatenate(figures) if figures else np.zeros(0)

    def numpy(self) -> npt.NDArray[Any]:
        """The whole value as a numpy array of its own."""
        return self.read()

    def tensor(self) -> torch.Tensor:
        """The whole value as a torch tensor of its own: writing to it changes nothing here."""
        return from_numpy(self.read())

    def bind(self, index: Index | str = ()) -> Index:
        """The index with one entry for each axis, checked against the shape."""
        if not isinstance(index, str):
            return bind_index(Written(tuple(index)), self.shape, self.axes, self.tokens, self.labels)
        return bind_index(parse_index(index), self.shape, self.axes, self.tokens, self.labels)

    def window_shape(self, index: Index) -> Shape:
        """Shape of what `read` returns for a bound index."""
        pairs = zip(index, self.shape, strict=True)
        return tuple(len(range(*part.indices(size))) for part, size in pairs if isinstance(part, slice))

    def _text_by_text(self, bound: Index) -> npt.NDArray[Any]:
        """A window that is another one in each text, which `read` then reads one after the other."""
        return np.stack([np.asarray(self.read(alone)) for alone in by_text(bound, self.shape[0])])

    def blocks(self, index: Index | str = ()) -> Iterator[npt.NDArray[Any]]:
        """The window in pieces of about a million elements, in the order of the elements (rows before columns)."""
        index = self.bind(index)
        shape = self.window_shape(index)
        total = int(np.prod(shape, dtype=np.int64))
        if total <= BLOCK_ELEMENTS or not shape:
            yield np.asarray(self.read(index))
            return
        slices = [axis for axis, part in enumerate(index) if isinstance(part, slice)]
        cut = next(i for i, size in enumerate(shape) if size > 1)
        axis, size = slices[cut], shape[cut]
        part = index[axis]
        assert isinstance(part, slice)
        places = range(*part.indices(self.shape[axis]))
        step = max(1, BLOCK_ELEMENTS // (total // size))
        for start in range(0, size, step):
            piece = places[start : start + step]
            stop = piece.stop if piece.stop >= 0 else None
            yield from self.blocks((*index[:axis], slice(piece.start, stop, piece.step), *index[axis + 1 :]))

    def pieces(self, index: Index | str = ()) -> Iterator[npt.NDArray[Any]]:
        """The window in pieces, in whatever order costs least; for those who only count and add."""
        return self.blocks(index)

    # -- as numpy's users expect ---------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """The whole value, for `np.asarray(value)` and every function that takes an array.

        Raises:
            InputError: its numbers cannot be had.
            ValueError: it is asked for without a copy: the numbers may be on a GPU, in a file, or not computed yet.
        """
        if copy is False:
            raise ValueError(f"the numbers of {self.name} cannot be had without a copy")
        return np.asarray(self.read(), dtype)

    def __getitem__(self, key: Any) -> Any:
        """A window as numpy gives it: `value[0, 3]`, `value[..., -1]`, and with names: `value[0, "head=3"]`; see `written_index`.

        Returns:
            An array of its own, (what the slices leave); a number where every axis is given one.

        Raises:
            InputError: the index does not fit, or the numbers cannot be had.
        """
        return self.read(bind_index(written_index(key), self.shape, self.axes, self.tokens, self.labels))[()]

    def __len__(self) -> int:
        """The size of the first axis.

        Raises:
            TypeError: it has none: it is one number.
        """
        if not self.shape:
            raise TypeError(f"{self.name} is one number and has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Along the first axis; each part is read when it is come to."""
        return (self[place] for place in range(len(self)))

    def __bool__(self) -> bool:
        """True: it is there. Of an array of several numbers numpy would have it neither True nor False."""
        return True

    # -- where people are ----------------------------------------------------------------------------------------

    def html(self, index: Index | str = ()) -> str:
        """A window (all of it, if none is named) as a piece of HTML: heat maps with the tokens' names; of ids, the words.

        What is larger than a page is down-sampled, and says so. It needs no script and no network.

        Raises:
            InputError: as `read`.
        """
        return above("pages.notebook").piece_of(self, index)

    def plot(self, index: Index | str = (), *, axes: Any = None) -> Any:
        """A window of one or two axes, drawn by matplotlib (`pip install 'encoder-tui[plot]'`) with the tokens' names.

        Args:
            index: as `read` takes it; of a batch of one text, and of other axes of size one, the only place is meant.
            axes: where to draw; None for a figure of its own.

        Returns:
            matplotlib's axes, to be written on further.

        Raises:
            InputError: matplotlib is not installed, the window has more than two axes, or as `read`.
        """
        return above("pages.plot").draw(self, index, axes)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{axis}={size}" for axis, size in zip(self.axes, self.shape, strict=True))
        return f"<{self.name} [{sizes}] {self.dtype}>"


class ArrayValue(Value):
    """A value whose numbers are at hand as an array: in memory, or mapped from a file."""

    def __init__(
        self,
        name: str,
        axes: tuple[str, ...],
        array: npt.NDArray[Any],
        dtype: str | None = None,
        tokens: Along = NO_TOKENS,
    ) -> None:
        self.name, self.axes, self.array = name, axes, array
        self.shape = tuple(array.shape)
        self.dtype = dtype or str(array.dtype)
        self.tokens = tokens

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        return np.array(self.array[bound]) if is_rectangle(bound) else self._text_by_text(bound)


class ShapeAlone(Value):
    """A value whose shape is known and whose numbers are not.

    Args:
        name, axes, shape, dtype: as of any value.
        refusal: why, and what to do: the line that whoever reads it is told.
    """

    def __init__(self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str, refusal: str) -> None:
        self.name, self.axes, self.shape, self.dtype, self.refusal = name, axes, shape, dtype, refusal

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        raise InputError(self.refusal)
