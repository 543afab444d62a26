"""Values of a recording: those whose numbers it has, and those of which it says why it has none, or only a corner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from ..program.addresses import AT
from ..program.arrays import Array
from ..program.kinds import KEPT
from ..program.per_text import Index, PerText, Rectangle, is_rectangle
from ..program.stage import Shape, write_shape
from ..program.stats import Stats
from ..program.value import ArrayValue, ShapeAlone, Value

WHOLE_FIGURES = ("nan", "inf", "min", "max", "absmax")  # those that can be told of a value without its numbers


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A value whose numbers were not kept.

    Attributes:
        why: and what to do: `over the budget of 2.0 GiB: record(..., budget=3221225472) keeps it`.
        figures: of all its numbers; None where those are not known either.
        corner: the first of its numbers along each axis, as they lie in memory; None where none were kept.
    """

    why: str
    figures: Stats | None = None
    corner: Array | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> LeftOut | None:
        """Of a stage in a manifest, which holds no numbers; None where it says nothing of the kind."""
        if "left_out" not in facts:
            return None
        figures = facts.get("figures")
        return cls(
            facts["left_out"], Stats(**figures | {"histogram": tuple(figures["histogram"])}) if figures else None
        )

    def written(self) -> dict[str, Any]:
        """The same for a manifest."""
        return {"left_out": self.why} | ({"figures": asdict(self.figures)} if self.figures is not None else {})


def no_weights(name: str) -> str:
    """What whoever reads a weight of a recording is told."""
    return f"a recording holds no weights; open the model itself to look at {name}"


class RecordedValue(ArrayValue):
    """A value in a file; bfloat16, which numpy lacks, lies there as its upper 16 bits of a float32."""

    def __init__(self, name: str, axes: tuple[str, ...], array: npt.NDArray[Any], dtype: str) -> None:
        super().__init__(name, axes, array, dtype)

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        window = super().read(bound)
        if self.dtype != "bfloat16":
            return window
        return np.asarray(np.left_shift(window.astype(np.uint32), 16)).view(np.float32)


class ComputedValue(Value):
    """A value that was not held, and is computed again when it is read.

    Args:
        name, axes, shape, dtype: as of any value.
        numbers: computes it, as it lies in memory.
    """

    def __init__(
        self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str, numbers: Callable[[], Array]
    ) -> None:
        self.name, self.axes, self.shape, self.dtype, self._numbers = name, axes, shape, dtype, numbers

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        return RecordedValue(self.name, self.axes, self._numbers(), self.dtype).read(bound)


class KeptValue(RecordedValue):
    """The corner of a value that was kept: the first numbers along each axis, `STAGE@kept`."""

    def bind(self, index: Index | str = ()) -> Index:
        bound = super().bind(index)
        for part, size, axis in zip(bound, self.shape, self.axes, strict=True):
            places = part.places if isinstance(part, PerText) else [part] if isinstance(part, int) else []
            if any(place is not None and place >= size for place in places):  # a token by its name
                raise InputError(f"{self.name} is the first {size} along {axis}, and that is not among them")
        return bound


class LeftOutValue(ShapeAlone):
    """The value of a stage whose numbers were not kept, or only a corner of them: its shape is known, and perhaps what its numbers were like."""

    def __init__(self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str, left_out: LeftOut) -> None:
        corner = left_out.corner
        kept = f"; {name}{AT}{KEPT} are the first {write_shape(corner.shape)} of it" if corner is not None else ""
        super().__init__(name, axes, shape, dtype, f"{name} is not kept: {left_out.why}{kept}")
        self.left_out = left_out

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        """A window that lies in the corner; of any other there is nothing but the refusal."""
        bound, kept = self.bind(index), self.corner()
        if kept is None:
            raise InputError(self.refusal)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        return kept.read(self._within(bound, kept.shape))

    def corner(self) -> KeptValue | None:
        """What is kept of it, as a value of its own."""
        if self.left_out.corner is None:
            return None
        kept = KeptValue(f"{self.name}{AT}{KEPT}", self.axes, self.left_out.corner, self.dtype)
        kept.tokens, kept.word, kept.labels = self.tokens, self.word, self.labels
        return kept

    def beside(self) -> dict[str, Callable[[], Value]]:
        """The same for whoever asks what the stage has besides its value."""
        kept = self.corner()
        return {} if kept is None else {KEPT: lambda: kept}

    def _within(self, bound: Rectangle, kept: Shape) -> Rectangle:
        """The same window, of the corner.

        Raises:
            InputError: it reaches beyond that.
        """
        within: list[int | slice] = []
        for part, size, there in zip(bound, self.shape, kept, strict=True):
            places = range(*part.indices(size)) if isinstance(part, slice) else range(part, part + 1)
            if places and max(places) >= there:
                raise InputError(self.refusal)
            stop = places.stop if places.stop >= 0 else None
            within.append(slice(places.start, stop, places.step) if isinstance(part, slice) else part)
        return tuple(within)

    def stats(self, index: Index | str = (), *, histogram: bool = True) -> Stats:
        """Those of the whole value, or of a window of what is kept; of any other window there are none (`InputError`)."""
        figures = self.left_out.figures
        if figures is None or self.window_shape(self.bind(index)) != self.shape:
            return super().stats(index, histogram=histogram)
        return figures

    def quick(self, word: str, index: Index | str = ()) -> float | None:
        figures = self.left_out.figures
        if figures is None or word not in WHOLE_FIGURES or self.window_shape(self.bind(index)) != self.shape:
            return None
        return float(getattr(figures, word))
