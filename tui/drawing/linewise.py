"""A widget that draws those of its lines that look otherwise than on the screen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Self

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from .inked import InkedWidget


class LinewiseWidget(InkedWidget):
    """A widget whose lines are compared with those on the screen before they are composed, filtered and sent.

    That a line looks the same is found out by painting it, which is cheap beside all that Textual does with a line then.
    Subclasses paint in `draw_line`, and call `redraw` where they would call `refresh`.
    """

    def __init__(self, *children: Widget, **named: Any) -> None:
        super().__init__(*children, **named)
        self._seen_lines: dict[int, Strip] = {}
        self._ready_lines: dict[int, Strip] = {}  # for the frame that is being drawn
        self._ready_size = Size(0, 0)  # that they were painted for: a layout may come between that and the frame
        self._is_outdated = False

    @abstractmethod
    def draw_line(self, y: int) -> Strip:
        """One line of the widget, exactly as wide as it is."""

    def redraw(self) -> None:
        """Have the lines drawn that will look otherwise when the next frame comes."""
        self._is_outdated = True
        self.refresh(Region())

    def refresh(self, *regions: Region, **named: Any) -> Self:
        """Have lines drawn, whether or not they look otherwise."""
        self._ready_lines.clear()
        return super().refresh(*regions, **named)

    def refresh_lines(self, lines: Iterable[int]) -> None:
        """Repaint some lines and no others."""
        self.refresh(*[Region(0, y, self.size.width, 1) for y in lines])

    def render_line(self, y: int) -> Strip:
        """Called by Textual for each line to be drawn."""
        if self._ready_size != self.size:
            self._ready_lines.clear()
        painted = self._ready_lines.pop(y, None)
        strip = self._seen_lines[y] = self.draw_line(y) if painted is None else painted
        return strip

    def _exchange_repaint_regions(self) -> Any:
        """Called by Textual for each frame: what is to be drawn in it."""
        if self._is_outdated:
            self._is_outdated = False
            self._ready_size, (width, height) = self.size, self.size
            outdated = list[Region]()
            first: int | None = None  # of the lines one below the other that look otherwise
            for y in range(height):
                strip = self.draw_line(y)
                same = strip == self._seen_lines.get(y)
                if not same:
                    self._ready_lines[y] = strip
                    first = y if first is None else first
                if first is not None and (same or y == height - 1):
                    outdated.append(Region(0, first, width, y + (not same) - first))
                    first = None
            if outdated:
                self._set_dirty(*outdated)
        return super()._exchange_repaint_regions()

    def notify_style_update(self) -> None:
        """Called by Textual when styles change."""
        super().notify_style_update()
        self._seen_lines.clear()
        self._ready_lines.clear()
