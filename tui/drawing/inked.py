"""Styles that are looked up once a theme."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from .laid_once import LaidOnce


class InkedWidget(LaidOnce, Widget):
    """A widget that keeps the styles it draws with until they change.

    Textual works out a widget's own style anew each time it is asked for, and forgets those of its components whenever a line
    of it is to be drawn again.
    """

    INKS: ClassVar[str] = ""  # what the names of its component classes begin with

    def __init__(self, *children: Widget, **named: Any) -> None:
        super().__init__(*children, **named)
        self._inks: dict[str, Style] = {}
        self._ground: Style | None = None
        self._last_lines: tuple[Region, list[Strip]] | None = None  # a part of it, and how that was drawn last

    def ink(self, names: str = "") -> Style:
        """The style of component classes, parted by spaces; without any, the widget's own."""
        if names not in self._inks:
            classes = [f"{self.INKS}{name}" for name in names.split()]
            self._inks[names] = self.get_component_rich_style(*classes) if classes else self.rich_style
        return self._inks[names]

    @property
    def ground(self) -> Style:
        """The style of cells that nothing else colours: both colours, for a terminal's own may be as light as the theme's ground."""
        if self._ground is None:
            self._ground = Style(color=self.rich_style.color, bgcolor=self.background_colors[1].rich_color)
        return self._ground

    def render_lines(self, crop: Region) -> list[Strip]:
        """Called by Textual in each frame that draws anything near: the same lines, where none is to be drawn.

        Textual would work out the widget's place, colours and opacity to find each of its lines at hand.
        """
        cache = self._styles_cache
        if self._last_lines is None or self._last_lines[0] != crop or cache._dirty_lines or not cache._cache:  # pyright: ignore[reportPrivateUsage]
            self._last_lines = crop, super().render_lines(crop)
        return self._last_lines[1]

    def notify_style_update(self) -> None:
        """Called by Textual when styles change."""
        super().notify_style_update()
        self._last_lines = None
        self._inks.clear()
        self._ground = None
