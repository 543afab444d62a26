"""Styles that are looked up once a theme."""

from __future__ import annotations

from typing import Any

from rich.style import Style
from textual.widget import Widget


class InkedWidget(Widget):
    """A widget that keeps the styles it draws with until they change.

    Textual works out a widget's own style anew each time it is asked for, and forgets those of its components whenever a line
    of it is to be drawn again.
    """

    def __init__(self, *children: Widget, **named: Any) -> None:
        super().__init__(*children, **named)
        self._inks: dict[str, Style] = {}

    def ink(self, names: str = "") -> Style:
        """The style of component classes, parted by spaces; without any, the widget's own."""
        if names not in self._inks:
            self._inks[names] = self.get_component_rich_style(*names.split()) if names else self.rich_style
        return self._inks[names]

    def notify_style_update(self) -> None:
        """Called by Textual when styles change."""
        super().notify_style_update()
        self._inks.clear()
