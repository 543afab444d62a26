"""Widgets whose new size needs no second look."""

from __future__ import annotations

from textual.geometry import Size

from .drawn_soon import DrawnSoon


class LaidOnce(DrawnSoon):
    """Mixed into a widget that a layout gives its size to, for good.

    Textual takes the size of what is in it for news, lays out the whole screen again and draws all of it a second time: in
    case there is a scroll bar now. Here are none that a size brings, but those of `Lines`, which sees to them itself.
    """

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Called by Textual with every layout."""
        return super()._size_updated(size, virtual_size, container_size, layout=False)
