"""The picture behind a heat map: a code for every number, quantised once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..drawing.colours import Scale, codes_of, scale_of
from ..state.plane import Plane
from .window import Bounds, Window, all_of, read_window

if TYPE_CHECKING:
    from ...engine.commands.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """A window of numbers with its colours.

    Attributes:
        bounds: what is in it.
        window: the numbers themselves, for the one under the cursor.
        codes: see `colours`.
        scale: what the codes stand for.
    """

    bounds: Bounds
    window: Window
    codes: npt.NDArray[np.uint8]
    scale: Scale


def read_heat(session: Session, plane: Plane, bounds: Bounds, gain: int, dtype: str) -> Heat:
    """Read and quantise. Runs on the engine's thread."""
    window = read_window(session, plane, bounds)
    scale = scale_of(window.numbers, dtype, whole=bounds == all_of(plane)).with_gain(gain)
    return Heat(bounds, window, codes_of(window.numbers, scale, dtype), scale)
