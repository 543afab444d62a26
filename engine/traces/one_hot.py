"""One-hot rows as the ids that say the same: their figures without counting, and any window without the rest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..program.per_text import Index, is_rectangle
from ..program.stage import Shape
from ..program.value import Value


def one_hot_figure(word: str, shape: Shape) -> float | None:
    """A figure of rows with a one in a single place and zeros in all others; None for `entropy`.

    Args:
        shape: of the value: rows before places.
    """
    places = shape[-1]
    share = 1 / places
    return {
        "nan": 0.0, "inf": 0.0, "absmax": 1.0, "min": float(places == 1), "max": 1.0, "mean": share,
        "std": math.sqrt(share * (1 - share)), "norm": math.sqrt(math.prod(shape[:-1])), "sparsity": 1 - share,
    }.get(word)  # fmt: skip


class OneHotValue(Value):
    """Rows from ids (batch, token) alone; only the window that is read is ever built."""

    def __init__(self, name: str, axes: tuple[str, ...], ids: npt.NDArray[np.int64], shape: Shape) -> None:
        self.name, self.axes, self.shape, self.dtype = name, axes, shape, "int64"
        self.ids = ids

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        if not is_rectangle(bound):
            return self._text_by_text(bound)
        batch, token, vocabulary = bound
        return np.asarray(
            self.ids[batch, token][..., None] == np.arange(self.shape[2])[vocabulary], dtype=np.int64
        ).reshape(self.window_shape((batch, token, vocabulary)))

    def quick(self, word: str, index: Index | str = ()) -> float | None:
        return None if index else one_hot_figure(word, self.shape)
