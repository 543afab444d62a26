"""Widgets that tell their screen themselves what is outdated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from textual.geometry import Region
from textual.widget import Widget

if TYPE_CHECKING:
    Base = Widget  # what it is mixed into is one
else:
    Base = object  # Textual takes styles from the first widget among the bases


class Drawing(Protocol):
    """A screen that can be told."""

    def draw_soon(self, widget: Widget) -> None:
        """Something of a widget is outdated."""
        ...

    def layout_comes(self, widget: Widget) -> None:
        """A widget asks for a layout, by a message that is still on its way."""
        ...


class DrawnSoon(Base):
    """Mixed into a widget.

    Textual sends the widget a message, at which it is found idle, sends the screen another one, and the screen a third one to
    itself: for every widget of every key.
    """

    _screen_of: Drawing | None = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Have some of it, or all, drawn anew; `layout` by messages, as it may concern any widget."""
        screen = self._told_screen()
        if screen is None or recompose or not repaint:
            return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        if layout:
            screen.layout_comes(self)
            return super().refresh(*regions, layout=True)
        self._layout_cache.clear()  # pyright: ignore[reportPrivateUsage] # as Textual does
        self._set_dirty(*regions)
        self.clear_cached_dimensions()
        self._rich_style_cache.clear()  # pyright: ignore[reportPrivateUsage]
        if self.display:
            screen.draw_soon(self)
        return self

    def _told_screen(self) -> Drawing | None:
        """The screen, once it is there, if it can be told."""
        if self._screen_of is None and self.is_mounted and self.is_attached:
            screen: Any = self.screen
            self._screen_of = screen if hasattr(screen, "draw_soon") else None
        return self._screen_of
