"""What Textual asks of an application for every widget of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App
from textual.filter import ANSIToTruecolor, LineFilter, Monochrome, NoColor
from textual.theme import Theme

from ..drawing.sixteen import Sixteen
from ..drawing.visible import Visible


class Painted(App[int]):
    """An application whose answers cost little."""

    def __init__(self, **named: Any) -> None:
        self._gate, self._colourless, self._sixteen = Visible(), NoColor(), Sixteen()
        super().__init__(**named)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """No filter that turns ANSI colours into others (there are none here); under NO_COLOR no colour at all, and of sixteen such
        as can be told apart.

        The last one is the gate: whatever a widget draws, nothing of it steers the terminal.
        """
        kept = [each for each in super().get_line_filters() if not isinstance(each, ANSIToTruecolor | Monochrome)]
        if self.no_color:
            return [*kept, self._colourless, self._gate]
        return [*kept, self._sixteen, self._gate] if self.console.color_system == "standard" else [*kept, self._gate]

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by its name; Textual's own copies the table of themes each time it is asked."""
        return self._registered_themes.get(theme_name) or super().get_theme(theme_name)
