"""Values of a recording: those whose numbers it has, and those of which it says why it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from ..program.per_text import Index, is_rectangle
from ..program.stage import Shape
from ..program.stats import Stats
from ..program.value import ArrayValue, ShapeAlone

WHOLE_FIGURES = ("nan", "inf", "min", "max", "absmax")  # those that can be told of a value without its numbers


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A value whose numbers were not kept.

    Attributes:
        why: and what to do: `over the budget of 2.0 GiB: record(..., budget=3221225472) keeps it`.
        figures: of all its numbers; None where those are not known either.
    """

    why: str
    figures: Stats | None = None

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> LeftOut | None:
        """Of a stage in a manifest; None where it says nothing of the kind."""
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


class LeftOutValue(ShapeAlone):
    """The value of a stage whose numbers were not kept: its shape is known, and perhaps what its numbers were like."""

    def __init__(self, name: str, axes: tuple[str, ...], shape: Shape, dtype: str, left_out: LeftOut) -> None:
        super().__init__(name, axes, shape, dtype, f"{name} is not kept: {left_out.why}")
        self.left_out = left_out

    def stats(self, index: Index | str = (), *, histogram: bool = True) -> Stats:
        """Those of the whole value; a window's cannot be had (`InputError`)."""
        figures = self.left_out.figures
        if figures is None or self.window_shape(self.bind(index)) != self.shape:
            raise InputError(self.refusal)
        return figures

    def quick(self, word: str, index: Index | str = ()) -> float | None:
        figures = self.left_out.figures
        if figures is None or word not in WHOLE_FIGURES or self.window_shape(self.bind(index)) != self.shape:
            return None
        return float(getattr(figures, word))
