"""The line between two panes side by side."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget


class Rule(Widget, can_focus=False):
    """A vertical line that meets the panes' upper borders.

    Args:
        joint: its first character: `┬`, or `┼` where there is another rule above.
    """

    DEFAULT_CSS = """
    Rule { width: 1; height: 1fr; color: $foreground 25%; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, joint: str = "┬", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._joint = joint

    def join(self, joint: str) -> None:
        """Meet something else above."""
        if joint != self._joint:
            self._joint = joint
            self.refresh()

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(self._joint if y == 0 else "│", self.rich_style)], 1)
