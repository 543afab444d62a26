"""How a share is drawn as a line: the larger it is, the thicker and the denser."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .braille import Stroke

# From which share of the largest number on a line is drawn so: how thick, and how far apart its dots are.
STYLES = ((0.5, 3, 1), (0.2, 2, 1), (0.06, 1, 1), (0.02, 1, 4))
SAMPLES = ("⣶⣶", "⠶⠶", "⠤⠤", "⠄⠄")
LEAST = STYLES[-1][0]  # of a smaller share no line is drawn
_LEAST_OF = -np.array([least for least, _, _ in STYLES])


def strokes_to(
    start: float, ends: npt.NDArray[np.floating[Any]], shares: npt.NDArray[np.float64], codes: npt.NDArray[np.uint8]
) -> list[Stroke]:
    """Lines from one place to many, each of a share that is not smaller than `LEAST`.

    Args:
        start, ends: how far down, in dots.
        codes: the lines' colours.
    """
    styles: list[int] = np.searchsorted(_LEAST_OF, -shares).tolist()
    parts = zip(ends.tolist(), codes.tolist(), styles, strict=True)
    return [Stroke(start, end, code, STYLES[style][1], STYLES[style][2]) for end, code, style in parts]
