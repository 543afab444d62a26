"""The lines between panes: down between two side by side, and across above one."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip

from ..drawing.inked import InkedWidget
from ..drawing.text import cell_len, cut


class Rule(InkedWidget, can_focus=False):
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
        return Strip([Segment(self._joint if y == 0 else "│", self.ink())], 1)


class Heading(InkedWidget, can_focus=False):
    """A horizontal line with a title on it, above a pane; a vertical rule may end in it."""

    DEFAULT_CSS = """
    Heading {
        width: 1fr; height: 1; color: $foreground 25%;
        & .heading--title { color: $foreground 60%; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"heading--title"}
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._title, self._joint = "", -1

    def label(self, title: str) -> None:
        """Say what stands below."""
        self._title = title
        self.refresh()

    def join(self, column: int) -> None:
        """Have the rule above end in a column; -1 for none."""
        if column != self._joint:
            self._joint = column
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        title = cut(f" {self._title} ", max(0, width - 1))
        line = list("─" * max(0, width - 1 - cell_len(title)))
        at = self._joint - 1 - cell_len(title)
        if 0 <= at < len(line):
            line[at] = "┴"
        words = [
            ("─", self.ink()),
            (title, self.ink("heading--title")),
            ("".join(line), self.ink()),
        ]
        return Strip([Segment(text, style) for text, style in words]).crop_extend(0, width, self.ink())
