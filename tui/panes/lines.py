"""A widget drawn line by line: what a line looks like is one small value, and only lines whose value changed are drawn."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from rich.segment import Segment
from textual.cache import LRUCache
from textual.events import MouseEvent
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from ..drawing.inked import InkedWidget

if TYPE_CHECKING:
    from textual import getters
    from textual.app import App

Face = TypeVar("Face", bound=Hashable)
Spans = Sequence[tuple[str, str]]


class LinesBar(InkedWidget, ScrollBar):
    """The scroll bar beside lines."""


class Lines(InkedWidget, ScrollView, Generic[Face], can_focus=False):
    """Lines of text, each given by a *face*: everything its look depends on.

    Subclasses say in `spans` what a face looks like; the rest (caching, scrolling, drawing what changed) is here.
    """

    DEFAULT_CSS = """
    Lines { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    if TYPE_CHECKING:
        app = getters.app(App[Any])  # Textual leaves open what running it returns

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.faces: list[Face] = []
        self._title: str = ""
        self._rows_to_be = 0
        self._room: tuple[tuple[Size, bool], int] | None = None
        self._scrolled: tuple[Size, Size, Offset] | None = None
        self._strips: LRUCache[tuple[Face, int], Strip] = LRUCache(1024)

    def spans(self, face: Face, width: int) -> Spans:
        """The line's text in `width` cells, in pieces, each with the names of its component styles."""
        raise NotImplementedError

    def entitle(self, title: str) -> None:
        """Write a title on the upper border. (Textual draws every line anew for a title, the same one as well.)"""
        if title != self._title:
            self._title = self.border_title = title

    def put(self, faces: Sequence[Face]) -> None:
        """Show these lines."""
        before, self.faces = self.faces, list(faces)
        if len(before) != len(self.faces):
            self._count()
            self.refresh()
            return
        for line, (old, new) in enumerate(zip(before, self.faces, strict=True)):
            if old != new:
                self.refresh_lines(line)

    def _count(self) -> None:
        """Have another number of lines. Only where that is its height does Textual lay out the screen for it."""
        size = Size(0, len(self.faces))
        if self.styles.auto_dimensions:
            self.virtual_size = size
        else:
            self.set_reactive(cast(Any, Lines).virtual_size, size)
            self._scroll_update(size)

    def expect(self, rows: int) -> None:
        """Know how many rows a layout is about to give it: a scroll bar that comes or goes with them is laid out with them."""
        if self.container_size:
            self._rows_to_be = rows
            self._refresh_scrollbars()

    def reveal(self, line: int, margin: int = 1) -> None:
        """Scroll as little as shows a line with a few around it; what is far away comes to the middle."""
        height = self.scrollable_content_region.height
        if height <= 0:
            return
        margin = min(margin, max(0, (height - 1) // 2))
        top = self.scroll_offset.y
        if not top - 1 <= line <= top + height:
            top = line - height // 2
        top = min(top, line - margin) if line < top + margin else max(top, line + margin + 1 - height)
        top = max(0, min(top, len(self.faces) - height))
        if not self.scroll_y == self.scroll_target_y == top:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def line_at(self, event: MouseEvent) -> int:
        """The line under the mouse; -1 where there is none."""
        offset = event.get_content_offset(self)
        line = offset.y + self.scroll_offset.y if offset is not None else -1
        return line if line < len(self.faces) else -1

    @property
    def width(self) -> int:
        """Cells there are for a line; worked out once, where Textual adds up borders and bars for each line."""
        of = self._size, self.show_vertical_scrollbar
        if self._room is None or self._room[0] != of:
            self._room = of, self.scrollable_content_region.width
        return self._room[1]

    def render_line(self, y: int) -> Strip:
        line, width = y + self.scroll_offset.y, self.width
        if line >= len(self.faces):
            return Strip.blank(width, self.ink())
        key = (self.faces[line], width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._draw(self.faces[line], width)
        return strip

    def _draw(self, face: Face, width: int) -> Strip:
        segments = [Segment(text, self.ink(names)) for names, text in self.spans(face, width) if text]
        return Strip(segments).crop_extend(0, width, segments[-1].style if segments else self.ink())

    def notify_style_update(self) -> None:
        """Called by Textual when styles change: every strip is drawn anew."""
        super().notify_style_update()
        self._strips.clear()
        self._room = None

    def _scroll_update(self, virtual_size: Size) -> None:
        """Called by Textual at every layout, which draws the scroll bar anew; here where what it shows has changed."""
        scrolled = virtual_size, self.container_size, self.scroll_offset
        if scrolled != self._scrolled:
            self._scrolled = scrolled
            super()._scroll_update(virtual_size)

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """The scroll bar, which Textual asks for only where there is one."""
        if self._vertical_scrollbar is None:
            self._vertical_scrollbar = LinesBar(name="vertical")
            self._vertical_scrollbar.display = False
            cast(Any, self.app)._start_widget(self, self._vertical_scrollbar)
        return self._vertical_scrollbar

    def _size_updated(self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True) -> bool:
        """Called by Textual with every layout: what was expected has come, or will not."""
        self._rows_to_be = 0
        return super()._size_updated(size, virtual_size, container_size, layout)

    def _refresh_scrollbars(self) -> None:
        """Called by Textual to show or hide the scroll bar; its own lays out the screen for one that stays as well."""
        rows = self._rows_to_be or self.container_size.height
        shows = bool(cast(Any, self.styles).overflow_y != "hidden") and self.virtual_size.height > rows
        if self.container_size and shows != self.show_vertical_scrollbar:
            self.show_vertical_scrollbar = self.vertical_scrollbar.display = shows

    def refresh_lines(self, y_start: int, line_count: int = 1) -> None:
        """Draw some lines anew; counted in lines of content."""
        top = y_start - self.scroll_offset.y
        if -line_count < top < self.size.height:
            self.refresh(Region(0, top, self.size.width, line_count))
