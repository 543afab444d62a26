"""What covers the numbers at a stop of the tour, until the learner has made a guess."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from ...engine.messages.translation import tr
from ..drawing.text import cut

HATCH = "░"


class Cover(Widget, can_focus=False):
    """A hatched sheet as large as the view, and how it is taken away."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"cover--hatch", "cover--words"}
    DEFAULT_CSS: ClassVar[str] = """
    Cover {
        width: 1fr; height: 1fr;
        & .cover--hatch { color: $foreground 18%; }
        & .cover--words { color: $foreground; text-style: bold; }
    }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        hatch, words = (self.get_component_rich_style(f"cover--{name}") for name in ("hatch", "words"))
        if abs(y - (height - 1) // 2) > 1:
            return Strip([Segment(HATCH * width, hatch)])
        said = cut(tr("What would you say? T shows it."), max(0, width - 4)) if y == (height - 1) // 2 else ""
        label = f" {said} " if said else " " * min(width, cell_len(tr("What would you say? T shows it.")) + 2)
        left = max(0, width - cell_len(label)) // 2
        right = max(0, width - left - cell_len(label))
        return Strip([Segment(HATCH * left, hatch), Segment(label, words), Segment(HATCH * right, hatch)])
