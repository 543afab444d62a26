"""Text that can be read where there are sixteen colours: a filter over every line that is drawn."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

# What ink becomes on a ground that it would vanish on, by the numbers of both among the sixteen. Light grey on white is what quiet
# text of a light theme comes out as, and many terminals show the two alike; its accent, a dark orange, comes out as bright yellow.
INSTEAD = {
    (7, 15): 8, (15, 15): 8, (3, 15): 1, (11, 15): 1, (7, 7): 0, (15, 7): 0, (8, 7): 0, (3, 7): 1, (11, 7): 1,
    (15, 3): 0, (7, 3): 0, (15, 11): 0, (7, 11): 0, (0, 0): 8, (8, 8): 15,
}  # fmt: skip


class Sixteen(LineFilter):
    """Gives ink that would vanish on its ground another of the sixteen colours; all else is left to rich."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text, in colours that can be told apart."""
        return [
            segment if segment.style is None else Segment(segment.text, legible(segment.style), segment.control)
            for segment in segments
        ]


@lru_cache(4096)
def legible(style: Style) -> Style:
    """The same style, with ink that its ground does not swallow."""
    if style.color is None or style.bgcolor is None:
        return style
    ink, ground = _number(style.color), _number(style.bgcolor)
    instead = INSTEAD.get((ink, ground)) if ink is not None and ground is not None else None
    return style if instead is None else style + Style(color=RichColor.from_ansi(instead))


def _number(colour: RichColor) -> int | None:
    return colour.downgrade(ColorSystem.STANDARD).number
