"""How a line looks once it has faded into what lies behind it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from rich.segment import Segment
from rich.style import Style
from textual._opacity import _apply_opacity  # pyright: ignore[reportPrivateUsage] # what fades looks as Textual has it
from textual.color import Color
from textual.strip import Strip

from .strips import Line

_new = cast(Any, tuple).__new__


def faded(strip: Strip, behind: Color, opacity: float) -> Line:
    """The line as Textual fades it, which mixes both colours of every piece anew; of a heat map those are thousands, of few styles.

    Args:
        behind: the colour that it fades into.
        opacity: how much is left of it.
    """
    segments = [
        _new(Segment, (text, None if style is None else _faded(style, behind, opacity), None))
        for text, style, _ in strip
    ]
    return Line(segments, strip.cell_length)


@lru_cache(maxsize=4096)
def _faded(style: Style, behind: Color, opacity: float) -> Style:
    (segment,) = _apply_opacity([Segment("", style)], behind, opacity)
    return segment.style or style
