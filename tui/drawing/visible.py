"""The gate on the screen: a filter over every line that is drawn."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from ...engine.messages.visible import visible
from .text import cut


class Visible(LineFilter):
    """Writes out what steers a terminal, in whatever text a widget draws.

    What panes show has passed `visible` before it was measured; this is for what nobody thought of (a paste into a field, a
    library's message). The escapes take the cells the text had, and what does not fit is cut, so that no line grows.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as long as they were."""
        if "".join([text for text, _, _ in segments]).isprintable():
            return segments
        return [_shown(segment) for segment in segments]


def _shown(segment: Segment) -> Segment:
    shown = visible(segment.text)
    if shown == segment.text or segment.control:
        return segment
    width = cell_len(segment.text)
    kept = cut(shown, width)
    return Segment(kept + " " * (width - cell_len(kept)), segment.style)
